"""Looking: every embedding and every quality, put to clips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import Embedding, PromptEmbedding, seen_streams
from phosphene.errors import PhospheneError
from phosphene.quality import Quality
from phosphene.request import Request


@dataclass(frozen=True)
class Look:
    """What was seen of one clip: embedding -> unit vector, quality -> score."""

    vectors: Mapping[str, np.ndarray]
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class Looker:
    """Looks at clips.

    Args:
        embeddings, qualities: by the names they are written down under.
    """

    embeddings: Mapping[str, Embedding | PromptEmbedding]
    qualities: Mapping[str, Quality]

    def look(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[Look]:
        """One look a clip; what lacks a stream is left out of it.

        Raises:
            PhospheneError: an embedding or a quality that gives no number.
        """
        vectors: list[dict[str, np.ndarray]] = [{} for _ in clips]
        scores: list[dict[str, float | None]] = [{} for _ in clips]
        for name, embedding in self.embeddings.items():
            able = _able(clips, embedding.streams)
            if able:
                if isinstance(embedding, PromptEmbedding):
                    rows = embedding.embed_prompts([requests[i].prompt for i in able])
                else:
                    rows = embedding.embed([clips[i] for i in able])
                if not np.isfinite(rows).all():
                    raise PhospheneError(f"embedding {name} gave what is no number; mend it")
                for i, row in zip(able, rows, strict=True):
                    # As it is written down, so that a session that goes on sees the same.
                    vectors[i][name] = row.astype("<f2").astype(np.float32)
        for name, quality in self.qualities.items():
            able = _able(clips, quality.streams)
            for i in range(len(clips)):
                scores[i][name] = None
            if able:
                found = quality.score([clips[i] for i in able], [requests[i] for i in able])
                for i, score in zip(able, found, strict=True):
                    if score is not None and not math.isfinite(score):
                        raise PhospheneError(
                            f"quality {name} gave {score}; a score is a number, or None"
                        )
                    scores[i][name] = None if score is None else float(score)
        return [Look(v, s) for v, s in zip(vectors, scores, strict=True)]


def _able(clips: Sequence[Clip], streams: frozenset[str]) -> list[int]:
    return [i for i, clip in enumerate(clips) if streams <= seen_streams(clip)]
