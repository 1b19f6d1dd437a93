"""Pairing: sound and picture mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from phosphene.clip import Clip
from phosphene.embedding import Embedding, embeddings
from phosphene.errors import PhospheneError
from phosphene.quality import Quality
from phosphene.request import Request


@dataclass(frozen=True)
class Pairing(Quality):
    """Cosine of a clip's pictures and its sound, in two embeddings that share their space.

    Where `coherence` asks whether they move together, this asks whether they belong together.

    Args:
        pictures, sound: embeddings of either; see `phosphene ls embeddings`.

    Raises:
        PhospheneError: an embedding of something else, or two of different widths.

    References:
        ImageBind: One Embedding Space To Bind Them All (Girdhar et al., 2023),
        https://arxiv.org/abs/2305.05665
    """

    name: ClassVar[str] = "pairing"
    streams: ClassVar[frozenset[str]] = frozenset({"video", "audio"})

    pictures: str = "ember"
    sound: str = "ember_sound"

    @cached_property
    def _spaces(self) -> tuple[Embedding, Embedding]:
        found = embeddings.get(self.pictures)(), embeddings.get(self.sound)()
        if found[0].streams != {"video"} or found[1].streams != {"audio"}:
            raise PhospheneError(
                f"pairing wants an embedding of pictures and one of sound in the same space; got "
                f"{self.pictures} and {self.sound}"
            )
        return found

    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        seen, heard = (space.embed(clips) for space in self._spaces)
        if seen.shape != heard.shape:
            raise PhospheneError(
                f"{self.pictures} and {self.sound} share no space: {seen.shape[1]} and "
                f"{heard.shape[1]} numbers"
            )
        return [float(x) for x in (seen * heard).sum(1)]


COMPONENT = Pairing
