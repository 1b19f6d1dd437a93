"""Probe of a mind: a question put to a language model, answered with intervals and nulls."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, ClassVar

from phosphene.registry import Registry

if TYPE_CHECKING:
    from phosphene.minds.subject import MindSubject
    from phosphene.notebook import Notebook
    from phosphene.probe import Result

mind_probes = Registry("probe of a language model", "phosphene.minds.probes")


class MindProbe(abc.ABC):
    """A frozen dataclass whose fields are its settings. One file in `minds/probes/` is one probe.

    Class attributes:
        name: the file's.
        ASKS: the question, in one line.
        CONTROLS: what it is held against, in one line.
    """

    name: ClassVar[str]
    ASKS: ClassVar[str]
    CONTROLS: ClassVar[str]

    @abc.abstractmethod
    def run(self, subject: MindSubject, book: Notebook) -> Result:
        """Put the question.

        Args:
            subject: the model, the text task and its problems.
            book: keeps each finished unit of work, so that an interrupted run goes on; tells of
                progress.

        Raises:
            PhospheneError: the subject has not what the probe looks at; says what is missing.
        """
