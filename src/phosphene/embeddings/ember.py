"""Ember's own eyes: pictures and words in one space, from weights that travel with Phosphene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import TextEmbedding
from phosphene.embeddings._encoder import encoder


@dataclass(frozen=True)
class Ember(TextEmbedding):
    """Trained on Ember's world: it knows drawings and their captions, and little else."""

    name: ClassVar[str] = "ember"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        if not clips:
            return np.zeros((0, encoder().config["width"]), np.float32)
        return encoder().embed_clips(clips)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return encoder().embed_texts(texts)


COMPONENT = Ember
