"""A finding's estimate with its interval, drawn against its null."""

from __future__ import annotations

import math

from phosphene.probe import Finding

WIDTH = 150
_EDGE = 8.0


def interval_svg(finding: Finding) -> str:
    """A bar from low to high, a dot at the value, a dashed tick at the null; empty without a value.

    The ends of the axis are what is drawn: bars of different findings don't compare.
    """
    held = (finding.value, finding.low, finding.high, finding.null)
    there = [v for v in held if v is not None and math.isfinite(v)]
    if finding.value is None or not math.isfinite(finding.value):
        return ""
    low, high = min(there), max(there)
    span = (high - low) or 1.0

    def across(value: float) -> float:
        return _EDGE + (value - low) / span * (WIDTH - 2 * _EDGE)

    parts = [f'<line class="rule" x1="0" x2="{WIDTH}" y1="10" y2="10"/>']
    if _number(finding.low) and _number(finding.high):
        a, b = across(finding.low or 0.0), across(finding.high or 0.0)
        width = max(b - a, 1.5)
        parts.append(f'<rect x="{a:.1f}" y="6.5" width="{width:.1f}" height="7" rx="2"/>')
    if _number(finding.null):
        x = across(finding.null or 0.0)
        parts.append(f'<line class="null" x1="{x:.1f}" x2="{x:.1f}" y1="1" y2="19"/>')
    parts.append(f'<circle cx="{across(finding.value):.1f}" cy="10" r="4"/>')
    return (
        f'<svg class="interval" viewBox="0 0 {WIDTH} 20" preserveAspectRatio="xMinYMid" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )


def figures(finding: Finding) -> list[tuple[str, str]]:
    """Name and text of each number of a finding, for people."""
    out = []
    if _number(finding.value):
        text = number(finding.value)
        if _number(finding.low) and _number(finding.high):
            text += f" [{number(finding.low)}, {number(finding.high)}]"
        out.append((finding.unit or "value", text))
    if _number(finding.null):
        out.append(("null", number(finding.null)))
    if _number(finding.p):
        out.append(("p", f"{finding.p:.2g}" if finding.p and finding.p >= 1e-4 else "< 0.0001"))
    if finding.n:
        out.append(("n", str(finding.n)))
    return out


def number(value: float | None) -> str:
    """A number in three digits."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")


def _number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
