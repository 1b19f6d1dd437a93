"""Record: what a mind had in its layers at each thought, and what it said in the end.

Places are counted by the thoughts that come from them: place 0 is where the question ends, and the
state that the head reads there is fed back as thought 1; place k is behind the last thought.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.thinking import Answered, hear
from phosphene.notebook import Notebook

_MEASURED = ("layers", "thoughts", "right", "confidence")


@dataclass(frozen=True, eq=False)
class Record:
    """All that was read of some problems.

    Args:
        problems: in order.
        layers: float32 `(items, places, layers, d)`, the residual stream behind each layer.
        thoughts: float32 `(items, places, d)`, what the head reads there: the thoughts, and what
            would have been the next one.
        right: bool `(items,)`.
        confidence: `(items,)`, probability of the likeliest first word of the answer.
        said: the answers.
    """

    problems: list[TextProblem]
    layers: np.ndarray
    thoughts: np.ndarray
    right: np.ndarray
    confidence: np.ndarray
    said: list[str]

    @property
    def places(self) -> list[str]:
        """Names of the places: by the thought that each gives."""
        count = self.thoughts.shape[1]
        return [*(f"thought {t}" for t in range(1, count)), "behind the last"]


def elsewhere(subject: MindSubject, items: int) -> MindSubject:
    """The same mind before problems of the other split: what lenses and probes are fitted on.

    By construction, no problem of one split is in the other.
    """
    other = "train" if subject.setup.split == "test" else "test"
    return MindSubject(subject.mind, replace(subject.setup, split=other, items=items))


def record(subject: MindSubject, book: Notebook) -> Record:
    """Let the mind think through all problems of its subject, batch by batch.

    Raises:
        PhospheneError: it thinks in words or not at all, so that there are no thoughts.
    """
    if subject.way not in ("thoughts", "pause") or subject.thoughts < 1:
        raise PhospheneError(
            f"{subject.mind.id} has no thoughts to read by --way {subject.way} with "
            f"{subject.thoughts} of them; use --way thoughts --thoughts 4, or pause"
        )
    parts = []
    for some in subject.batches():
        key = f"{subject.setup.split} {some[0].seed}-{some[-1].seed}"
        parts.append(book.arrays(f"states {key}", lambda some=some: _read(subject, some), key))
    whole = {name: np.concatenate([p[name] for p in parts]) for name in _MEASURED}
    said = [bytes(row).rstrip(b"\0").decode() for p in parts for row in p["said"]]
    right = whole["right"].astype(bool)
    return Record(
        subject.problems, whole["layers"], whole["thoughts"], right, whole["confidence"], said
    )


@torch.no_grad()
def _read(subject: MindSubject, some: Sequence[TextProblem]) -> dict[str, np.ndarray]:
    """One batch, as arrays."""
    sites = subject.wires.sites("layer")
    with subject.wires.reading(sites) as taken, _head(subject.mind.model) as seen:
        answered = subject.answer(some)
    where = _where(subject)
    layers = [torch.stack([taken.values[s][c][:, p] for s in sites], 1) for c, p in where]
    texts = [text.encode() for text in answered.answers]
    width = max(1, *map(len, texts))
    return {
        "layers": torch.stack(layers, 1).float().cpu().numpy(),
        "thoughts": torch.stack([seen[c][:, p] for c, p in where], 1).float().cpu().numpy(),
        "right": subject.right(some, answered).astype(np.uint8),
        "confidence": _confidence(subject, answered),
        "said": np.array([list(text.ljust(width, b"\0")) for text in texts], np.uint8),
    }


def _where(subject: MindSubject) -> list[tuple[int, int]]:
    """Call and position of every place: pauses are read in one call, thoughts in one each."""
    numbers = range(1, subject.thoughts + 1)
    if subject.way == "pause":
        return [(0, -1), *((1, t - 1) for t in numbers)]
    return [(0, -1), *((t, -1) for t in numbers)]


def _confidence(subject: MindSubject, answered: Answered) -> np.ndarray:
    """Probability of the likeliest token where the answer is said, `(b,)`."""
    mind, logits = subject.mind, answered.state.logits
    mark = mind.mark("answer")
    if mark:
        ids = torch.tensor(mark, device=mind.device).expand(len(logits), -1)
        logits = hear(mind, answered.state, ids)[1][:, -1]
    return logits.float().softmax(-1).amax(-1).cpu().numpy()


@contextmanager
def _head(model: Any) -> Iterator[list[torch.Tensor]]:
    """What the language-model head is given, call by call."""
    seen: list[torch.Tensor] = []
    handle = model.get_output_embeddings().register_forward_pre_hook(
        lambda module, args: seen.append(args[0].detach())
    )
    try:
        yield seen
    finally:
        handle.remove()
