"""Decode: which thought holds which value is told as planted, by the head and by probes."""

from __future__ import annotations

import numpy as np
import pytest
from planted_thoughts import hop, planted

from phosphene.errors import PhospheneError
from phosphene.minds.probes.decode import Decode
from phosphene.minds.reading.candidates import candidates, truths, value_names
from phosphene.minds.reading.digits import digits
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.tasks.arithmetic import Arithmetic
from phosphene.minds.tasks.chase import Chase
from phosphene.notebook import Notebook
from phosphene.probe import Thoughts
from phosphene.testing.minds import tiny_mind

TASK = Chase(names=8, hops=3, least=3)
PROBE = Decode(fit=128, permutations=99, show=2)


def late(problem: TextProblem, place: int) -> list[str] | None:
    """Hop 1 one thought late, hop 3 nowhere."""
    return {1: [problem.values["hop 1"]], 2: [problem.values["hop 2"]]}.get(place)


def test_planted_values_are_read_at_their_thoughts() -> None:
    result = PROBE.run(planted(TASK, hop), Notebook())
    found = {f.name: f for f in result.findings}
    for reader in ("head", "probe"):
        for k in (1, 2, 3):
            assert found[f"hop {k}, {reader}"].holds
            assert f"read best at thought {k}" in found[f"hop {k}, {reader}"].says
        assert found[f"one value a thought, {reader}"].holds
    shown = result.figures["thoughts"]
    assert isinstance(shown, Thoughts)
    first = shown.chains[0].thoughts[0].words[0]
    assert first[2] == "hop 1"
    assert first[0] == dict(shown.chains[0].values)["hop 1"]


def test_values_elsewhere_are_not_told_as_in_order() -> None:
    found = {f.name: f for f in PROBE.run(planted(TASK, late), Notebook()).findings}
    assert "thought 2" in found["hop 1, head"].says
    assert "thought 3" in found["hop 2, head"].says
    assert not found["hop 3, head"].holds
    assert not found["one value a thought, head"].holds


def test_random_weights_hold_no_value() -> None:
    for task in (TASK, Arithmetic(modulus=20, steps=3)):
        subject = MindSubject(tiny_mind("llama", task), MindSetup(items=64))
        held = [f.name for f in PROBE.run(subject, Notebook()).findings if f.holds]
        assert not held


def test_digits_take_numbers_apart() -> None:
    task = Arithmetic(modulus=20, steps=2, least=2)
    problems = [task.sample(seed) for seed in range(30)]
    found = digits(problems, ["result 1", "result 2"])
    assert found.names[:2] == ("result 1, ones", "result 1, tens")
    whole = found.numbers[:, 0] + 10 * found.numbers[:, 1]
    assert whole.tolist() == [p.state["results"][0] for p in problems]
    words = [TASK.sample(seed) for seed in range(3)]
    assert digits(words, ["hop 1"]).names == ()


def test_truths_are_missing_where_a_problem_is_shorter() -> None:
    task = Chase(names=8, hops=3, least=1)
    problems = [task.sample(seed) for seed in range(20)]
    among = candidates(tiny_mind(task=task), problems)
    table = truths(problems, value_names(problems), among)
    assert ((table >= 0).sum(1) == [p.state["hops"] for p in problems]).all()
    assert among.words[table[0, 0]] == problems[0].values["hop 1"]
    assert np.array_equal(among.ids, [tiny_mind(task=task).ids(w)[0] for w in among.words])


def test_settings_are_checked() -> None:
    with pytest.raises(PhospheneError, match="permutations >= 39"):
        Decode(permutations=3)
