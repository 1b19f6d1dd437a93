"""Any vision model that transformers can load: DINOv2, DINOv3, SigLIP's tower, ViT, ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import Embedding
from phosphene.errors import PhospheneError
from phosphene.exploring.seeing import pictures

_BATCH = 16  # pictures at a time


@dataclass(frozen=True)
class TransformersVision(Embedding):
    """Pooled features of an `AutoModel`, the mean of a few frames.

    Args:
        model: a directory or a hub id, with its image processor.
        pool: `first` takes the first token (DINO's CLS), `mean` the mean of all of them; of a model
            without tokens, the mean over places either way.
        looks: frames looked at, evenly from the first to the last.

    Raises:
        PhospheneError: a setting out of its range, or a model that isn't there.

    References:
        DINOv2: Learning Robust Visual Features without Supervision (Oquab et al., 2023),
        https://arxiv.org/abs/2304.07193
    """

    name: ClassVar[str] = "transformers_vision"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    model: str = "facebook/dinov2-small"
    pool: Literal["first", "mean"] = "first"
    looks: int = 3

    def __post_init__(self) -> None:
        if self.pool not in ("first", "mean") or self.looks < 1:
            raise PhospheneError(
                f"transformers_vision wants pool first or mean and looks >= 1; got {self.pool!r}, "
                f"{self.looks}"
            )

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Processor and network."""
        import torch
        from transformers import AutoImageProcessor, AutoModel

        try:
            processor = AutoImageProcessor.from_pretrained(self.model)
            network = AutoModel.from_pretrained(self.model)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise PhospheneError(
                f"embedding transformers_vision can't load {self.model}: {reason}; give a "
                f"directory that holds the model and its image processor"
            ) from None
        network = getattr(network, "vision_model", network)
        return processor, network.eval().to("cuda" if torch.cuda.is_available() else "cpu")

    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        rows = [self._one(pictures(clip, self.name, self.looks)) for clip in clips]
        if not rows:
            return np.zeros((0, 0), np.float32)
        out = np.stack(rows).astype(np.float32)
        return out / np.linalg.norm(out, axis=1, keepdims=True).clip(1e-12)

    def _one(self, frames: np.ndarray) -> np.ndarray:
        import torch

        processor, network = self._loaded
        shown = processor(images=list(frames), return_tensors="pt")["pixel_values"]
        found = []
        with torch.no_grad():
            for part in shown.split(_BATCH):
                tokens = network(pixel_values=part.to(network.device)).last_hidden_state
                found.append(self._pooled(tokens).float().cpu())
        return torch.cat(found).mean(0).numpy()

    def _pooled(self, tokens: Any) -> Any:
        """`(n, tokens, d)` or `(n, d, h, w)` to `(n, d)`."""
        if tokens.ndim == 4:
            return tokens.mean((2, 3))
        return tokens[:, 0] if self.pool == "first" else tokens.mean(1)


COMPONENT = TransformersVision
