"""Store: a sample's file is written and read back, and only then recorded as done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from phosphene import media
from phosphene.backbone import Backbone
from phosphene.batching import Made
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.recipe import Recipe, write
from phosphene.request import Request
from phosphene.run import Record, Run, disk_error, file_digest

LOSSLESS = (".mkv", ".png", ".wav")


@dataclass(frozen=True)
class Job:
    """One sample to make: its place in the run, its address (`recipe.key`), what is asked."""

    index: int
    key: str
    request: Request


class Keeper:
    """Keeps samples in a run, in one thread of its own, while the next batch is being made.

    Use it in a `with` block; leaving it finishes what has been put in.

    Args:
        run: where; the samples put in are claimed by this process.
        backbone: what makes them.
        lossless: keep exact frames and sound.
        most_waiting: samples held in memory for writing; `put` waits beyond that.
        on_kept: called in the keeping thread with each sample once it is recorded.
    """

    def __init__(
        self,
        run: Run,
        backbone: Backbone,
        lossless: bool,
        most_waiting: int,
        on_kept: Callable[[Job, Record, Clip | None], None],
    ) -> None:
        self._run = run
        self._fingerprint = backbone.fingerprint
        self._spec = backbone.spec
        self._lossless = lossless
        self._most_waiting = most_waiting
        self._on_kept = on_kept
        self._waiting: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1, "phosphene-keep")

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.shutdown(wait=True)
        self._run.release_all()

    def put(self, job: Job, made: Made) -> None:
        """Take in a sample; its claim ends when it is recorded.

        Raises:
            DiskError: an earlier sample could not be written, the disk is full or failing.
        """
        self._waiting.append(self._thread.submit(self._keep, job, made))
        self._wait(self._most_waiting)

    def finish(self) -> None:
        """Wait until everything put in is recorded; raises as `put` does."""
        self._wait(0)

    def _wait(self, most: int) -> None:
        while self._waiting and (len(self._waiting) > most or self._waiting[0].done()):
            self._waiting.popleft().result()

    def _keep(self, job: Job, made: Made) -> None:
        recipe = write(
            self._fingerprint, self._spec, job.request, made.clip, made.seconds, made.batch
        )
        if made.clip is None:
            record = failure(job, recipe, made.reason)
        else:
            record = _written(self._run, job, made.clip, recipe, self._lossless)
        self._run.append(record)
        self._run.release(job.key)
        self._on_kept(job, record, made.clip)


def failure(job: Job, recipe: Recipe, reason: str) -> Record:
    """The record of a sample that could not be made."""
    account = recipe.without_pictures().model_dump(mode="json")
    return Record(key=job.key, status="failed", index=job.index, reason=reason, recipe=account)


def adopt(run: Run, job: Job, lossless: bool) -> Record | None:
    """Record a sample whose file is in place and whole though its record is not.

    That happens when a process dies between the two, or when `records.jsonl` is damaged. Call it
    with the sample claimed.
    """
    for suffix in LOSSLESS if lossless else (*LOSSLESS, ".mp4"):
        path = run.media_path(job.key, job.index, suffix)
        if not path.exists():
            continue
        try:
            recipe = Recipe.read(media.read_recipe(path), str(path))
            media.load(path)
        except PhospheneError:
            continue
        if recipe.key == job.key:
            record = _done(run, path, recipe, job.index)
            run.append(record)
            return record
    return None


def _written(run: Run, job: Job, clip: Clip, recipe: Recipe, lossless: bool) -> Record:
    path = run.media_path(job.key, job.index, media.suffix_for(clip, lossless))
    # Leftovers of a process that died writing this very sample; it is ours alone now.
    for partial in path.parent.glob(f"{path.name}.*.partial"):
        partial.unlink(missing_ok=True)
    try:
        media.save(clip, path, recipe=recipe.model_dump(mode="json"))
    except PhospheneError as error:
        if (refusal := _refusal_of_disk(error)) is not None:
            raise disk_error(refusal, path) from error
        return failure(job, recipe, str(error))
    return _done(run, path, recipe, job.index)


def _refusal_of_disk(error: BaseException) -> OSError | None:
    """The disk's own error behind `error`; an encoder's may be an OSError too, but is no reason to
    stop the run."""
    from av.error import FFmpegError

    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, OSError) and not isinstance(cause, FFmpegError):
            return cause
        cause = cause.__cause__
    return None


def _done(run: Run, path: Path, recipe: Recipe, index: int) -> Record:
    return Record(
        key=recipe.key,
        status="done",
        index=index,
        file=path.relative_to(run.root).as_posix(),
        sha256=file_digest(path),
        recipe=recipe.without_pictures().model_dump(mode="json"),
    )
