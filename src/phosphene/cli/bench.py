"""`phosphene bench`: put a suite to a backbone and judge what it makes."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from phosphene.cli.compliance import SUITE, bench_compliance
from phosphene.cli.console import say, say_json, say_table
from phosphene.cli.loading import Loading
from phosphene.cli.values import parse_fps, parse_size
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.backbone import BackboneSpec
    from phosphene.checkpoints import Checkpoint
    from phosphene.evaluate import Settings
    from phosphene.outcome import Bench

_ASK = Parameter(group=Group("What to ask", sort_key=1))


@dataclass(frozen=True)
class BenchOptions(Loading):
    """Flags of `phosphene bench` that settle how a suite is put to a backbone.

    Args:
        backbone: a name, a directory, a hub id; MODULE:FUNCTION, any Python callable; or
            baseline:NAME (static, random, oracle, noisy_oracle, solver); ember if not given.
        samples: clips of each item.
        size: picture size in pixels, WIDTHxHEIGHT; oblong ones hold the problem in their middle.
        frames: number of frames.
        fps: frames a second: 24, 23.976 or 24000/1001.
        steps: denoising steps.
        guidance: classifier-free guidance scale.
        limit: only the first so many items of each cell.
        shard: I/N, only every N-th item from the I-th; shards may share one directory.
        batch: samples computed together, at most.
        words_only: describe the first frame in words instead of showing it.
        checkpoint: a checkpoint of Ember or of a training run's directory, by its name, or all of
            them: then the page emergence.html shows how the skills came.
    """

    backbone: Annotated[str | None, _ASK] = None
    samples: Annotated[int, _ASK] = 1
    size: Annotated[str | None, _ASK] = None
    frames: Annotated[int | None, _ASK] = None
    fps: Annotated[str | None, _ASK] = None
    steps: Annotated[int | None, _ASK] = None
    guidance: Annotated[float | None, _ASK] = None
    limit: Annotated[int | None, _ASK] = None
    shard: Annotated[str, _ASK] = "1/1"
    batch: Annotated[int | None, _ASK] = None
    words_only: Annotated[bool, _ASK] = False
    checkpoint: Annotated[str | None, _ASK] = None

    def settings(self, extra: dict[str, Any]) -> Settings:
        """How the suite is put."""
        from phosphene.evaluate import Settings

        return Settings(
            samples=self.samples,
            size=None if self.size is None else parse_size(self.size),
            frames=self.frames,
            fps=None if self.fps is None else parse_fps(self.fps),
            steps=self.steps,
            guidance=self.guidance,
            extra=extra,
            limit=self.limit,
            shard=_shard(self.shard),
            batch=self.batch,
            first_frames=not self.words_only,
        )


def _shard(text: str) -> tuple[int, int]:
    i, slash, n = text.partition("/")
    if not slash or not i.isdecimal() or not n.isdecimal():
        raise PhospheneError(f"--shard takes I/N, e.g. 2/8; got {text!r}")
    return int(i), int(n)


def bench(
    suite: str,
    /,
    *,
    from_folder: Path | None = None,
    out: Path | None = None,
    options: Annotated[BenchOptions, Parameter(name="*")] = BenchOptions(),
    changes: Annotated[tuple[str, ...], _ASK, Parameter(name="--set")] = (),
    settings: Annotated[tuple[str, ...], _ASK, Parameter(name="--with")] = (),
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Put a suite of problems to a backbone, judge every clip, and say how it did.

    An interrupted command goes on where it stopped when it is given again.

    Args:
        suite: a name of `phosphene ls suites`, or a YAML file; compliance, which also asks language
            models and servers: does the model act on what it is told of its situation?
        from_folder: judge clips recorded in this directory instead; see `phosphene export`.
        out: run directory; runs/SUITE-BACKBONE if not given.
        changes: KEY=VALUE, a further argument of the backbone's own call; may be repeated.
        settings: KEY=VALUE, a setting of the compliance suite, e.g. scratchpad=without, judge=ID or
            conditions=FILE.yaml; may be repeated.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.checkpoints import checkpoint
    from phosphene.config import assignments
    from phosphene.evaluate import bench as evaluate
    from phosphene.progress import shown

    if suite == SUITE and from_folder is None:
        return bench_compliance(options, settings, changes, out, quiet, json)
    if settings:
        raise PhospheneError(f"--with is for the compliance suite; {suite} has no settings")
    asked, spec = options.settings(assignments(changes)), options.spec()
    if options.checkpoint is not None and from_folder is not None:
        raise PhospheneError("--checkpoint and --from-folder exclude each other; give one of them")
    if options.checkpoint == "all":
        return _bench_all(suite, spec, out, asked, quiet, json)
    if options.checkpoint is not None:
        spec = replace(spec, id=checkpoint(spec.id, options.checkpoint).backbone)
    with redirect_stdout(sys.stderr), shown(quiet) as on_event:
        found = evaluate(
            suite,
            spec,
            out,
            asked,
            from_folder=from_folder,
            on_event=on_event,
        )
    return tell(found, json)


def _bench_all(
    suite: str, spec: BackboneSpec, out: Path | None, settings: Settings, quiet: bool, json: bool
) -> int:
    """All checkpoints, one after another; returns the exit status."""
    from phosphene.emergence import emergence
    from phosphene.progress import shown
    from phosphene.report.emergence import rows, write_emergence

    def tell_of(found: Checkpoint) -> None:
        if not quiet:
            sys.stderr.write(f"{found.name}: {found.weights:,} weights, {found.examples:,} seen\n")

    with redirect_stdout(sys.stderr), shown(quiet) as on_event:
        root, stages = emergence(
            suite, spec, out, settings, on_event=on_event, on_checkpoint=tell_of
        )
        page = write_emergence(stages, root / "emergence.html")
    table = rows(stages)
    if json:
        say_json({"run": root, "page": page, "rows": table})
    else:
        say_table([("checkpoint", "cell", "passed", "95 % interval", "random"), *map(_line, table)])
        say(f"{page}")
    return int(any(r.file is None for s in stages for r in s.bench.results))


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    chance = "–" if row["random"] is None else f"{row['random']:.0%}"
    return (
        row["checkpoint"],
        row["cell"],
        f"{row['passed']:.0%} of {row['n']}",
        f"{row['low']:.0%}..{row['high']:.0%}",
        chance,
    )


def score(run: Path, /, *, again: bool = False, quiet: bool = False, json: bool = False) -> int:
    """Judge the clips of a bench run that the present scorers have not judged; make none.

    Args:
        run: a run directory of `phosphene bench`.
        again: judge all of them anew.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.progress import shown
    from phosphene.scoring import score as judge

    with redirect_stdout(sys.stderr), shown(quiet) as on_event:
        found = judge(run, again=again, on_event=on_event)
    return tell(found, json)


