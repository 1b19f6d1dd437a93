"""Training minds: stages, what a lesson shows, resuming to the step."""

import json

import pytest
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.lesson import dealt, lesson, loss
from phosphene.minds.opening import open_mind
from phosphene.minds.settings import MindConfig
from phosphene.minds.tasks.chase import Chase
from phosphene.minds.train import train_mind
from phosphene.testing.minds import tiny_mind

MODEL = {
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 96,
    "resid_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "attn_pdrop": 0.0,
}


def _config(out, **changes):
    told = {
        "out": out,
        "task": "chase",
        "fields": {"names": 5, "hops": 2},
        "stages": (160, 80, 80),
        "model": MODEL,
        "batch": 8,
        "warmup": 2,
        "checkpoint_every": 80,
        "exam_every": 160,
        "exam_items": 8,
    }
    return MindConfig(**{**told, **changes})


def _losses(out):
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [(r["samples"], r["loss"]) for r in lines if "loss" in r]


def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(tmp_path):
    whole = train_mind(_config(tmp_path / "whole", mixed=0.3))

    class Killed(Exception):
        pass

    def kill(event):
        if event["samples"] >= 200 and "loss" not in event:
            raise Killed

    with pytest.raises(Killed):
        train_mind(_config(tmp_path / "cut", mixed=0.3), kill)
    assert not (tmp_path / "cut" / "log.jsonl").read_text().count('"samples": 320')
    resumed = train_mind(_config(tmp_path / "cut", mixed=0.3))
    assert _losses(tmp_path / "cut") == _losses(tmp_path / "whole")
    a, b = open_mind(str(whole)), open_mind(str(resumed))
    assert a.fingerprint == b.fingerprint
    assert a.manner.thoughts == 2


def test_another_runs_checkpoint_is_refused(tmp_path):
    train_mind(_config(tmp_path / "a", stages=(16,)))
    with pytest.raises(PhospheneError, match="way"):
        train_mind(_config(tmp_path / "a", stages=(16,), way="none"))


def test_twins_see_equally_many_examples(tmp_path):
    totals = {
        (way, curriculum): sum(
            steps for _, steps in _config(tmp_path, way=way, curriculum=curriculum).plan
        )
        for way in ("thoughts", "cot", "pause", "none")
        for curriculum in (True, False)
    }
    assert set(totals.values()) == {40}


def test_stages_take_steps_away_and_put_thoughts_in_their_place():
    mind, task = tiny_mind(), Chase(names=6, hops=3, least=3)
    problem = task.sample(1)
    texts = [
        mind.tokenizer.decode(lesson(mind, [problem], "thoughts", stage, 2).tails[0])
        for stage in range(4)
    ]
    a, b, c = (step.removesuffix(".").replace(" to ", " ") for step in problem.steps)
    assert texts[0].replace(" .", ".").startswith(f"</think> {a}. {b}. {c}. ###")
    assert texts[2].replace(" .", ".").startswith(f"</think> {c}. ### {problem.answer}")
    assert texts[3] == f"</think> ### {problem.answer} <eos>"
    assert lesson(mind, [problem], "thoughts", 3, 2).thoughts == 6
    assert (
        lesson(mind, [problem], "none", 0, 2).tails == lesson(mind, [problem], "pause", 3, 2).tails
    )
    assert lesson(mind, [problem], "cot", 3, 2).thoughts == 0


def test_the_loss_is_of_the_tails_tokens_alone_and_padding_changes_nothing():
    mind, task = tiny_mind(), Chase(hops=4)
    problems = dealt(task, 0, 0, 6)
    assert len({len(p.steps) for p in problems}) > 1
    together = loss(mind, lesson(mind, problems, "thoughts", 1, 1), "thoughts")
    alone = [lesson(mind, [p], "thoughts", 1, 1) for p in problems]
    weights = [len(x.tails[0]) - 1 for x in alone]
    each = [loss(mind, x, "thoughts") * w for x, w in zip(alone, weights, strict=True)]
    torch.testing.assert_close(together, torch.stack(each).sum() / sum(weights))


def test_thoughts_carry_the_gradient_back_to_the_question():
    mind, task = tiny_mind(layers=1), Chase()
    shown = lesson(mind, dealt(task, 0, 0, 2), "thoughts", 4, 1)
    loss(mind, shown, "thoughts").backward()
    # Through the cache alone a one-layer model's first MLP would reach only its own position.
    assert float(mind.model.transformer.h[0].mlp.c_fc.weight.grad.abs().sum()) > 0


def test_no_problem_is_dealt_twice():
    task = Chase(names=12)
    first, second = dealt(task, 0, 0, 8), dealt(task, 0, 1, 8)
    assert len({p.question for p in [*first, *second]}) == 16
    assert [p.question for p in dealt(task, 0, 1, 8)] == [p.question for p in second]
    assert dealt(task, 1, 0, 8)[0].question != first[0].question


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"way": "loud"}, "way"), ({"stages": ()}, "stages"), ({"mixed": 1.5}, "mixed")],
)
def test_settings_refuse(tmp_path, changes, says):
    with pytest.raises(PhospheneError, match=says):
        _config(tmp_path, **changes)
