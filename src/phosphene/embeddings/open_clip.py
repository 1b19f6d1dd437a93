"""Any model of open_clip: pictures and words in one space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import TextEmbedding
from phosphene.errors import PhospheneError
from phosphene.exploring.seeing import pictures

_BATCH = 16  # pictures at a time


@dataclass(frozen=True)
class OpenClip(TextEmbedding):
    """Image features, the mean of a few frames' unit vectors; text features as they are.

    Args:
        model: a name of `open_clip.list_models()`, `hf-hub:OWNER/NAME`, or a directory with
            `open_clip_config.json` and weights.
        pretrained: a tag of `open_clip.list_pretrained()` or a file of weights, for a plain name.
        looks: frames looked at, evenly from the first to the last.

    Raises:
        PhospheneError: a setting out of its range, open_clip is not installed, or a model or
            weights that aren't there.

    References:
        Reproducible scaling laws for contrastive language-image learning (Cherti et al., 2022),
        https://arxiv.org/abs/2212.07143
    """

    name: ClassVar[str] = "open_clip"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    model: str = "ViT-B-32"
    pretrained: str = "laion2b_s34b_b79k"
    looks: int = 3

    def __post_init__(self) -> None:
        if self.looks < 1:
            raise PhospheneError(f"open_clip.looks must be at least 1; got {self.looks}")

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any]:
        """Network, picture transform, tokenizer."""
        try:
            import open_clip
            import torch
        except ModuleNotFoundError as error:
            raise PhospheneError(
                f"embedding open_clip needs {error.name}; pip install open_clip_torch"
            ) from None
        model = f"local-dir:{self.model}" if Path(self.model).is_dir() else self.model
        whole = ":" in model
        try:
            network, _, transform = open_clip.create_model_and_transforms(
                model, pretrained=None if whole else self.pretrained
            )
            tokenizer = open_clip.get_tokenizer(model)
        except Exception as error:  # it raises bare RuntimeErrors and the hub's own
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise PhospheneError(
                f"embedding open_clip can't load {self.model} ({self.pretrained}): {reason}; give "
                f"a directory or a file of weights"
            ) from None
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return network.eval().to(device), transform, tokenizer

    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        rows = [self._one(pictures(clip, self.name, self.looks)) for clip in clips]
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    def _one(self, frames: np.ndarray) -> np.ndarray:
        import torch
        from PIL import Image

        network, transform, _ = self._loaded
        shown = torch.stack([transform(Image.fromarray(frame)) for frame in frames])
        device = next(network.parameters()).device
        with torch.no_grad():
            found = [
                network.encode_image(part.to(device), normalize=True).float().cpu()
                for part in shown.split(_BATCH)
            ]
        return _unit(torch.cat(found).mean(0, keepdim=True).numpy())[0]

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        import torch

        network, _, tokenizer = self._loaded
        device = next(network.parameters()).device
        with torch.no_grad():
            found = network.encode_text(tokenizer(list(texts)).to(device), normalize=True)
        return _unit(found.float().cpu().numpy())


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)


COMPONENT = OpenClip
