"""`phosphene probe`: put a question to a running generator, or to a language model."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from phosphene.cli.console import say, say_json, say_table
from phosphene.cli.loading import Loading
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.probe import Result
    from phosphene.subject import Setup

_ASK = Parameter(group=Group("What to ask", sort_key=1))


@dataclass(frozen=True)
class ProbeOptions(Loading):
    """Flags of `phosphene probe` that settle how problems are put to a backbone.

    Args:
        backbone: a generator: a name of `phosphene ls backbones`, a directory or a hub id; or a
            language model: mind, a name of `phosphene ls minds`, a directory or hf:ORG/NAME.
            ember or mind if not given, as the probe wants.
        task: a name of `phosphene ls tasks`, equations if not given; for language models of
            `phosphene ls text-tasks`, what the model was taught if not given.
        items: number of problems.
        split: train, problems that may be trained on, or test, held-out ones; if not given, train
            for generators and test for language models.
        first_seed: item i is dealt from this seed + i.
        size: side of the square pictures in pixels; generators only.
        frames: number of frames; generators only.
        steps: denoising steps; generators only.
        guidance: classifier-free guidance scale; generators only.
        way: how a language model thinks: thoughts, cot, pause or none; its own way if not given.
        thoughts: how many thoughts or pauses a language model has; its own number if not given.
        batch: samples computed together, at most.
    """

    backbone: Annotated[str | None, _ASK] = None
    task: Annotated[str | None, _ASK] = None
    items: Annotated[int | None, _ASK] = None
    split: Annotated[str | None, _ASK] = None
    first_seed: Annotated[int | None, _ASK] = None
    size: Annotated[int | None, _ASK] = None
    frames: Annotated[int | None, _ASK] = None
    steps: Annotated[int | None, _ASK] = None
    guidance: Annotated[float | None, _ASK] = None
    way: Annotated[str | None, _ASK] = None
    thoughts: Annotated[int | None, _ASK] = None
    batch: Annotated[int | None, _ASK] = None

    def setup(self, fields: dict[str, Any], extra: dict[str, Any]) -> Setup:
        """How problems are put to a generator.

        Raises:
            PhospheneError: a value out of range, or a flag that only language models have.
        """
        from phosphene.cli.minds import refuse_thinking
        from phosphene.subject import Setup

        refuse_thinking(self)
        if self.split not in (None, "train", "test"):
            raise PhospheneError(f"--split takes train or test; got {self.split!r}")
        names = ("items", "split", "first_seed", "size", "frames", "steps", "guidance", "batch")
        given = {n: getattr(self, n) for n in names if getattr(self, n) is not None}
        return Setup(self.task or "equations", fields, extra=extra, **given)


def probe(
    name: str,
    /,
    *,
    options: Annotated[ProbeOptions, Parameter(name="*")] = ProbeOptions(),
    fields: Annotated[tuple[str, ...], _ASK, Parameter(name="--field")] = (),
    changes: Annotated[tuple[str, ...], _ASK, Parameter(name="--set")] = (),
    settings: Annotated[tuple[str, ...], Parameter(name="--with")] = (),
    out: Path | None = None,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Ask where, when or how an answer forms inside a model, and say what was found.

    An interrupted command goes on where it stopped when it is given again.

    Args:
        name: a name of `phosphene ls probes`.
        fields: KEY=VALUE, a field of the task; may be repeated.
        changes: KEY=VALUE, a further argument of the backbone's own call; may be repeated.
        settings: KEY=VALUE, a setting of the probe; may be repeated.
        out: directory; runs/NAME-BACKBONE-HASH if not given.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.cli.minds import asks_mind, mind_setup
    from phosphene.config import assignments
    from phosphene.progress import shown

    told, changed = assignments(settings, "--with"), assignments(changes)
    given = assignments(fields, "--field")
    if asks_mind(name, options.backbone):
        from phosphene.minds import observe as of_minds

        asked = of_minds.make_mind_probe(name, told)
        setup = mind_setup(options, given, changes)
        spec = options.spec("mind")
        root = out or Path("runs") / of_minds.run_name(asked, spec, setup)
        with redirect_stdout(sys.stderr), shown(quiet) as on_event:
            found = of_minds.observe_mind(asked, spec, setup, out=root, on_event=on_event)
        return tell(root, found, json)
    from phosphene.observe import make_probe, observe, run_name

    probe, setup = make_probe(name, told), options.setup(given, changed)
    spec = options.spec()
    root = out or Path("runs") / run_name(probe, spec, setup)
    with redirect_stdout(sys.stderr), shown(quiet) as on_event:
        found = observe(probe, spec, setup, out=root, on_event=on_event)
    return tell(root, found, json)


def tell(root: Path, found: Result, json: bool) -> int:
    """Say what was found; a null result is a result, so the exit status is 0."""
    from phosphene.report.interval import number
    from phosphene.report.probe import HOLDS, finite

    page = root / "report.html"
    if json:
        findings = finite([asdict(finding) for finding in found.findings])
        notes = list(found.notes)
        say_json({"run": root, "report": page, "findings": findings, "notes": notes})
        return 0
    rows: list[tuple[str, ...]] = [("finding", "", "value", "95 % interval", "null", "p", "n")]
    for f in found.findings:
        there = f.low is not None and f.high is not None
        span = f"{number(f.low)}..{number(f.high)}" if there else ""
        value = "" if f.value is None else f"{number(f.value)} {f.unit}".strip()
        null, p = ("" if v is None else number(v) for v in (f.null, f.p))
        rows.append((f.name, HOLDS[f.holds][0], value, span, null, p, str(f.n or "")))
    say_table(rows)
    for f in found.findings:
        say(f"{f.name}: {f.says}")
    for note in found.notes:
        say(note)
    say(f"{page}  (figures, controls and the table)")
    return 0
