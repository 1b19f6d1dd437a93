"""The findings page: what all probes say of one backbone, question by question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene import __version__
from phosphene.probe import Finding
from phosphene.report.interval import figures, number
from phosphene.report.page import part, write_page
from phosphene.report.probe import HOLDS, study_html, style

if TYPE_CHECKING:
    from phosphene.findings import Study


def page(
    studies: Sequence[Study],
    extra: Sequence[tuple[str, Finding]],
    id: str,
    fingerprint: str,
    path: Path,
) -> Path:
    """Write the page: all findings in one table, then each study with its figures.

    Args:
        studies: in the order in which they are shown.
        extra: task and finding, for claims that compare studies.
        id, fingerprint: of the model that was studied.
    """
    rows = [
        {"task": s.question.task, "split": s.split, "probe": s.probe.name, **_view(f)}
        for s in studies
        if s.result is not None
        for f in s.result.findings
    ]
    rows += [{"task": t, "split": "both", "probe": "lens", **_view(f)} for t, f in extra]
    return write_page(
        path,
        "findings.html.j2",
        title=f"Findings on {id}",
        style=style(),
        script=part("study.js"),
        subject=id,
        fingerprint=fingerprint,
        rows=rows,
        tally=[(word, sign, sum(r["word"] == word for r in rows)) for word, sign in HOLDS.values()],
        studies=[
            {
                "name": s.name,
                "asks": s.probe.ASKS,
                "refusal": s.refusal,
                "html": ""
                if s.result is None
                else study_html(s.result, s.probe, s.about, s.command, f"{s.name}/"),
            }
            for s in studies
        ],
        footer=f"phosphene {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _view(finding: Finding) -> dict[str, Any]:
    word, sign = HOLDS[finding.holds]
    return {
        "name": finding.name,
        "says": finding.says,
        "word": word,
        "sign": sign,
        "numbers": "; ".join(f"{name} {text}" for name, text in figures(finding)),
    }


def words(record: Mapping[str, Any]) -> str:
    """The same as Markdown, from what `findings.json` holds."""
    out = [
        f"# Findings on {record['backbone']}",
        "",
        f"Made by `{record['command']}`; weights `{record['fingerprint']}`. A finding *holds* "
        "where its 95 % interval clears its null and its test, corrected for all places looked at, "
        "stays under 0.05; otherwise it is a *null result*. What could not be asked says why.",
    ]
    extra = record["held in against held out"]
    for task in dict.fromkeys(s["task"] for s in record["studies"]):
        studies = [s for s in record["studies"] if s["task"] == task]
        fields = ", ".join(f"{k} {v}" for k, v in studies[0]["fields"].items())
        out += ["", f"## {task.replace('_', ' ')}" + (f" ({fields})" if fields else ""), ""]
        out += ["| probe | problems | finding | | value [95 %] | null | p | n |", "|---" * 8 + "|"]
        for study in studies:
            if study["refusal"]:
                out.append(
                    f"| {study['probe']} | {study['split']} | {study['refusal']} |" + " |" * 5
                )
            out += [_row(study["probe"], study["split"], f) for f in study["findings"]]
        out += [_row("lens", "both", f) for f in extra if f["task"] == task]
    return "\n".join([*out, ""])


def _row(probe: str, split: str, f: Mapping[str, Any]) -> str:
    value = "" if f["value"] is None else f"{number(f['value'])} {f['unit']}".strip()
    if f["low"] is not None and f["high"] is not None:
        value += f" [{number(f['low'])}, {number(f['high'])}]"
    null = "" if f["null"] is None else number(f["null"])
    p = "" if f["p"] is None else number(f["p"])
    said = f"**{f['name']}**: {f['says']}".replace("|", "/")
    word = HOLDS[f["holds"]][0]
    return f"| {probe} | {split} | {said} | {word} | {value} | {null} | {p} | {f['n'] or ''} |"
