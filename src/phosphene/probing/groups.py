"""Groups: the tokens that hold the answer, the givens, other frames, and what is no picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.probing.pairs import Pair, changed
from phosphene.request import Request
from phosphene.subject import Subject
from phosphene.tap import Address, Layout, Read
from phosphene.tap.layout import coverage
from phosphene.tap.reduce import Reducer
from phosphene.task import Problem

GROUPS = (
    "answer",  # where the answer is drawn, in the frames after the first
    "changed givens",  # first frame, where the pair's pictures differ
    "kept givens",  # first frame, other ink
    "rest",  # of the frames after the first
    "first frame",
    "picture",
    "beside the picture",  # words and sound, where they share the stream
    "all",
)


@dataclass(eq=False)
class _Seen(Reducer):
    """Notes each layer's layout, and keeps nothing."""

    found: dict[int, Layout] = field(default_factory=dict)

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> None:
        if layout is not None:
            self.found[at.layer] = layout


def layouts(subject: Subject, request: Request) -> tuple[dict[int, Layout], int]:
    """Number of layer -> where its tokens lie, and how many steps a run has.

    Layers that hold no picture are left out.

    Raises:
        PhospheneError: no layer's tokens can be placed in the picture.
    """
    seen = _Seen()
    (made,) = subject.run([request], [Read("residual", seen)])
    if not seen.found:
        raise PhospheneError(
            f"{subject.backbone.id}: it can't be told which tokens are which part of the picture, "
            f"so none can be patched by group"
        )
    return dict(sorted(seen.found.items())), len(made.levels)


def spread(layers: Sequence[int], most: int) -> list[int]:
    """At most so many of the layers, evenly, the first and the last among them."""
    if len(layers) <= most:
        return list(layers)
    if most < 1:
        return []
    places = np.linspace(0, len(layers) - 1, most).round().astype(int)
    return [layers[i] for i in sorted(set(places.tolist()))]


def on_stage(subject: Subject, mask: np.ndarray) -> np.ndarray:
    """A mask of the square problem, bool `(s, s)`, on the backbone's stage, `(height, width)`."""
    out = np.zeros((subject.height, subject.width), bool)
    side = len(mask)
    top, left = (subject.height - side) // 2, (subject.width - side) // 2
    out[top : top + side, left : left + side] = mask
    return out


def region(subject: Subject, *problems: Problem) -> np.ndarray:
    """Where any of the problems' answers is drawn: bool `(height, width)` of the stage."""
    size = subject.canvas.size
    parts = [subject.task.region(p, size) for p in problems]
    return on_stage(subject, np.logical_or.reduce(parts))


def givens(subject: Subject, *problems: Problem) -> np.ndarray:
    """Ink of the problems' first frames on the stage: what is not of the commonest colour."""
    out = np.zeros((subject.height, subject.width), bool)
    for problem in problems:
        picture = subject.task.first_frame(problem, subject.canvas)
        colours, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
        paper = np.broadcast_to(colours[counts.argmax()], picture.shape)
        out |= on_stage(subject, changed(picture, paper))
    return out


def tokens(name: str, subject: Subject, pair: Pair, layout: Layout) -> np.ndarray:
    """The tokens of a group, bool `(tokens,)`; it may be empty.

    A single image has one frame, which is first and last: there the answer is drawn in it.

    Args:
        name: one of `GROUPS`, or `frame K` for a latent frame.

    Raises:
        PhospheneError: no group of that name, or no such frame.
    """
    frame = layout.places[:, 0]
    if name == "all":
        return np.ones(layout.tokens, bool)
    if name == "picture":
        return frame >= 0
    if name == "beside the picture":
        return frame < 0
    if name == "first frame":
        return frame == 0
    if name.startswith("frame ") and name[6:].isdigit():
        if int(name[6:]) >= layout.frames:
            raise PhospheneError(f"there is no latent {name}; there are {layout.frames}, from 0")
        return frame == int(name[6:])
    later = [0] if layout.frames == 1 else list(range(1, layout.frames))
    answer = layout.inside(region(subject, pair.base, pair.donor), later)
    if name == "answer":
        return answer
    if name == "rest":
        return np.isin(frame, later) & ~answer
    if name not in ("changed givens", "kept givens"):
        raise PhospheneError(
            f"there is no token group {name!r}; there are {', '.join(GROUPS)} and 'frame K'"
        )
    pictures = [subject.first_frame(p) for p in (pair.base, pair.donor)]
    moved = _touched(changed(*pictures), layout)
    if layout.frames == 1:
        moved &= ~answer
    if name == "changed givens":
        return moved
    inked = _touched(givens(subject, pair.base, pair.donor), layout)
    return inked & ~moved & ~(answer if layout.frames == 1 else np.zeros_like(answer))


def _touched(mask: np.ndarray, layout: Layout) -> np.ndarray:
    """Tokens of the first frame that a mask of the stage touches at all."""
    share = coverage(mask[None, None], layout.rows, layout.columns)[0, 0]
    frame, row, column = layout.places.T
    return (frame == 0) & (share[row, column] > 0)
