"""Verdict: what a task's scorer says of a clip. "Unreadable" is a value, not a zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Part = Literal["passed", "failed", "unreadable", "not judged"]
Headline = Literal["passed", "failed", "unreadable"]
PARTS = ("answer", "givens", "process", "stability", "sound")


@dataclass(frozen=True)
class Verdict:
    """The judgement of one clip, part by part; the headline is the conjunction of the parts.

    Args:
        answer: is what was asked for there?
        givens: is what was given (the first frame's content) still there?
        process: was every step on the way legal?
        stability: do the parts that nothing should change hold still?
        sound: does the sound say the right thing? Judged in audio-visual tasks alone.
        reason: one line for people, e.g. `"reads 8, 7 is right"`.
        evidence: what the scorer read, JSON-able (places as shares of the side, times in seconds).
    """

    answer: Part
    givens: Part = "not judged"
    process: Part = "not judged"
    stability: Part = "not judged"
    sound: Part = "not judged"
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def headline(self) -> Headline:
        """`failed` if any part failed, else `unreadable` if any is, else `passed`."""
        parts = [getattr(self, name) for name in PARTS]
        if "failed" in parts:
            return "failed"
        return "unreadable" if "unreadable" in parts else "passed"

    @property
    def passed(self) -> bool:
        return self.headline == "passed"

    def record(self) -> dict[str, Any]:
        """JSON-able account, headline included."""
        return {"headline": self.headline, **asdict(self), "evidence": dict(self.evidence)}
