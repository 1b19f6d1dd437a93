"""Verdict: what a task's scorer says of a clip. "Unreadable" is a value, not a zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Part = Literal["passed", "failed", "unreadable", "not judged"]


@dataclass(frozen=True)
class Verdict:
    """The judgement of one clip, part by part; the headline is the conjunction of the parts.

    Args:
        answer: is what was asked for there?
        givens: is what was given (the first frame's content) still there?
        process: was every step on the way legal?
        stability: do the parts that nothing should change hold still?
        reason: one line for people, e.g. `"reads 8, 7 is right"`.
        evidence: what the scorer read, JSON-able (positions in pixels, times in seconds).
    """

    answer: Part
    givens: Part = "not judged"
    process: Part = "not judged"
    stability: Part = "not judged"
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def headline(self) -> Literal["passed", "failed", "unreadable"]:
        """`failed` if any part failed, else `unreadable` if any is, else `passed`."""
        parts = (self.answer, self.givens, self.process, self.stability)
        if "failed" in parts:
            return "failed"
        return "unreadable" if "unreadable" in parts else "passed"

    @property
    def passed(self) -> bool:
        return self.headline == "passed"
