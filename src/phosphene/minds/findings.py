"""Findings: every probe put to one mind, and what they say together on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phosphene.backbone import BackboneSpec
from phosphene.errors import PhospheneError
from phosphene.findings import Question, Study, directory_name, write_findings
from phosphene.minds.mind import Mind
from phosphene.minds.observe import command, make_mind_probe, observe_mind
from phosphene.minds.opening import open_mind
from phosphene.minds.probe import mind_probes
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.progress import Event, OnEvent


def mind_findings(
    mind: str | BackboneSpec | Mind,
    out: Path,
    setup: MindSetup | None = None,
    only: Sequence[str] = (),
    on_event: OnEvent | None = None,
) -> list[Study]:
    """Run every probe on the mind's own task, write `report.html`, `README.md`, `findings.json`.

    An interrupted run goes on where it stopped; each study keeps its own directory under `out`.
    What a probe can't ask of this mind is said on the page, with the reason.

    Args:
        mind: what is looked into.
        out: directory.
        setup: the text task and how it is put; what the mind was taught if None.
        only: names of probes; all if empty.
        on_event: told of progress.

    Raises:
        PhospheneError: no such probe, mind, task or field.
    """
    known = mind_probes.names()
    absent = [name for name in only if name not in known]
    if absent:
        raise PhospheneError(f"no probe {absent[0]!r} of minds; there are {', '.join(known)}")
    spec = mind if isinstance(mind, BackboneSpec) else None
    opened = mind if isinstance(mind, Mind) else open_mind(mind)
    subject = MindSubject(opened, setup or MindSetup())
    studies = [_study(subject, spec, name, out, on_event) for name in only or known]
    write_findings(studies, opened.id, opened.fingerprint, out)
    return studies


def _study(
    subject: MindSubject,
    spec: BackboneSpec | None,
    name: str,
    out: Path,
    on_event: OnEvent | None,
) -> Study:
    setup, task = subject.setup, subject.task
    question = Question(task.name, dict(vars(task)))
    probe = make_mind_probe(name, {})
    root = out / directory_name(question, name, setup.split)
    if on_event is not None:
        on_event(Event("note", 0, 0, text=f"{root.name}: {probe.ASKS}"))
    refusal, result = "", None
    try:
        result = observe_mind(probe, subject.mind, setup, out=root, on_event=on_event)
    except PhospheneError as error:
        # No routers, no thoughts, a task without what is asked: said, not hidden.
        refusal = str(error)
    made = command(probe, subject, spec or BackboneSpec(subject.mind.id), root)
    return Study(question, probe, setup.split, subject.about, made, result, refusal)
