"""Subject: a generator that is put to problems of one task, opened so that it can be read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import torch

from phosphene.backbone import Backbone, BackboneSpec, open_backbone
from phosphene.backbones.diffusers import DiffusersBackbone
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.request import Request
from phosphene.stage import letterbox, unbox
from phosphene.suite import make_task
from phosphene.tap import Address, Edit, Read, Tap
from phosphene.tap.clock import Scattered
from phosphene.tap.replay import replaying
from phosphene.task import Canvas, Problem, Split, Task
from phosphene.trace import Reading

_log = logging.getLogger("phosphene")


@dataclass(frozen=True)
class Setup:
    """How problems are put to a subject: values only.

    Args:
        task: the task's name.
        fields: its fields.
        items: how many problems.
        split: of the problems.
        first_seed: of the problems; item i is dealt from `first_seed + i`.
        size, frames, steps, guidance: as in `phosphene bench`; the backbone's own if None.
        batch: most samples in one call.
        extra: further arguments of the backbone's own call.
    """

    task: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    items: int = 32
    split: Split = "train"
    first_seed: int = 1_000_000
    size: int | None = None
    frames: int | None = None
    steps: int | None = None
    guidance: float | None = None
    batch: int = 8
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("items", "batch"):
            if getattr(self, name) < 1:
                raise PhospheneError(f"{name} must be at least 1; got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class Observation:
    """One sample, and what was read while it was made.

    Args:
        clip: the sample.
        values: address -> what was kept, without the samples' axis.
        levels: step -> (timestep, noise level).
    """

    clip: Clip
    values: Mapping[Address, torch.Tensor]
    levels: Mapping[int, tuple[float, float | None]]


class Subject:
    """A backbone, opened for reading, before problems of one task.

    Args:
        backbone: a name, a directory, a hub id, a spec, or an open diffusers backbone.
        setup: the task and how it is put.
        task: the task itself, if it is none of the registered ones; the setup then gives its name
            and fields for the record.

    Raises:
        PhospheneError: a backbone without a diffusers pipeline, or one that draws no pictures.
    """

    def __init__(
        self, backbone: str | BackboneSpec | Backbone, setup: Setup, task: Task | None = None
    ) -> None:
        opened = backbone if isinstance(backbone, Backbone) else open_backbone(backbone)
        if not isinstance(opened, DiffusersBackbone):
            raise PhospheneError(
                f"backbone {opened.id!r} can't be probed: it is no diffusers pipeline"
            )
        if not opened.capabilities.produces & {"image", "video"}:
            raise PhospheneError(f"backbone {opened.id!r} draws no pictures; no task can be read")
        self.backbone = opened
        self.setup = setup
        self._own_task = task
        self.task: Task = task or make_task(setup.task, setup.fields)
        can = opened.capabilities.defaults
        base = Canvas()
        self.width = setup.size or can.get("width") or base.size
        self.height = setup.size or can.get("height") or base.size
        still = opened.capabilities.produces == {"image"}
        fps = can.get("fps") or base.fps
        self.canvas = Canvas(
            size=min(self.width, self.height),
            frames=1 if still else setup.frames or can.get("frames") or base.frames,
            fps=int(fps) if Fraction(fps).denominator == 1 else Fraction(fps),
        )
        self._batch = setup.batch
        self._warm: set[tuple] = set()

    @cached_property
    def pipeline(self) -> Any:
        """The loaded pipeline, silent."""
        pipeline = self.backbone.pipeline
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    @property
    def about(self) -> dict[str, Any]:
        """What identifies this subject, JSON-able: part of a notebook's signature."""
        setup = {k: v for k, v in vars(self.setup).items() if k != "batch"}
        setup |= {"fields": dict(self.setup.fields), "extra": dict(self.setup.extra)}
        return {
            "backbone": self.backbone.id,
            "fingerprint": self.backbone.fingerprint,
            "setup": setup,
        }

    @cached_property
    def problems(self) -> list[Problem]:
        """The items, in order."""
        first = self.setup.first_seed
        return [self.task.sample(first + i, self.setup.split) for i in range(self.setup.items)]

    def request(self, problem: Problem, sample: int = 0, noise: int | None = None) -> Request:
        """What is asked for a problem.

        Args:
            sample: number of the sample; another one has other noise.
            noise: the seed of the noise; the problem's own if None. Two problems with the same
                noise and sample differ in what is asked alone.
        """
        takes = self.backbone.capabilities.accepts
        wanted: dict[str, Any] = {"width": self.width, "height": self.height}
        wanted |= {"frames": self.canvas.frames, "fps": Fraction(self.canvas.fps)}
        shown = "first_frame" in takes
        first = self.first_frame(problem) if shown else None
        prompt = problem.prompts[0] if shown else f"{problem.caption}; {problem.prompts[0]}"
        return Request(
            prompt=prompt if "prompt" in takes else "",
            first_frame=first,
            steps=self.setup.steps,
            guidance=self.setup.guidance,
            extra=self.setup.extra,
            seed=problem.seed if noise is None else noise,
            index=sample,
            **{k: v for k, v in wanted.items() if k in takes},
        )

    def first_frame(self, problem: Problem) -> np.ndarray:
        """The problem's picture, on a stage of the backbone's shape."""
        picture = self.task.first_frame(problem, self.canvas)
        return letterbox(picture, self.width, self.height)

    def run(
        self, requests: Sequence[Request], reads: Sequence[Read] = (), edits: Sequence[Edit] = ()
    ) -> list[Observation]:
        """Make samples under a tap, in batches where the pipeline allows it.

        An edit's function is handed whole batches; `Edit.change` that must know which samples it
        has before it should be given batches of one (`batch=1` in the setup) or be made for the
        requests at hand, which then must not exceed `batch`.

        Raises:
            PhospheneError: a request that can't be honoured, a tap that finds nothing to read, or,
                at the first batch, a sample that is another one when it is read.
        """
        out: list[Observation] = []
        place = 0
        while place < len(requests):
            part = requests[place : place + self._batch]
            made = self._together(part, reads, edits)
            if made is None:
                _log.info("%s is read one sample at a time", self.backbone.id)
                self._batch = 1
                continue
            out += made
            place += len(part)
        return out

    @property
    def batch(self) -> int:
        """Most samples that one call makes; 1 once the pipeline has shown that it takes no more."""
        return self._batch

    def _together(
        self, part: Sequence[Request], reads: Sequence[Read], edits: Sequence[Edit]
    ) -> list[Observation] | None:
        """One tapped call for a batch; None where the pipeline makes several of it."""
        bare, kind = None, _kind(part)
        if kind not in self._warm:
            # The adapter tries out how to batch; and what is read is compared with this.
            bare = self.backbone.generate(part)
        try:
            with Tap(self.pipeline, reads, edits, runs=len(part)) as tap:
                clips = self.backbone.generate(part) if self._one_call(part) else None
        except Scattered:
            if len(part) > 1:
                return None
            raise
        if clips is None or tap.calls != 1:
            if len(part) > 1:
                return None
            raise PhospheneError(
                f"{self.backbone.id} calls its pipeline {tap.calls} times for one sample"
            )
        if bare is not None:
            self._warm.add(kind)
            if not edits and any(a.digest != b.digest for a, b in zip(bare, clips, strict=True)):
                raise PhospheneError(
                    f"{self.backbone.id} draws something else when it is read; probe it on one "
                    f"device, uncompiled and with deterministic kernels"
                )
        return [
            Observation(clip, {at: v[i] for at, v in tap.values.items()}, dict(tap.levels))
            for i, clip in enumerate(clips)
        ]

    def _one_call(self, part: Sequence[Request]) -> bool:
        """Does the adapter make this batch in one call of the pipeline?"""
        return len(part) == 1 or len({self.backbone.like(r) for r in part}) == 1

    def decode(
        self, requests: Sequence[Request], latents: Mapping[int, torch.Tensor]
    ) -> list[Clip]:
        """Latents as clips, through the pipeline's own decoder.

        Args:
            requests: one for each latent; they settle what else goes into decoding.
            latents: stream -> `(len(requests), ...)`, as read at `x0`, `x_t` or `prediction`.
        """
        out: list[Clip] = []
        for start in range(0, len(requests), self._batch):
            part = requests[start : start + self._batch]
            here = {k: v[start : start + self._batch] for k, v in latents.items()}
            with replaying(self.pipeline, here):
                out += self.backbone.generate(part)
        return out

    def lens(self, request: Request, observation: Observation) -> list[Clip]:
        """What the sample looked like to the denoiser after each step: predicted x0, decoded.

        Args:
            observation: made with a `Read("x0")`.
        """
        steps = sorted({at.step for at in observation.values if at.site == "x0"})
        if not steps:
            raise PhospheneError("the lens needs a run that was read at x0: add Read('x0')")
        streams = sorted({at.stream for at in observation.values if at.site == "x0"})
        latents = {
            s: torch.stack([observation.values[Address(t, "guided", -1, "x0", s)] for t in steps])
            for s in streams
        }
        return self.decode([request] * len(steps), latents)

    def read(self, problem: Problem, clip: Clip) -> Reading:
        """What the clip's last frame shows, by the task's own reader."""
        trace = self.task.decode(problem, self.square(clip), every=False, canvas=self.canvas)
        if trace.unreadable:
            return Reading(unreadable=trace.unreadable)
        return trace.readings[max(trace.readings)]

    def right(self, problem: Problem, clip: Clip) -> bool:
        """Whether the answer in the clip's last frame is right."""
        answer = self.read(problem, clip).answer
        return answer is not None and self.task.right(problem, answer)

    def square(self, clip: Clip) -> Clip:
        """The part of a clip that holds the problem."""
        return unbox(clip, self.width, self.height)

    def square_picture(self, picture: np.ndarray) -> np.ndarray:
        """The same part of a single picture."""
        frames = self.square(Clip(picture[None])).frames
        assert frames is not None
        return frames[0]

    def with_setup(self, **changes: Any) -> Subject:
        """The same open backbone before other problems."""
        return Subject(self.backbone, replace(self.setup, **changes), self._own_task)


def _kind(part: Sequence[Request]) -> tuple:
    """What the adapter tells batches apart by: are prompts and pictures alike?"""
    prompts = {(r.prompt, r.negative) for r in part}
    pictures = {None if r.first_frame is None else r.first_frame.tobytes() for r in part}
    return len(part), len(prompts) == 1, len(pictures) == 1, None in pictures
