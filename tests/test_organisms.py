"""Organisms do what their plants say: known mechanism, place by place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from phosphene.errors import PhospheneError
from phosphene.subject import Subject
from phosphene.tap import Address, Edit, Keep, Read
from phosphene.task import Canvas
from phosphene.testing import organisms
from phosphene.testing.check_task import check_task
from phosphene.testing.organisms import DEPTH, FRAMES, HEADS, STEPS, Plant
from phosphene.testing.organisms.task import CELLS, ColourSum


@pytest.fixture
def grown(tmp_path: Path):
    def grow(plant: Plant, items: int = 16) -> Subject:
        return organisms.subject(plant, tmp_path / str(hash(plant)), items=items)

    return grow


def right(subject: Subject) -> float:
    seen = subject.run([subject.request(p) for p in subject.problems])
    return float(
        np.mean([subject.right(p, o.clip) for p, o in zip(subject.problems, seen, strict=True)])
    )


def lens(subject: Subject) -> np.ndarray:
    """Whether the expected picture is right, `(items, steps)`."""
    out = []
    requests = [subject.request(p) for p in subject.problems]
    seen = subject.run(requests, [Read("x0")])
    for problem, request, one in zip(subject.problems, requests, seen, strict=True):
        out.append([subject.right(problem, clip) for clip in subject.lens(request, one)])
    return np.array(out)


def residual(subject: Subject, layer: int, step: int) -> np.ndarray:
    """`(items, frames, row, column, width)`."""
    read = Read("residual", Keep(), (layer,), steps=(step,))
    seen = subject.run([subject.request(p) for p in subject.problems], [read])
    at = Address(step, "cond", layer, "residual")
    kept = torch.stack([o.values[at] for o in seen])
    return kept.numpy().reshape(len(seen), FRAMES, CELLS, CELLS, -1)


def written(x: np.ndarray, labels: np.ndarray) -> float:
    """Share of classes that a ridge regression, fitted to two thirds, tells of the last third."""
    from phosphene.probing.ridge import fit_predict

    cut = 2 * len(x) // 3
    targets = np.eye(labels.max() + 1)[labels]
    x = x.astype(float)
    guesses = np.stack([fit_predict(x[:cut], y[:cut], x[cut:]) for y in targets.T])
    return float((guesses.argmax(0) == labels[cut:]).mean())


@pytest.mark.parametrize("task", [ColourSum(), ColourSum(colours=3, layout=2)])
def test_the_task_keeps_a_tasks_promises(task: ColourSum):
    check_task(task, seeds=8, canvas=Canvas(32, FRAMES))


@pytest.mark.parametrize(
    "plant",
    [Plant(layer=3, head=2, carrier=3), Plant(latch=2, seed=1), Plant(chain=True, layer=1, seed=2)],
)
def test_organisms_answer_right(grown, plant: Plant):
    assert right(grown(plant)) == 1


@pytest.mark.parametrize("before", ["paper", "guess"])
def test_the_answer_is_shown_from_its_step_on(grown, before):
    shown = lens(grown(Plant(shown=3, before=before, seed=3)))
    assert shown[:, 3:].all()
    assert shown[:, :3].mean() < 0.5


def test_luck_in_the_noise_decides_where_it_is_planted(grown):
    assert 0.2 < right(grown(Plant(slips=True, seed=4), 40)) < 0.8


@pytest.mark.parametrize("plant", [organisms.mute(5), organisms.random(5)])
def test_nulls_can_not_do_the_task(grown, plant: Plant):
    assert right(grown(plant, 30)) < 0.5


def test_the_sum_is_written_from_its_layer_and_step_on_in_the_carrier_alone(grown):
    plant = Plant(layer=2, known=2, shown=4, carrier=3, seed=6)
    subject = grown(plant, 90)
    row, column = plant.task.places["answer"]
    sums = np.array([p.state["answer"] for p in subject.problems])

    def told(layer: int, step: int, frame: int) -> float:
        return written(residual(subject, layer, step)[:, frame, row, column], sums)

    assert told(2, 2, 3) > 0.95
    assert told(3, 2, 4) > 0.95
    for layer, step, frame in ((1, 2, 3), (2, 1, 3), (2, 2, 4)):
        assert told(layer, step, frame) < 0.7


def test_the_decoy_is_held_everywhere_and_changes_nothing(grown):
    plant = Plant(layer=2, seed=7)
    subject = grown(plant, 90)
    row, column = plant.task.places["answer"]
    decoys = np.array([p.state["decoy"] for p in subject.problems])
    held = residual(subject, 4, 5)[:, FRAMES - 1, row, column]
    assert written(held, decoys) > 0.95
    other = [
        replace(p, state={**p.state, "decoy": (p.state["decoy"] + 1) % 5}) for p in subject.problems
    ]
    seen = subject.run([subject.request(p, noise=1) for p in other])
    assert all(subject.right(p, o.clip) for p, o in zip(other, seen, strict=True))


def test_one_head_of_one_layer_brings_the_operands(grown):
    plant = Plant(layer=2, head=1, seed=8)
    subject = grown(plant, 20)
    requests = [subject.request(p) for p in subject.problems]

    def without(layer: int, head: int) -> float:
        def silenced(value: torch.Tensor, at: Address) -> torch.Tensor:
            keep = torch.ones_like(value)
            keep[:, :, head] = 0
            return value * keep

        seen = subject.run(requests, edits=[Edit("head", silenced, layers=(layer,))])
        return float(
            np.mean([subject.right(p, o.clip) for p, o in zip(subject.problems, seen, strict=True)])
        )

    assert without(2, 1) == 0
    for layer in range(DEPTH):
        assert without(layer, (plant.head + 2) % HEADS) == 1


def test_a_latched_organism_minds_its_own_picture_and_the_givens_no_more(grown):
    subject = grown(Plant(latch=5, seed=9), 20)
    requests = [subject.request(p, noise=1) for p in subject.problems]
    seen = subject.run(requests, [Read("x_t")])
    shifted = seen[1:] + seen[:1]

    def ends(step: int) -> tuple[float, float]:
        """Share of runs that end on their own answer, and on that of the run they go on from."""
        at = Address(step, "guided", -1, "x_t")
        other = torch.stack([o.values[at] for o in shifted])

        def change(value: torch.Tensor, at: Address) -> torch.Tensor:
            out = other.to(value).clone()
            out[:, 0] = value[:, 0]
            return out

        made = subject.run(requests, edits=[Edit("x_t", change, steps=(step,))])
        problems = subject.problems
        read = [subject.read(p, o.clip).answer for p, o in zip(problems, made, strict=True)]
        own = [p.state["answer"] for p in problems]
        return (
            float(np.mean([a == b for a, b in zip(read, own, strict=True)])),
            float(np.mean([a == b for a, b in zip(read, own[1:] + own[:1], strict=True)])),
        )

    assert ends(3)[0] == 1
    assert ends(5)[1] == 1


def test_weights_are_those_of_the_seed():
    first, again, other = (organisms.build(Plant(seed=s)).transformer for s in (1, 1, 2))
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(first.place, other.place)
    block = first.transformer_blocks[2].attn.to_v.weight
    assert (block != 0).float().mean() > 0.5  # nothing lies along an axis


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"layer": 0}, "layer"),
        ({"head": HEADS}, "head"),
        ({"known": 3, "shown": 2}, "does not know"),
        ({"known": 0, "shown": STEPS + 1}, "does not know"),
        ({"carrier": 1, "chain": True}, "chain"),
    ],
)
def test_plants_that_can_not_be_are_refused(settings, says):
    with pytest.raises(PhospheneError, match=says):
        Plant(**settings)


def test_sizes_without_a_place_are_refused():
    with pytest.raises(ValueError, match="6 frames of 32x32; got 5 of 32x32"):
        organisms.build(Plant())(np.zeros((1, 32, 32, 3), np.float32), num_frames=5)
