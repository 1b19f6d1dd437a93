"""Findings: every probe put to one backbone, and what they say together on one page."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from phosphene.backbone import Backbone, BackboneSpec, open_backbone
from phosphene.errors import PhospheneError
from phosphene.media.disk import write_text
from phosphene.minds.probe import MindProbe
from phosphene.observe import command, make_probe, observe
from phosphene.probe import Finding, Probe, Result, probes
from phosphene.progress import Event, OnEvent
from phosphene.statistics.intervals import Interval, apart, wilson
from phosphene.subject import Setup, Subject
from phosphene.task import Split

# What held-out problems are asked too: there, nothing can have been learned by heart.
ON_HELD_OUT = ("lens",)


@dataclass(frozen=True)
class Question:
    """A task as it is put to every probe.

    Args:
        task: its name.
        fields: its fields.
        settings: probe -> its settings, where they differ from its defaults.
        items: probe -> number of problems, where it differs.
        probes: which probes are put; all if empty.
    """

    task: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    items: Mapping[str, int] = field(default_factory=dict)
    probes: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Study:
    """One probe on one split of one task, and what came of it.

    Args:
        question: the task.
        probe: the probe, with its settings.
        split: which problems.
        about: the subject, as `Subject.about` tells it.
        command: the command line that makes it again.
        result: None where the probe was refused.
        refusal: why.
    """

    question: Question
    probe: Probe | MindProbe
    split: Split
    about: Mapping[str, Any]
    command: str
    result: Result | None
    refusal: str = ""

    @property
    def name(self) -> str:
        """As its directory is called."""
        return directory_name(self.question, self.probe.name, self.split)


def directory_name(question: Question, probe: str, split: Split) -> str:
    """Where a study is kept below its findings."""
    return f"{question.task}-{split}-{probe}"


# Probes that are fitted want more problems than those that look at each one by itself.
_FITTED = {"grid": 96, "gap": 96}
EMBER = (
    Question("equations", {"largest": 4, "variety": 0.0}, items=_FITTED),
    Question("symmetry", {"cells": 4, "colours": 1, "axes": "v", "variety": 0.0}, items=_FITTED),
)


def findings(
    backbone: str | BackboneSpec | Backbone,
    out: Path,
    questions: Sequence[Question] = EMBER,
    setup: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    on_event: OnEvent | None = None,
) -> list[Study]:
    """Run every probe on every question, write `report.html`, `README.md` and `findings.json`.

    An interrupted run goes on where it stopped; each study keeps its own directory under `out`.

    Args:
        backbone: what is looked into.
        out: directory.
        questions: tasks; by default those that Ember was trained on.
        setup: further values of `Setup` for all of them: `items`, `size`, `frames`, `steps` ...
        only: names of probes; all if empty.
        on_event: told of progress.

    Raises:
        PhospheneError: no such probe, or a backbone that can't be probed at all.
    """
    unknown = sorted(set(only) - set(probes.names()))
    if unknown:
        raise PhospheneError(f"no probe {unknown[0]!r}; there are {', '.join(probes.names())}")
    opened = backbone if isinstance(backbone, Backbone) else open_backbone(backbone)
    studies = []
    for question in questions:
        for name in only or question.probes or probes.names():
            for split in ("train", "test") if name in ON_HELD_OUT else ("train",):
                studies.append(_study(opened, question, name, split, setup or {}, out, on_event))
    write_findings(studies, opened.id, opened.fingerprint, out, held_in_against_out(studies))
    return studies


def _study(
    backbone: Backbone,
    question: Question,
    name: str,
    split: Split,
    setup: Mapping[str, Any],
    out: Path,
    on_event: OnEvent | None,
) -> Study:
    told = {**setup, "task": question.task, "fields": question.fields, "split": split}
    if name in question.items and "items" not in setup:
        told["items"] = question.items[name]
    probe = make_probe(name, question.settings.get(name, {}))
    subject = Subject(backbone, Setup(**told))
    root = out / directory_name(question, name, split)
    if on_event is not None:
        on_event(Event("note", 0, 0, text=f"{root.name}: {probe.ASKS}"))
    refusal, result = "", None
    try:
        result = observe(probe, backbone, subject.setup, out=root, on_event=on_event)
    except PhospheneError as error:
        # A site that this denoiser has not, or a task it has no room for: said, not hidden.
        refusal = str(error)
    made = command(probe, subject, root)
    return Study(question, probe, split, subject.about, made, result, refusal)


def held_in_against_out(studies: Sequence[Study]) -> list[tuple[str, Finding]]:
    """For each task: right answers on problems it was trained on less those on held-out ones."""
    out = []
    for task in dict.fromkeys(s.question.task for s in studies):
        shares = {
            s.split: _right(s.result)
            for s in studies
            if s.probe.name == "lens" and s.question.task == task and s.result is not None
        }
        if set(shares) != {"train", "test"}:
            continue
        gap = apart(shares["train"], shares["test"])
        out.append(
            (
                task,
                Finding(
                    "held in less held out",
                    f"{shares['train'].brief()} right on the training split's problems, "
                    f"{shares['test'].brief()} on held-out ones",
                    gap.low > 0,
                    gap.share,
                    gap.low,
                    gap.high,
                    0.0,
                    None,
                    gap.n,
                    "difference of shares",
                ),
            )
        )
    return out


def _right(result: Result) -> Interval:
    """Share of right endings over the first samples of a lens."""
    last = max(row["step"] for row in result.table)
    ends = [row["right"] for row in result.table if row["step"] == last and row["sample"] == 0]
    return wilson(sum(ends), len(ends))


def write_findings(
    studies: Sequence[Study],
    id: str,
    fingerprint: str,
    out: Path,
    extra: Sequence[tuple[str, Finding]] = (),
) -> None:
    """Write `findings.json`, `README.md` and `report.html` of studies under `out`.

    Args:
        id, fingerprint: of the model that was studied.
        extra: task and finding, for claims that compare studies.
    """
    from phosphene.report.findings import page, words
    from phosphene.report.probe import finite

    out.mkdir(parents=True, exist_ok=True)
    record = {
        "backbone": id,
        "fingerprint": fingerprint,
        "command": shlex.join(["phosphene", *sys.argv[1:]]),
        "studies": [
            {
                "task": s.question.task,
                "fields": dict(s.question.fields),
                "split": s.split,
                "probe": s.probe.name,
                "command": s.command,
                "refusal": s.refusal,
                "findings": [] if s.result is None else [asdict(f) for f in s.result.findings],
            }
            for s in studies
        ],
        "held in against held out": [{"task": task, **asdict(f)} for task, f in extra],
    }
    write_text(json.dumps(finite(record), indent=1) + "\n", out / "findings.json")
    write_text(words(record), out / "README.md")
    page(studies, extra, id, fingerprint, out / "report.html")
