"""direction: knowing the condition, deciding by it, and whether one direction does both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from phosphene.errors import PhospheneError
from phosphene.minds.probe import MindProbe

if TYPE_CHECKING:
    from phosphene.minds.subject import MindSubject
    from phosphene.notebook import Notebook
    from phosphene.probe import Result


@dataclass(frozen=True)
class Direction(MindProbe):
    """Harmless requests are put in every arm of the compliance bench; states before the word that
    decides are read linearly, family by family, and moved.

    That a condition can be read says little: it is written in the prompt. What counts is whether
    behaviour depends on it, and whether moving the state along the condition's direction moves the
    decision as far as the condition itself does.

    Args:
        draws: permutations of labels, and random directions, at least 40.
        layers: most layers that are looked at, spread evenly; 0 for all.
        twin: also read a twin with random weights.
        seed: of permutations and random directions.

    References:
        Value-Conflict Diagnostics (2026), https://arxiv.org/abs/2604.20995
        Detecting Strategic Deception Using Linear Probes (Goldowsky-Dill et al., 2025),
        https://arxiv.org/abs/2502.03407
    """

    draws: int = 60
    layers: int = 8
    twin: bool = True
    seed: int = 0
    name: ClassVar[str] = "direction"
    ASKS: ClassVar[str] = "Is the condition merely known, or does the decision hang on it?"
    CONTROLS: ClassVar[str] = (
        "labels swapped within queries; bag of words, mean embedding, placebo tag and a twin with "
        "random weights; tags whose meanings are swapped; random and unrelated directions of the "
        "same length; each family read by what the others taught"
    )

    def __post_init__(self) -> None:
        if self.draws < 40 or self.layers < 0:
            raise PhospheneError(
                f"direction needs draws >= 40 and layers >= 0; got {self.draws}, {self.layers}"
            )

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        from phosphene.minds.compliance.knowing import study

        if subject.task.name != "tier":
            raise PhospheneError(
                f"direction puts requests of the task tier; {subject.task.name} has none: give "
                f"--task tier"
            )
        return study(self, subject, book)


COMPONENT = Direction
