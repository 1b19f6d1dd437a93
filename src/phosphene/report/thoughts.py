"""Chains of thoughts for people: candidates with their shares, beside the vectors themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from phosphene.probe import Chain, Thought, Thoughts
from phosphene.report.page import fill
from phosphene.report.scale import LEVELS
from phosphene.report.strip import SIGNS

BARS = 64  # of a vector's strip; longer ones are shown by means of neighbours


def thoughts_html(thoughts: Thoughts) -> str:
    """A card a problem: question, true values, a column a thought, and what was said."""
    vectors = [t.vector for chain in thoughts.chains for t in chain.thoughts]
    return fill(
        "thoughts.html.j2",
        chains=[_chain(chain) for chain in thoughts.chains],
        unit=thoughts.unit,
        width=len(vectors[0]) if vectors else 0,
    )


def bars(vector: np.ndarray) -> np.ndarray:
    """Colour levels of a vector's strip, 0..LEVELS - 1, nought in the middle.

    Args:
        vector: `(d,)`; beyond `BARS` numbers, neighbours are shown by their mean.
    """
    parts = np.array_split(np.asarray(vector, float), min(len(vector), BARS))
    means = np.array([part.mean() for part in parts])
    reach = float(np.abs(means).max()) or 1.0
    return np.rint((means / reach + 1) / 2 * (LEVELS - 1)).astype(int)


def _chain(chain: Chain) -> dict[str, Any]:
    style, sign = SIGNS[chain.right]
    return {
        "question": chain.question,
        "named": chain.values,
        "wanted": chain.wanted,
        "said": chain.said,
        "right": chain.right,
        "style": style,
        "sign": sign,
        "thoughts": [_thought(thought) for thought in chain.thoughts],
    }


def _thought(thought: Thought) -> dict[str, Any]:
    length = float(np.linalg.norm(thought.vector))
    return {
        "name": thought.name,
        "bars": [(level, x) for x, level in enumerate(bars(thought.vector).tolist())],
        "told": f"{thought.name}: {len(thought.vector)} numbers, length {length:.3g}",
        "words": [
            {"text": word, "share": f"{share:.0%}", "width": f"{100 * share:.1f}", "value": value}
            for word, share, value in thought.words
        ],
    }
