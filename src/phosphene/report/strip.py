"""Film strips: rows of pictures whose frames tell right, wrong and unreadable, by sign and colour.

Sign and colour say the same, so that neither is needed.
"""

from __future__ import annotations

from html import escape

import numpy as np

from phosphene.probe import Strip
from phosphene.report.overlay import picture_url

SIGNS = {True: ("right", "✓"), False: ("wrong", "✗"), None: ("unread", "?")}
_SAID = {"right": "right", "wrong": "wrong", "unread": "no answer read"}


def strip_html(strip: Strip) -> str:
    """The rows, in step with each other when they scroll, and their key."""
    rows = []
    for label, pictures in strip.rows:
        shots = "".join(_shot(label, *picture) for picture in pictures)
        rows.append(f'<div class="label">{escape(label)}</div><div class="film">{shots}</div>')
    key = "".join(
        f'<span class="{style}"><b class="badge">{sign}</b>{_SAID[style]}</span>'
        for style, sign in SIGNS.values()
    )
    along = f'<span class="along">{escape(strip.x_label)} →</span>' if strip.x_label else ""
    return (
        f'<div class="strip" tabindex="0" role="group" aria-label="{escape(strip.title)}">'
        f'{"".join(rows)}</div><div class="legend">{key}{along}</div>'
    )


def _shot(label: str, caption: str, picture: np.ndarray, right: bool | None) -> str:
    style, sign = SIGNS[None if right is None else bool(right)]
    said = escape(f"{label}, {caption}: {_SAID[style]}")
    url = picture_url(np.ascontiguousarray(picture))
    return (
        f'<figure class="{style}" title="{said}"><img src="{url}" alt="{said}" loading="lazy">'
        f'<b class="badge" aria-hidden="true">{sign}</b>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
