"""Embedding: clips as points, so that distance means difference."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.registry import Registry

embeddings = Registry("embedding", "phosphene.embeddings")


class Embedding(abc.ABC):
    """A frozen dataclass: its fields are its settings. Weights load at first use.

    Attributes:
        name: as registered.
        streams: what it looks at, of `video` (pictures, moving or not) and `audio`; a clip that
            lacks one of them can't be embedded.
    """

    name: ClassVar[str]
    streams: ClassVar[frozenset[str]]

    @abc.abstractmethod
    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        """Unit vectors float32 `(len(clips), width)`; a clip's depends on that clip alone.

        Raises:
            PhospheneError: its weights or packages are not there (the message says what to
                install), or a clip lacks a stream.
        """


class TextEmbedding(Embedding):
    """One that puts words into the same space."""

    @abc.abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 `(len(texts), width)`."""


class PromptEmbedding(abc.ABC):
    """One of what was asked for, not of what was made. A frozen dataclass, as an `Embedding` is.

    Attributes:
        name: as registered.
        streams: none.
    """

    name: ClassVar[str]
    streams: ClassVar[frozenset[str]] = frozenset()

    @abc.abstractmethod
    def embed_prompts(self, prompts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 `(len(prompts), width)`."""


def seen_streams(clip: Clip) -> frozenset[str]:
    """The streams that a clip has, of `video` and `audio`."""
    found = {"video": clip.frames is not None, "audio": clip.audio is not None}
    return frozenset(name for name, there in found.items() if there)