def tell(found: Bench, json: bool) -> int:
    """Say how each cell did; returns the exit status, 1 where samples could not be made."""
    from phosphene.statistics import wilson

    lost = sum(r.file is None for r in found.results)
    rows = []
    for cell in found.suite["cells"]:
        here = [r for r in found.results if r.cell == cell["id"]]
        if here:
            first = [r for r in here if r.sample == 0]
            rows.append(
                {
                    "cell": cell["id"],
                    "title": cell["title"],
                    "split": cell["split"],
                    "samples": len(here),
                    "passed": sum(r.passed() for r in here),
                    "answer": sum(r.verdicts["last"].answer == "passed" for r in here),
                    "unreadable": sum(r.verdicts["last"].headline == "unreadable" for r in here),
                    "static": sum(r.floors.get("static") == "passed" for r in first),
                    "random": sum(r.floors.get("random") == "passed" for r in first),
                    "items": len(first),
                }
            )
    if json:
        say_json({"run": found.root, "backbone": found.backbone, "failed": lost, "cells": rows})
    else:
        head = ("cell", "passed", "95 % interval", "answer alone", "unreadable", "static", "random")
        table: list[tuple[str, ...]] = [(*head, "what")]
        for r in rows:
            share = wilson(r["passed"], r["samples"])
            table.append(
                (
                    r["cell"],
                    f"{share.share:.0%} of {r['samples']}",
                    f"{share.low:.0%}..{share.high:.0%}",
                    f"{r['answer'] / r['samples']:.0%}",
                    f"{r['unreadable']}",
                    f"{r['static'] / max(r['items'], 1):.0%}",
                    f"{r['random'] / max(r['items'], 1):.0%}",
                    r["title"],
                )
            )
        say_table(table)
        say(f"{found.root}  (phosphene report {found.root} shows every clip)")
    if lost:
        sys.stderr.write(
            f"phosphene: {lost} of {len(found.results)} samples could not be made; they count as "
            f"failures, and the same command tries them again\n"
        )
    return 1 if lost else 0
