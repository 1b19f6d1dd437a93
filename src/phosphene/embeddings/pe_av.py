"""Perception Encoder audio-visual: pictures, sound, both and words in one space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import TextEmbedding
from phosphene.errors import PhospheneError
from phosphene.exploring.hearing import heard
from phosphene.exploring.seeing import pictures

_LOOKED_AT = {"both": {"video", "audio"}, "video": {"video"}, "audio": {"audio"}}


@dataclass(frozen=True)
class PeAv(TextEmbedding):
    """The heads of `PeAudioVideoModel`, one clip at a time.

    Args:
        model: a directory or a hub id, with its processor; `-16-frame` models look at 16 frames.
        stream: what is looked at: `both`, `video` or `audio`. Words go into the space of the same.
        looks: frames looked at, evenly from the first to the last; a shorter clip's repeat.

    Raises:
        PhospheneError: a setting out of its range, or a model that isn't there.

    References:
        Pushing the Frontier of Audiovisual Perception with Large-Scale Multimodal Correspondence
        Learning (Vyas et al., 2025), https://arxiv.org/abs/2512.19687
    """

    name: ClassVar[str] = "pe_av"
    streams: ClassVar[frozenset[str]] = frozenset({"video", "audio"})

    model: str = "facebook/pe-av-small-16-frame"
    stream: Literal["both", "video", "audio"] = "both"
    looks: int = 16

    def __post_init__(self) -> None:
        if self.stream not in _LOOKED_AT or self.looks < 1:
            raise PhospheneError(
                f"pe_av wants stream both, video or audio and looks >= 1; got {self.stream!r}, "
                f"{self.looks}"
            )
        object.__setattr__(self, "streams", frozenset(_LOOKED_AT[self.stream]))

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Processor and network."""
        import torch
        from transformers import PeAudioVideoModel, PeAudioVideoProcessor

        try:
            processor = PeAudioVideoProcessor.from_pretrained(self.model)
            network: Any = PeAudioVideoModel.from_pretrained(self.model)
        except (OSError, ValueError, ImportError) as error:
            reason = str(error).strip().splitlines()[0]
            raise PhospheneError(
                f"embedding pe_av can't load {self.model}: {reason}; give a directory that holds "
                f"the model and its processor"
            ) from None
        return processor, network.eval().to("cuda" if torch.cuda.is_available() else "cpu")

    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        rows = [self._one(clip) for clip in clips]
        return _unit(np.concatenate(rows)) if rows else np.zeros((0, 0), np.float32)

    def _one(self, clip: Clip) -> np.ndarray:
        import torch

        _, network = self._loaded
        given = {}
        if "video" in self.streams:
            given["pixel_values_videos"] = self._seen(clip)
        if "audio" in self.streams:
            given["input_values"] = self._heard(clip)
        given = {name: value.to(network.device) for name, value in given.items()}
        with torch.no_grad():
            if self.stream == "both":
                found = network.get_audio_video_embeds(**given).audio_video_embeds
            elif self.stream == "video":
                # transformers' own get_video_embeds calls what isn't there.
                eye = network.video_model
                found = eye.video_head(eye.video_encoder(**given).pooler_output)
            else:
                found = network.get_audio_embeds(**given)
        return found.float().cpu().numpy()

    def _seen(self, clip: Clip) -> Any:
        """Frames as the network wants them, float32 `(1, t, 3, h, w)`."""
        import torch

        processor, _ = self._loaded
        frames = pictures(clip, self.name)
        which = np.linspace(0, len(frames) - 1, self.looks).round().astype(int)
        shown = torch.from_numpy(frames[which]).permute(0, 3, 1, 2)
        # The frames are chosen already; the processor would choose again.
        made = processor.video_processor([shown], do_sample_frames=False, return_tensors="pt")
        return made["pixel_values_videos"]

    def _heard(self, clip: Clip) -> Any:
        """Sound as the network wants it, float32 `(1, 1, samples)`."""
        processor, _ = self._loaded
        listener = processor.feature_extractor
        rate = listener.sampling_rate
        track = heard(clip, self.name, rate)
        made = listener(track, sampling_rate=rate, return_tensors="pt")
        return made["input_values"]

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        import torch

        processor, network = self._loaded
        given = processor.tokenizer(
            list(texts), padding=True, truncation=True, return_tensors="pt"
        ).to(network.device)
        head = {
            "both": network.text_audio_video_head,
            "video": network.video_model.text_video_head,
            "audio": network.audio_model.text_audio_head,
        }[self.stream]
        with torch.no_grad():
            told = network.text_model(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                output_hidden_states=True,
            )
            found = head(told.hidden_states[-1][:, 0])
        return _unit(found.float().cpu().numpy())


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)


COMPONENT = PeAv
