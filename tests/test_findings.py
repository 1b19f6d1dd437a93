"""Findings: the whole command, on weights that know nothing, and what its page says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.findings import Question, Study, findings, held_in_against_out
from phosphene.probe import Finding, Result, probes
from phosphene.probes.lens import Lens
from phosphene.testing import tiny

pytest.importorskip("torch")
PLAIN = {"largest": 4, "variety": 0.0}


def asked(**settings) -> Question:
    return Question("equations", PLAIN, settings)


def record(out) -> dict:
    return json.loads((out / "findings.json").read_text())


@pytest.mark.parametrize("family", ["wan_i2v", "ltx2"])
def test_random_weights_earn_no_claim(family, tmp_path):
    directory = tiny.save(family, tmp_path / family)
    setup = {"items": 6, "size": 32 if family == "wan_i2v" else 64, "frames": 9, "steps": 2}
    question = asked(lens={"samples": 1, "permutations": 50})
    studies = findings(str(directory), tmp_path / "out", (question,), setup, ("lens", "switch"))
    said = [f for s in studies if s.result is not None for f in s.result.findings]
    assert said
    assert not [f for f in said if f.holds]
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("family", ["wan_i2v", "ltx2"])
def test_no_probe_claims_anything_of_random_weights(family, tmp_path):
    directory = tiny.save(family, tmp_path / family)
    setup = {"items": 32, "size": 32 if family == "wan_i2v" else 64, "frames": 9, "steps": 3}
    question = asked(lens={"samples": 2}, verifier={"samples": 2}, attention={"twins": 19})
    studies = findings(str(directory), tmp_path / "out", (question,), setup)
    assert {s.probe.name for s in studies} == set(probes.names())
    said = [(s.name, f) for s in studies if s.result is not None for f in s.result.findings]
    assert not [(n, f.says) for n, f in said if f.holds]
    # What could not be asked gives its reason.
    assert all(s.refusal for s in studies if s.result is None)
    (tmp_path / "out" / "README.md").read_text()


def test_a_second_run_repeats_nothing(tmp_path):
    question = asked(lens={"samples": 1, "permutations": 50})
    first: list[str] = []
    again: list[str] = []
    setup = {"items": 4}
    findings("ember", tmp_path, (question,), setup, ("lens",), lambda e: first.append(e.kind))
    before = record(tmp_path)
    findings("ember", tmp_path, (question,), setup, ("lens",), lambda e: again.append(e.kind))
    assert first.count("made") > 0
    assert again.count("made") == 0
    assert record(tmp_path)["studies"] == before["studies"]
    words = (tmp_path / "README.md").read_text()
    assert "right answer shown" in words
    assert "| lens | test |" in words


def test_unknown_probes_are_named(tmp_path):
    with pytest.raises(PhospheneError, match="no probe 'lenz'"):
        findings("ember", tmp_path, only=("lenz",))


def lens_of(split, endings) -> Study:
    table = [
        {"problem": i, "sample": 0, "step": t, "right": bool(end and t)}
        for i, end in enumerate(endings)
        for t in range(2)
    ]
    result = Result(table, [Finding("x", "y", None)])
    return Study(asked(), Lens(), split, {}, "", result)


def test_held_in_is_compared_with_held_out():
    rng = np.random.default_rng(0)
    seen, unseen = np.ones(30), np.zeros(30)
    ((task, gap),) = held_in_against_out([lens_of("train", seen), lens_of("test", unseen)])
    assert task == "equations"
    assert gap.holds
    assert gap.value == 1
    coin = rng.random(30) < 0.5
    ((_, none),) = held_in_against_out([lens_of("train", coin), lens_of("test", coin)])
    assert not none.holds
    assert held_in_against_out([lens_of("train", seen)]) == []
