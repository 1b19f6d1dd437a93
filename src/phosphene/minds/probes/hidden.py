"""hidden: is a decision made in thought before it is spoken?"""

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
class Hidden(MindProbe):
    """States along the way to an answer are read for the answer that the mind itself will give:
    after the question, after each thought or at five places of a scratchpad, and at the word.

    The time to read is the first place from which on the decision is read better than by guessing;
    the time to say is where the word is said. What lies between is decided and not yet spoken.

    Args:
        draws: permuted decisions, at least 40.
        folds: parts of the problems, each read by what was fitted on the others.
        tokens: most tokens of a scratchpad.
        seed: of folds and permutations.
    """

    draws: int = 60
    folds: int = 5
    tokens: int = 200
    seed: int = 0
    name: ClassVar[str] = "hidden"
    ASKS: ClassVar[str] = (
        "Is its decision in its thoughts before it is spoken, and how long before?"
    )
    CONTROLS: ClassVar[str] = (
        "decisions dealt to other problems, the largest over all places counted; guessing among "
        "the options; the words of the question alone"
    )

    def __post_init__(self) -> None:
        if self.draws < 40 or self.folds < 2 or self.tokens < 1:
            raise PhospheneError(
                f"hidden needs draws >= 40, folds >= 2 and tokens >= 1; got {self.draws}, "
                f"{self.folds}, {self.tokens}"
            )

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        from phosphene.minds.compliance.hiding import study

        return study(self, subject, book)


COMPONENT = Hidden
