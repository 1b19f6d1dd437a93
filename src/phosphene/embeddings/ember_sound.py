"""Ember's own ears: sound and words in the space of `ember`'s pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import TextEmbedding
from phosphene.embeddings._encoder import encoder


@dataclass(frozen=True)
class EmberSound(TextEmbedding):
    """Trained on Ember's world: it knows clicks and tones that go with drawings."""

    name: ClassVar[str] = "ember_sound"
    streams: ClassVar[frozenset[str]] = frozenset({"audio"})

    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        if not clips:
            return np.zeros((0, encoder().config["width"]), np.float32)
        return encoder().embed_sounds(clips)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return encoder().embed_texts(texts)


COMPONENT = EmberSound
