"""Emergence: one suite put to every checkpoint of a backbone, over its training and its sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from phosphene.backbone import BackboneSpec
from phosphene.checkpoints import Checkpoint, checkpoints
from phosphene.evaluate import Settings, bench
from phosphene.outcome import Bench
from phosphene.progress import OnEvent
from phosphene.suite import load_suite


@dataclass(frozen=True)
class Stage:
    """What one checkpoint made of the suite."""

    checkpoint: Checkpoint
    bench: Bench


def emergence(
    suite: str | Path,
    spec: BackboneSpec,
    out: str | Path | None = None,
    settings: Settings = Settings(),
    *,
    on_event: OnEvent | None = None,
    on_checkpoint: Callable[[Checkpoint], None] = lambda checkpoint: None,
) -> tuple[Path, list[Stage]]:
    """Put a suite to all checkpoints, each in a run directory of its own, `out/NAME`.

    The same call again finishes what was interrupted and repeats nothing.

    Args:
        suite: as in `phosphene.bench`.
        spec: how to load the backbone, `ember` or the directory of a training run.
        out: directory of the runs; `runs/SUITE-BACKBONE-checkpoints` if None.
        settings: samples, sizes, shards; the same for all.
        on_event: called with each `Event`.
        on_checkpoint: called with each checkpoint before its turn.

    Returns:
        The directory, and what each checkpoint made: the smallest model first, and of one size
        the youngest.

    Raises:
        PhospheneError: the backbone has no checkpoints, and as `phosphene.bench`.
    """
    found = checkpoints(spec.id)
    dealt = load_suite(suite)
    root = Path(out or Path("runs") / f"{dealt.name}-{Path(spec.id).name}-checkpoints")
    stages = []
    for checkpoint in found:
        on_checkpoint(checkpoint)
        ours = replace(spec, id=checkpoint.backbone)
        run = root.expanduser() / checkpoint.name
        stages.append(Stage(checkpoint, bench(dealt, ours, run, settings, on_event=on_event)))
    return root.expanduser(), stages
