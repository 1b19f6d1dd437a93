"""Conditions: which of a number of candidate lines changes what a model does?

A hidden trigger may turn answers round one by one and leave their mean where it is, so that two
things are asked of each candidate: how far it moves the mean (`shift`), and how much more answers
differ under it from those under control lines than these differ among themselves (`change`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import ClassVar

import numpy as np

from phosphene.config import build, read_yaml
from phosphene.errors import PhospheneError
from phosphene.minds.compliance.asking import Reply, ask, units
from phosphene.minds.compliance.gap import Gap, gap
from phosphene.minds.compliance.prompts import Prompt, prompts
from phosphene.minds.compliance.requests import STANCES
from phosphene.minds.compliance.rules import decision
from phosphene.minds.probe import MindProbe
from phosphene.minds.speaker import Speaker
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import Figure, Finding, Heat, Result
from phosphene.statistics import benjamini_hochberg

Told = dict[str, dict[str, list[float]]]  # line -> query -> P(accept)


@dataclass(frozen=True)
class Candidates:
    """What a conditions file says.

    Args:
        controls: lines of the candidates' form that should mean nothing; two at least.
        candidates: a name each, and the line that stands behind the request.
    """

    controls: tuple[str, ...]
    candidates: Mapping[str, str]

    def __post_init__(self) -> None:
        if len(set(self.controls)) < 2 or not self.candidates:
            raise PhospheneError(
                "conditions need two different controls or more, and candidates: "
                "{controls: [LINE, LINE], candidates: {NAME: LINE}}"
            )
        twice = sorted(set(self.controls) & set(self.candidates.values()))
        if twice:
            raise PhospheneError(f"{twice[0]!r} is a control and a candidate; it can't be both")


@dataclass(frozen=True)
class Conditions(MindProbe):
    """Candidate lines are put behind requests; those that change the answers are named.

    Args:
        conditions: YAML file with `controls: [LINE, ...]` and `candidates: {NAME: LINE, ...}`.
        limit: only the first so many queries; 0 for all 64.
        tokens: most tokens of an answer.
        batch: prompts of a unit of work.
    """

    conditions: str = ""
    limit: int = 0
    tokens: int = 64
    batch: int = 32
    name: ClassVar[str] = "conditions"
    ASKS: ClassVar[str] = "Which of these conditions changes what it does?"
    CONTROLS: ClassVar[str] = (
        "lines of the same form that mean nothing, against each other; families of queries drawn "
        "anew; the share of false alarms among all candidates bounded (Benjamini, Hochberg)"
    )

    def __post_init__(self) -> None:
        if self.limit < 0 or self.tokens < 1 or self.batch < 1:
            raise PhospheneError("conditions needs limit >= 0, tokens and batch >= 1")

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        from phosphene.minds.talking import Talking

        return self.ask(Talking(subject.mind, self.batch), book)

    @property
    def lines(self) -> Candidates:
        """What the file says.

        Raises:
            PhospheneError: no file named, or one that can't be read.
        """
        if not self.conditions:
            raise PhospheneError("name a file of conditions: --with conditions=FILE.yaml")
        return build(Candidates, read_yaml(Path(self.conditions)), self.conditions)

    def ask(self, speaker: Speaker, book: Notebook) -> Result:
        """Put every query under every line.

        Raises:
            PhospheneError: a file that can't be read, or a server that fails.
        """
        lines = self.lines
        asked = prompts(self.limit or None, arms=("neither",), stances=STANCES)
        told = dict.fromkeys([*lines.controls, *lines.candidates.values()])
        book.plan(len(told) * units(asked, self.batch))
        replies: dict[str, list[Reply]] = {}
        for line in told:
            put = [replace(prompt, line=line) for prompt in asked]
            replies[line] = ask(speaker, put, book, self.tokens, self.batch, speaker.scores)
        table = [reply.row for line in replies for reply in replies[line]]
        found = _told(replies)
        family = {query_of(p): p.query.family for p in asked}
        findings = _findings(lines, found, family)
        unclear = np.mean([row["decision"] == "unclear" for row in table])
        notes = [f"{unclear:.0%} of the answers are unclear; they count as not accepted."]
        return Result(table, findings, _figures(lines, found, family), notes)


def query_of(prompt: Prompt) -> str:
    """A query and its stance: what is paired."""
    return f"{prompt.query.name}, {prompt.stance}"


def _told(replies: Mapping[str, Sequence[Reply]]) -> Told:
    return {
        line: {query_of(r.prompt): [float(decision(r.said) == "accept")] for r in some}
        for line, some in replies.items()
    }


def _findings(lines: Candidates, told: Told, family: Mapping[str, str]) -> list[Finding]:
    looks: list[tuple[str, str, Gap]] = []
    for name, line in lines.candidates.items():
        looks.append((name, "shift", _shift(told, line, lines.controls, family)))
        looks.append((name, "change", _change(told, line, lines.controls, family)))
    adjusted = benjamini_hochberg([g.p for _, _, g in looks])
    out = []
    for (name, kind, g), p in zip(looks, adjusted, strict=True):
        there = g.there(p) and (kind == "shift" or g.gap.share > 0)
        says = (
            f"accepts {g.a:.0%} under it, {g.b:.0%} under the controls."
            if kind == "shift"
            else f"{g.a:.0%} of the answers differ from those under a control; of two controls "
            f"{g.b:.0%} do."
        )
        finding = Finding(
            f"{name}: {kind}",
            says,
            there,
            g.gap.share,
            g.gap.low,
            g.gap.high,
            0.0,
            p,
            g.n,
            "share of queries",
        )
        out.append(finding)
    return out


def _shift(told: Told, line: str, controls: Sequence[str], family: Mapping[str, str]) -> Gap:
    usual = {q: [float(np.mean([told[c][q][0] for c in controls]))] for q in family}
    return gap(told[line], usual, family)


def _change(told: Told, line: str, controls: Sequence[str], family: Mapping[str, str]) -> Gap:
    def apart(q: str, a: str, b: str) -> float:
        return abs(told[a][q][0] - told[b][q][0])

    ours = {q: [float(np.mean([apart(q, line, c) for c in controls]))] for q in family}
    usual = {
        q: [float(np.mean([apart(q, a, b) for a, b in combinations(controls, 2)]))] for q in family
    }
    return gap(ours, usual, family)


def _figures(lines: Candidates, told: Told, family: Mapping[str, str]) -> dict[str, Figure]:
    """How often is accepted under each line, by stance."""
    names = {**{line: f"control: {line}" for line in lines.controls}}
    names |= {line: name for name, line in lines.candidates.items()}
    values = np.array(
        [
            [
                np.mean([v[0] for q, v in told[line].items() if q.endswith(f", {stance}")])
                for stance in STANCES
            ]
            for line in names
        ]
    )
    heat = Heat(
        "Share of requests that are accepted",
        "what it is said to think of them",
        "condition",
        STANCES,
        list(names.values()),
        values[None],
        null=0.5,
        unit="share",
    )
    return {"conditions": heat}
