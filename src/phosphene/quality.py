"""Quality: how good a clip is, by one measure; search never follows one alone."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import ClassVar

from phosphene.clip import Clip
from phosphene.registry import Registry
from phosphene.request import Request

qualities = Registry("quality", "phosphene.qualities")


class Quality(abc.ABC):
    """A frozen dataclass: its fields are its settings. Weights load at first use.

    Attributes:
        name: as registered.
        streams: what it looks at, of `video` and `audio`; a clip that lacks one isn't judged.
    """

    name: ClassVar[str]
    streams: ClassVar[frozenset[str]]

    @abc.abstractmethod
    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        """One number a clip, higher is better, None where it can't be judged; a clip's depends on
        that clip and its request alone. Only ranks are used, so any unit does.

        Raises:
            PhospheneError: its weights or packages are not there.
        """
