"""Alignment: the clip shows what the prompt says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from phosphene.clip import Clip
from phosphene.embedding import TextEmbedding, embeddings, seen_streams
from phosphene.errors import PhospheneError
from phosphene.quality import Quality
from phosphene.request import Request


@dataclass(frozen=True)
class Alignment(Quality):
    """Cosine of prompt and clip in a space of both; None without a prompt.

    Args:
        embedding: one that reads words: `ember`, `open_clip`, `pe_av`.
        settings: its fields.

    Raises:
        PhospheneError: an embedding that reads no words.

    References:
        CLIPScore: A Reference-free Evaluation Metric for Image Captioning (Hessel et al., 2021),
        https://arxiv.org/abs/2104.08718
    """

    name: ClassVar[str] = "alignment"
    streams: ClassVar[frozenset[str]] = frozenset()

    embedding: str = "ember"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _space(self) -> TextEmbedding:
        space = embeddings.get(self.embedding)(**self.settings)
        if not isinstance(space, TextEmbedding):
            raise PhospheneError(
                f"embedding {self.embedding} reads no words; alignment wants one that does: "
                f"ember, open_clip or pe_av"
            )
        return space

    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        out: list[float | None] = [None] * len(clips)
        able = [
            i
            for i, (clip, request) in enumerate(zip(clips, requests, strict=True))
            if request.prompt.strip() and self._space.streams <= seen_streams(clip)
        ]
        if not able:
            return out
        shown = self._space.embed([clips[i] for i in able])
        prompts = sorted({requests[i].prompt for i in able})
        said = dict(zip(prompts, self._space.embed_texts(prompts), strict=True))
        for i, point in zip(able, shown, strict=True):
            out[i] = float(point @ said[requests[i].prompt])
        return out


COMPONENT = Alignment
