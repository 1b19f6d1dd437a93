"""Advance: what is looked at on its way ends where it would have, and costs nothing twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest
import torch

from phosphene.backbone import Preview, Previewing, open_backbone
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.exploring.latents import keeping_latents
from phosphene.request import Request
from phosphene.subject import Setup, Subject
from phosphene.tap import Read, Tap
from phosphene.tap.anatomy import denoisers
from phosphene.testing import tiny

SIZES: dict[str, dict[str, Any]] = {
    "stable_diffusion": {"width": 32, "height": 32, "guidance": 3.0},
    "wan_t2v": {"width": 32, "height": 32, "frames": 5, "guidance": 3.0},
    "ltx2": {"width": 64, "height": 64, "frames": 9, "guidance": 3.0},
    "z_image": {"width": 32, "height": 32, "guidance": 3.0},
    "ember": {"frames": 2, "guidance": 2.0},
}
every = pytest.mark.parametrize("family", SIZES)
STEPS = 4


@pytest.fixture(scope="session")
def opened(tmp_path_factory):
    @cache
    def opened(family: str) -> Any:
        if family == "ember":
            return open_backbone(family)
        return open_backbone(str(tiny.save(family, tmp_path_factory.mktemp(family))))

    return opened


def asked(family: str, count: int = 3) -> list[Request]:
    words = ["a ball", "solve the equation", "red"]
    given = {"steps": STEPS, **SIZES[family]}
    return [Request(prompt=words[i % 3], seed=i, **given) for i in range(count)]


def same(a: Sequence[Clip], b: Sequence[Clip]) -> bool:
    """Equal to a grey level and to 1e-4 of sound."""
    near = True
    for x, y in zip(a, b, strict=True):
        near &= (x.audio is None) == (y.audio is None)
        near &= int(abs(x.frames.astype(int) - y.frames).max()) <= 1
        near &= x.audio is None or float(abs(x.audio - y.audio).max()) <= 1e-4
    return near


def clips(previews: Sequence[Preview]) -> list[Clip]:
    return [p.clip for p in previews]


@contextlib.contextmanager
def counted(backbone: Any) -> Iterator[list[int]]:
    """How many rows the denoiser really works on."""
    rows = [0]
    with pytest.MonkeyPatch.context() as patch:
        for kind in {type(d) for d in denoisers(backbone.pipeline).values()}:
            real = kind.forward

            def forward(module, *args, _real=real, **kwargs):
                first = next(iter((*args, *kwargs.values())))
                rows[0] += len(first)
                return _real(module, *args, **kwargs)

            patch.setattr(kind, "forward", forward)
        yield rows


@every
def test_going_on_ends_where_generate_does_and_costs_the_rest(opened, family):
    backbone: Previewing = opened(family)
    requests = asked(family)
    whole = backbone.generate(requests)  # and batching is tried out
    with counted(backbone) as rows:
        backbone.generate(requests)
        full, rows[0] = rows[0], 0
        early = backbone.advance(requests, 1, [None] * 3)
        assert rows[0] * STEPS == full
        assert [(p.steps, p.finished) for p in early] == [(1, False)] * 3
        rows[0] = 0
        later = backbone.advance(requests, 3, early)
        assert rows[0] * STEPS == full * 2
        rows[0] = 0
        ended = backbone.advance(requests, None, later)
        assert rows[0] * STEPS == full
    assert [(p.steps, p.finished) for p in ended] == [(STEPS, True)] * 3
    assert same(clips(ended), whole)
    assert not same(clips(early), whole)


@every
def test_batches_may_be_formed_anew(opened, family):
    backbone: Previewing = opened(family)
    requests = asked(family)
    whole = backbone.generate(requests)
    pair = backbone.advance(requests[:2], 2, [None, None])
    (single,) = backbone.advance(requests[2:], 2, [None])
    mixed = [requests[2], requests[0], requests[1]]
    with counted(backbone) as rows:
        ended = backbone.advance(mixed, None, [single, pair[0], None])
        mixed_rows, rows[0] = rows[0], 0
        backbone.generate(requests)
        # Two samples lack two steps of four, one all of them.
        assert mixed_rows * 3 == rows[0] * 2
    assert same(clips(ended), [whole[2], whole[0], whole[1]])


@pytest.mark.parametrize(
    "scheduler",
    [
        "EulerAncestralDiscreteScheduler",  # draws noise at every step
        "DPMSolverMultistepScheduler",  # remembers steps
        "UniPCMultistepScheduler",
        "HeunDiscreteScheduler",  # two evaluations a step
        "PNDMScheduler",
    ],
)
def test_schedulers_that_draw_or_remember_come_out_the_same(opened, scheduler):
    import diffusers

    backbone = opened("stable_diffusion")
    pipeline = backbone.pipeline
    before = pipeline.scheduler
    pipeline.scheduler = getattr(diffusers, scheduler).from_config(before.config)
    try:
        requests = asked("stable_diffusion")
        whole = backbone.generate(requests)
        previews = backbone.advance(requests, 3, [None] * 3)
        assert same(clips(backbone.advance(requests, None, previews)), whole)
        (alone,) = backbone.advance(requests[1:2], None, previews[1:2])
        assert same([alone.clip], whole[1:2])
    finally:
        pipeline.scheduler = before


def test_a_preview_is_what_the_lens_shows():
    subject = Subject("ember", Setup("equations", {"largest": 4}, items=1, steps=STEPS))
    request = subject.request(subject.problems[0])
    (seen,) = subject.run([request], [Read("x0")])
    shown = subject.lens(request, seen)
    preview = None
    for step in range(1, STEPS):
        (preview,) = subject.backbone.advance([request], step, [preview])
        assert same([preview.clip], [shown[step - 1]])


def test_a_preview_at_the_last_step_is_finished(opened):
    backbone = opened("stable_diffusion")
    requests = asked("stable_diffusion", 1)
    (preview,) = backbone.advance(requests, STEPS, [None])
    assert preview.finished
    assert same([preview.clip], backbone.generate(requests))
    with pytest.raises(PhospheneError, match="finished"):
        backbone.advance(requests, None, [preview])


@pytest.mark.parametrize(("to", "told"), [(0, "at least 1"), (9, "this run has 4")])
def test_steps_that_are_not_there_are_refused(opened, to, told):
    with pytest.raises(PhospheneError, match=told):
        opened("stable_diffusion").advance(asked("stable_diffusion", 2), to, [None, None])


def test_a_request_may_come_twice(opened):
    backbone = opened("stable_diffusion")
    request = asked("stable_diffusion", 1)[0]
    (preview,) = backbone.advance([request], 2, [None])
    twice = backbone.advance([request, request], None, [preview, None])
    assert same(clips(twice), backbone.generate([request, request]))


def test_later_steering_may_differ_from_the_previews(opened):
    backbone = opened("stable_diffusion")
    request = asked("stable_diffusion", 1)[0]
    (preview,) = backbone.advance([request], 2, [None])
    for step in (2, 3):
        steer = {"op": "renoise", "step": step, "b": 0.8, "seed": 5}
        steered = Request(**{**vars(request), "steering": (steer,)})
        (ended,) = backbone.advance([steered], None, [preview])
        assert same([ended.clip], backbone.generate([steered]))
        assert not same([ended.clip], backbone.generate([request]))


def test_final_latents_are_kept_through_playback_too(opened):
    backbone = opened("stable_diffusion")
    requests = asked("stable_diffusion", 2)
    with keeping_latents(backbone) as made:
        backbone.generate(requests)
    previews = backbone.advance(requests, 2, [None, None])
    with keeping_latents(backbone) as kept:
        backbone.advance(requests, None, previews)
    for request in requests:
        assert torch.allclose(made[request], kept[request], atol=1e-5)
        assert made[request].ndim == 3


def test_nothing_is_left_behind(opened):
    backbone = opened("stable_diffusion")
    unet = backbone.pipeline.unet
    before = sorted(vars(unet)), len(unet._forward_hooks), type(backbone.pipeline.scheduler).step
    backbone.advance(asked("stable_diffusion", 2), 2, [None, None])
    after = sorted(vars(unet)), len(unet._forward_hooks), type(backbone.pipeline.scheduler).step
    assert before == after


def test_a_pipeline_without_steps_is_refused(opened):
    backbone = opened("stable_diffusion")
    pipeline = backbone.pipeline
    scheduler = pipeline.scheduler
    pipeline.scheduler = None
    try:
        with pytest.raises(PhospheneError, match="no scheduler that steps"):
            backbone.advance(asked("stable_diffusion", 1), 2, [None])
    finally:
        pipeline.scheduler = scheduler


def test_a_tap_sees_what_is_played_back(opened):
    backbone = opened("stable_diffusion")
    requests = asked("stable_diffusion", 1)
    previews = backbone.advance(requests, 2, [None])
    with Tap(backbone.pipeline, [Read("x0")]) as live:
        backbone.generate(requests)
    with Tap(backbone.pipeline, [Read("x0")]) as played:
        backbone.advance(requests, None, previews)
    assert all(torch.equal(live.values[at], played.values[at]) for at in live.values)
