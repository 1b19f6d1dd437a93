"""Evaluate: a suite is dealt to a backbone; what it makes is kept, read and judged.

A bench run is a run directory (`phosphene.run`) with the files of `phosphene.ledger` beside it.
"""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from phosphene import __version__
from phosphene.backbone import Backbone, BackboneSpec, open_backbone
from phosphene.errors import PhospheneError
from phosphene.generate import generate_run
from phosphene.ledger import begin, note_plan
from phosphene.outcome import Bench
from phosphene.player import Baseline, Folder, Function, baselines
from phosphene.progress import OnEvent
from phosphene.recipe import key as sample_key
from phosphene.request import Request
from phosphene.run import Run
from phosphene.scoring import score
from phosphene.stage import letterbox
from phosphene.suite import Item, Suite, load_suite
from phosphene.task import Canvas, Problem, Task


@dataclass(frozen=True)
class Settings:
    """How a suite is put to a backbone.

    Args:
        samples: clips of each item; sample k has the same seed for every backbone.
        size: `(width, height)` in pixels; what the backbone makes by default if None. Oblong
            pictures hold the square problem in their middle.
        frames, fps: of the clips; the backbone's own, else the suite's, if None.
        steps, guidance, extra: as in `Request`.
        limit: only the first so many items of each cell.
        shard: `(i, n)`: only every n-th item, from the i-th, i in 1..n.
        batch: most samples to make at once.
        first_frames: show the first frame to backbones that take one; otherwise, and for those
            that don't, the prompt describes it.
    """

    samples: int = 1
    size: tuple[int, int] | None = None
    frames: int | None = None
    fps: Fraction | None = None
    steps: int | None = None
    guidance: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    shard: tuple[int, int] = (1, 1)
    batch: int | None = None
    first_frames: bool = True

    def __post_init__(self) -> None:
        for name in ("samples", "limit", "batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise PhospheneError(f"{name} must be at least 1; got {value}")
        if self.size is not None and min(self.size) < 32:
            raise PhospheneError(f"size must be at least 32x32; got {self.size}")
        i, n = self.shard
        if not 1 <= i <= n:
            raise PhospheneError(f"shard must be I/N with 1 <= I <= N; got {i}/{n}")


@dataclass(frozen=True)
class Asked:
    """One sample of one item: what is asked, and of which problem."""

    item: Item
    sample: int
    task: Task
    problem: Problem
    wording: int
    request: Request


def bench(
    suite: str | Path | Suite,
    backbone: str | BackboneSpec | Backbone | Callable[[Request], Any] = "ember",
    out: str | Path | None = None,
    settings: Settings = Settings(),
    *,
    from_folder: str | Path | None = None,
    on_event: OnEvent | None = None,
) -> Bench:
    """Deal a suite, make what is missing, judge what has not been judged.

        import phosphene
        found = phosphene.bench("quick", "ember", "runs/quick-ember")

    The same call again finishes what was interrupted and repeats nothing. Any number of processes
    may work on one directory.

    Args:
        suite: a name of `phosphene ls suites`, a YAML file, or a `Suite`.
        backbone: a backbone's name, directory or hub id; `baseline:NAME`; an open backbone; any
            callable that takes a `Request` and returns a clip, frames, a picture or a path; or
            such a callable's name, `MODULE:FUNCTION`.
        out: the run directory; `runs/SUITE-BACKBONE` if None.
        settings: samples, sizes, shards.
        from_folder: judge clips that lie in this folder instead (`phosphene.player.Folder`).
        on_event: called with each `Event`.

    Returns:
        Everything that has been judged, the work of other processes included.

    Raises:
        PhospheneError: an unknown suite or backbone, settings it can't honour, or a directory that
            holds another run. Samples that fail are recorded and count as failures.
    """
    dealt = suite if isinstance(suite, Suite) else load_suite(suite)
    opened = player_of(backbone, dealt, settings, from_folder)
    canvas, pad = canvas_of(opened, dealt, settings)
    asked = list(questions(opened, dealt, settings, canvas, pad))
    name = opened.id.removeprefix("baseline:").replace("/", "-").replace(" ", "-")
    root = Path(out or Path("runs") / f"{dealt.name}-{name.strip('.-') or 'run'}").expanduser()
    for one in asked:
        opened.check(one.request)
    Run.open(root, {"kind": "generate"})
    begin(root, _about(dealt, opened, canvas, pad, settings))
    fingerprint = opened.fingerprint
    note_plan(root, (_row(one, opened.spec, fingerprint) for one in asked))
    generate_run(
        opened,
        [one.request for one in asked],
        root,
        batch=settings.batch,
        lossless=True,
        on_event=on_event,
    )
    return score(root, on_event=on_event, only={(a.item.id, a.sample) for a in asked})


def player_of(
    backbone: Any, suite: Suite, settings: Settings, from_folder: str | Path | None
) -> Backbone:
    """Whoever plays: see `bench`."""
    if from_folder is not None:
        names = {item.seed: item.id for item in suite.items()}
        return Folder(Path(from_folder).expanduser(), names)
    name = backbone.id if isinstance(backbone, BackboneSpec) else backbone
    if isinstance(name, str) and name.startswith("baseline:"):
        baselines.get(name.removeprefix("baseline:"))
        canvas = replace(
            suite.canvas,
            size=min(settings.size) if settings.size else suite.canvas.size,
            frames=settings.frames or suite.canvas.frames,
        )
        known = {i.seed: (t, p) for i in suite.items() for t, p in [i.deal()]}
        return Baseline(name.removeprefix("baseline:"), known, canvas)
    if isinstance(name, str) and re.fullmatch(r"[\w.]+:[\w.]+", name):
        return Function(_imported(name), name)
    if isinstance(backbone, Backbone):
        return backbone
    if callable(backbone):
        return Function(backbone)
    return open_backbone(backbone)


def _imported(name: str) -> Callable[[Request], Any]:
    """The callable called `MODULE:NAME`; modules in the working directory are found too."""
    module, _, attribute = name.partition(":")
    sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PhospheneError(
            f"backbone {name!r}: {error}; give MODULE:FUNCTION that Python can import"
        ) from error
    finally:
        sys.path.remove("")
    if not callable(found):
        raise PhospheneError(f"backbone {name!r} is not callable; give a function of a Request")
    return found


def canvas_of(
    backbone: Backbone, suite: Suite, settings: Settings
) -> tuple[Canvas, tuple[int, int] | None]:
    """What problems are drawn on, and the oblong picture around them where there is one."""
    can = backbone.capabilities.defaults
    size, pad = settings.size, None
    if size is None and can.get("width") and can.get("height"):
        side = min(can["width"], can["height"])
        size = (side, side)
    if size is not None and size[0] != size[1]:
        pad = size
    fps = settings.fps or can.get("fps") or suite.canvas.fps
    canvas = replace(
        suite.canvas,
        size=min(size) if size else suite.canvas.size,
        frames=settings.frames or can.get("frames") or suite.canvas.frames,
        fps=int(fps) if Fraction(fps).denominator == 1 else Fraction(fps),
    )
    return canvas, pad


def questions(
    backbone: Backbone,
    suite: Suite,
    settings: Settings,
    canvas: Canvas,
    pad: tuple[int, int] | None,
) -> Iterator[Asked]:
    takes = backbone.capabilities.accepts
    shown = settings.first_frames and "first_frame" in takes
    if "first_frame" in backbone.capabilities.requires and not settings.first_frames:
        raise PhospheneError(f"backbone {backbone.id!r} can't do without a first frame")
    width, height = pad or (canvas.size, canvas.size)
    wanted: dict[str, Any] = {"width": width, "height": height}
    wanted |= {"frames": canvas.frames, "fps": Fraction(canvas.fps)}
    wanted = {k: v for k, v in wanted.items() if k in takes}
    noted = backbone.noted if isinstance(backbone, Folder) else lambda seed, sample: {}
    i, n = settings.shard
    for place, item in enumerate(suite.items()):
        if place % n != i - 1 or (settings.limit is not None and item.number >= settings.limit):
            continue
        task, problem = item.deal()
        first = task.first_frame(problem, canvas) if shown else None
        if first is not None and pad is not None:
            first = letterbox(first, *pad)
        for k in range(settings.samples):
            wording = (item.number + k) % len(problem.prompts)
            prompt = problem.prompts[wording]
            request = Request(
                prompt=prompt if shown else f"{problem.caption}; {prompt}",
                first_frame=first,
                steps=settings.steps,
                guidance=settings.guidance,
                extra={**settings.extra, **noted(item.seed, k)},
                seed=item.seed,
                index=k,
                **wanted,
            )
            yield Asked(item, k, task, problem, wording, request)


def _about(
    suite: Suite,
    backbone: Backbone,
    canvas: Canvas,
    pad: tuple[int, int] | None,
    settings: Settings,
) -> dict[str, Any]:
    """What bench.json says."""
    return {
        "schema": 1,
        "phosphene": __version__,
        "suite": {
            "name": suite.name,
            "version": suite.version,
            "digest": suite.digest,
            "cells": [asdict(cell) for cell in suite.cells()],
        },
        "backbone": backbone.id,
        "spec": asdict(backbone.spec),
        "fingerprint": backbone.fingerprint,
        "canvas": {**asdict(canvas), "fps": str(canvas.fps)},
        "pad": pad,
        "settings": {
            "steps": settings.steps,
            "guidance": settings.guidance,
            "extra": dict(settings.extra),
            "first_frames": settings.first_frames,
        },
        "command": shlex.join(["phosphene", *sys.argv[1:]]) if sys.argv[1:] else "phosphene.bench",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "certificates": {},
    }


def _row(one: Asked, spec: BackboneSpec, fingerprint: str) -> dict[str, Any]:
    """What plan.jsonl says of a sample."""
    cell = one.item.cell
    return {
        "item": one.item.id,
        "sample": one.sample,
        "key": sample_key(fingerprint, spec, one.request),
        "cell": cell.id,
        "task": cell.task,
        "fields": dict(cell.fields),
        "level": cell.level,
        "split": cell.split,
        "problem_seed": one.item.problem_seed,
        "wording": one.wording,
        "prompt": one.request.prompt,
    }
