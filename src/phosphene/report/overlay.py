"""What a scorer read, drawn over the frame that it read."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np

from phosphene.trace import Mark


def picture_url(frame: np.ndarray) -> str:
    """A frame uint8 `(h, w, 3)` as a `data:image/png` address."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(frame).save(data, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


def overlay(frame: np.ndarray, marks: Sequence[Mark]) -> str:
    """An SVG of the frame, 100 wide, with its marks.

    Args:
        frame: uint8 `(h, w, 3)`.
        marks: places as shares of the side; a mark that is of no known shape is left out.
    """
    height = 100 * frame.shape[0] / frame.shape[1]
    drawn = "".join(_draw(mark) for mark in marks)
    return (
        f'<svg class="trace" viewBox="0 0 100 {height:g}" role="img" aria-label="what was read">'
        f'<image href="{picture_url(frame)}" width="100" height="{height:g}" '
        f'preserveAspectRatio="none"/>{drawn}</svg>'
    )


def _draw(mark: Mark) -> str:
    at = [round(100 * float(v), 2) for v in mark.at]
    if len(at) < 2 or not np.all(np.isfinite(at)):
        return ""
    x, y = at[:2]
    if mark.kind == "box" and len(at) == 4:
        shape = f'<rect x="{x}" y="{y}" width="{at[2] - x:.2f}" height="{at[3] - y:.2f}"/>'
        return shape + _label(x, y - 1, mark.text, "start")
    if mark.kind == "path" and len(at) % 2 == 0:
        spots = " ".join(f"{a},{b}" for a, b in zip(at[::2], at[1::2], strict=True))
        return f'<polyline points="{spots}"/>' + _label(at[-2] + 2, at[-1] - 2, mark.text, "start")
    if mark.kind == "point":
        return f'<circle cx="{x}" cy="{y}" r="2.2"/>' + _label(x + 3, y - 2, mark.text, "start")
    return _label(x, y + 2, mark.text, "middle") if mark.kind == "text" else ""


def _label(x: float, y: float, text: str, anchor: str) -> str:
    """A label inside the picture, however near its edge."""
    if not text:
        return ""
    x, y = min(max(x, 0.5), 99.5), max(y, 6.0)
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{escape(text)}</text>'
