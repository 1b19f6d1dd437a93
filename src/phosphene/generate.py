"""Generate: the loop that turns requests into clips, and keeps them in a run directory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from phosphene import media
from phosphene.backbone import Backbone, BackboneSpec, open_backbone
from phosphene.batching import Batcher
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.progress import Event, EventKind, OnEvent
from phosphene.recipe import key
from phosphene.request import Request
from phosphene.run import Record, Run
from phosphene.store import Job, Keeper, adopt

Picture = str | Path | np.ndarray
BATCH = 8
_POLL = 0.2  # seconds between looks at what another process is making


def generate(
    prompt: str | Sequence[str],
    *,
    backbone: str | BackboneSpec | Backbone = "ember",
    count: int = 1,
    batch: int | None = None,
    out: str | Path | None = None,
    lossless: bool = False,
    progress: OnEvent | None = None,
    first_frame: Picture | None = None,
    last_frame: Picture | None = None,
    negative: str | None = None,
    size: tuple[int, int] | None = None,
    frames: int | None = None,
    fps: Fraction | str | float | None = None,
    duration: float | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    extra: Mapping[str, Any] | None = None,
) -> list[Clip]:
    """Generate `count` clips for each prompt.

        import phosphene
        clip, = phosphene.generate("3+4=", seed=7)
        phosphene.save(clip, "sum.mp4")

    Args:
        prompt: one prompt or several; clip i has index i, counted over all of them.
        backbone: a name, a directory, a hub id, a spec, or a backbone that is open already.
        count: clips for each prompt.
        batch: most samples to make at once; less where memory runs out. 8 if None.
        out: a run directory to keep the clips in. What is there already isn't made again but read
            from its file, which is exact only if it is lossless.
        lossless: keep exact frames and sound in `out`.
        progress: called with each `Event`; `phosphene.progress.shown` gives one.
        first_frame, last_frame: picture files, or uint8 `(h, w, 3)`.
        size: `(width, height)` in pixels.
        fps: frames a second, exact: `24`, `"24000/1001"` or a `Fraction`.
        (the rest): as in `Request`.

    Returns:
        The clips, in order.

    Raises:
        PhospheneError: the backbone can't honour a request (nothing has been loaded then), a sample
            failed, or the disk is full. With `out`, the other samples are made and kept first.
    """
    for name, value in (("count", count), ("batch", batch)):
        if value is not None and value < 1:
            raise PhospheneError(f"{name} must be at least 1; got {value}")
    asked = Request(
        negative=negative,
        first_frame=_picture(first_frame),
        last_frame=_picture(last_frame),
        width=None if size is None else size[0],
        height=None if size is None else size[1],
        frames=frames,
        fps=_exact(fps),
        duration=duration,
        steps=steps,
        guidance=guidance,
        seed=seed,
        extra=dict(extra or {}),
    )
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    each = [text for text in prompts for _ in range(count)]
    requests = [replace(asked, prompt=text, index=i) for i, text in enumerate(each)]
    opened = backbone if isinstance(backbone, Backbone) else open_backbone(backbone)
    if out is None:
        return _in_memory(
            opened, requests, BATCH if batch is None else batch, progress or (lambda event: None)
        )

    fresh: dict[int, Clip] = {}

    def on_event(event: Event) -> None:
        if event.index is not None and event.clip is not None:
            fresh[event.index] = event.clip
        if progress is not None:
            progress(event)

    records = generate_run(opened, requests, out, batch=batch, lossless=lossless, on_event=on_event)
    failed = [r for r in records if r.status == "failed"]
    if failed:
        raise PhospheneError(
            f"{len(failed)} of {len(records)} samples failed, the others are in {out}; number "
            f"{failed[0].index}: {failed[0].reason}"
        )
    root = Path(out).expanduser()
    return [
        fresh[i] if i in fresh else media.load(root / str(record.file))
        for i, record in enumerate(records)
    ]


def generate_run(
    backbone: Backbone,
    requests: Sequence[Request],
    out: str | Path,
    *,
    batch: int | None = None,
    lossless: bool = False,
    on_event: OnEvent | None = None,
) -> list[Record]:
    """Make every sample that the run directory `out` lacks, and keep each as soon as it is made.

    Any number of processes may work on one directory: each sample is made by one of them.

    Args:
        backbone: an open backbone; its weights load when the first sample is to be made.
        requests: what to make; a sample's address is its request, not its place in this list.
        out: the run directory.
        batch: most samples to make at once; less where memory runs out. 8 if None.
        lossless: keep exact frames and sound.
        on_event: called with each `Event`; those of finished samples come from another thread, as
            soon as their files are kept.

    Returns:
        One record for each request, in order: done, with its file, or failed, with the reason.

    Raises:
        PhospheneError: a request the backbone can't honour, before anything is loaded or written;
            weights that can't be loaded; a full disk. Finished samples are kept in every case.
    """
    for request in requests:
        backbone.check(request)
    fingerprint = backbone.fingerprint
    jobs = [Job(i, key(fingerprint, backbone.spec, r), r) for i, r in enumerate(requests)]
    run = Run.open(out, {"kind": "generate"})
    before = {job.key: run.record(job.key) for job in jobs}

    def settled(job: Job) -> bool:
        """Done, or failed since this command began: what failed earlier is tried again."""
        record = run.record(job.key)
        if record is None or record.status == "failed":
            return record is not before[job.key]
        return run.done(job.key) and not (lossless and Path(str(record.file)).suffix == ".mp4")

    todo = {job.key: job for job in jobs if not settled(job)}
    total = len({job.key for job in jobs})

    def tell(kind: EventKind, text: str, **about: Any) -> None:
        if on_event is not None:
            on_event(Event(kind, total - len(todo), total, text=text, **about))

    def report(job: Job, record: Record, clip: Clip | None) -> None:
        del todo[job.key]
        kind, text = _news(run, record, clip)
        tell(kind, text, index=job.index, record=record, clip=clip)

    batcher = Batcher(backbone, BATCH if batch is None else batch, tell)
    tell("planned", f"{len(todo)} to make, {total - len(todo)} there already")
    patience = True
    with Keeper(run, backbone, lossless, 2 * batcher.size, report) as keeper:
        while todo:
            waiting = list(todo.values())
            for group in batcher.groups([job.request for job in waiting]):
                mine = _take(run, [waiting[i] for i in group], settled, lossless)
                for i, made in batcher.make([job.request for job in mine]):
                    keeper.put(mine[i], made)
            keeper.finish()
            run.refresh()
            for job in list(todo.values()):
                if (record := run.record(job.key)) is not None and settled(job):
                    report(job, record, None)
            if todo and patience:
                tell("note", f"waiting for {len(todo)} samples that another process is making")
                patience = False
            if todo:
                time.sleep(_POLL)
    return [
        record.model_copy(update={"index": job.index})
        for job in jobs
        if (record := run.record(job.key)) is not None
    ]


def _take(run: Run, jobs: list[Job], settled: Callable[[Job], bool], lossless: bool) -> list[Job]:
    """Claim those of `jobs` that no other process is making or has made."""
    claimed = [job for job in jobs if run.claim(job.key)]
    run.refresh()
    mine = []
    for job in claimed:
        if settled(job) or adopt(run, job, lossless) is not None:
            run.release(job.key)
        else:
            mine.append(job)
    return mine


def _news(run: Run, record: Record, clip: Clip | None) -> tuple[EventKind, str]:
    if record.status == "failed":
        return "failed", f"sample {record.index} failed: {record.reason}"
    seconds = record.recipe.get("seconds", 0.0)
    if clip is None:
        return "found", f"{run.path(record)} is there already"
    return "made", f"{run.path(record)} in {seconds:.2f} s"


def _in_memory(
    backbone: Backbone, requests: list[Request], batch: int, progress: OnEvent
) -> list[Clip]:
    """Make all of `requests` and keep nothing; the first failure ends it."""
    for request in requests:
        backbone.check(request)
    clips: dict[int, Clip] = {}

    def tell(kind: EventKind, text: str, **about: Any) -> None:
        progress(Event(kind, len(clips), len(requests), text=text, **about))

    tell("planned", f"{len(requests)} to make")
    batcher = Batcher(backbone, batch, tell)
    for group in batcher.groups(requests):
        for place, made in batcher.make([requests[i] for i in group]):
            i = group[place]
            if made.clip is None:
                raise PhospheneError(f"sample {i} failed: {made.reason}")
            clips[i] = made.clip
            tell("made", f"sample {i} in {made.seconds:.2f} s", index=i, clip=made.clip)
    return [clips[i] for i in range(len(requests))]


def _picture(picture: Picture | None) -> np.ndarray | None:
    return media.load_image(picture) if isinstance(picture, (str, Path)) else picture


def _exact(fps: Fraction | str | float | None) -> Fraction | None:
    if isinstance(fps, float) and not fps.is_integer():
        near = Fraction(round(fps * 1001 / 1000) * 1000, 1001)
        raise PhospheneError(f'fps {fps} is not exact; give a fraction as text, e.g. "{near}"')
    try:
        return None if fps is None else Fraction(fps)
    except (ValueError, ZeroDivisionError) as error:
        raise PhospheneError(f'fps {fps!r} is no number; give e.g. 24 or "24000/1001"') from error


class _Callable(ModuleType):
    """Python binds a package's attribute to the submodule of that name as soon as anyone imports
    it; so that `phosphene.generate(...)` works before and after, the module can be called too."""

    __call__ = staticmethod(generate)


sys.modules[__name__].__class__ = _Callable
