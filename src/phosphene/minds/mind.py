"""Mind: a decoder opened so that it can be made to think in vectors, be read and be edited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from phosphene.errors import PhospheneError

Way = Literal["thoughts", "cot", "pause", "none"]
WAYS: tuple[Way, ...] = ("thoughts", "cot", "pause", "none")


@dataclass(frozen=True)
class Manner:
    """How a mind was taught to answer: travels as `mind.json` beside its weights.

    Args:
        way: thoughts, continuous ones; cot, steps in words; pause, marks without content in the
            places of thoughts; none, the answer at once.
        thoughts: how many thoughts or pauses; for cot the most words.
        task: the text task it was taught, with its fields; empty where nothing is known.
        fields: of the task.
        begin, end: marks around thoughts; empty for a model that was never taught any.
        pause: mark of a pause.
        answer: mark before the answer.
    """

    way: Way = "none"
    thoughts: int = 0
    task: str = ""
    fields: Mapping[str, Any] | None = None
    begin: str = ""
    end: str = ""
    pause: str = ""
    answer: str = ""

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise PhospheneError(f"a mind thinks by {', '.join(WAYS)}; got {self.way!r}")
        if self.thoughts < 0:
            raise PhospheneError(f"thoughts must be 0 or more; got {self.thoughts}")

    @classmethod
    def load(cls, directory: Path) -> Manner:
        """What `directory/mind.json` says; that of a model that was never taught without one."""
        path = directory / "mind.json"
        if not path.exists():
            return cls()
        try:
            return cls(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise PhospheneError(f"{path} is damaged: {error}") from error

    def save(self, directory: Path) -> None:
        """Write `directory/mind.json`."""
        (directory / "mind.json").write_text(json.dumps(asdict(self), indent=1) + "\n")


class Mind:
    """A causal language model, or one that also sees, with its tokenizer and its manner.

    Args:
        model: a transformers model with a language-model head.
        tokenizer: its tokenizer; padded on the left here.
        manner: how it was taught to answer.
        id: what it is called in reports.
        processor: for models that see: turns pictures and words into inputs.

    Raises:
        PhospheneError: an encoder-decoder, or a model without a head that reads its last state.
    """

    def __init__(
        self, model: Any, tokenizer: Any, manner: Manner, id: str, processor: Any = None
    ) -> None:
        if getattr(model.config, "is_encoder_decoder", False):
            raise PhospheneError(f"{id} is an encoder-decoder; minds are decoders")
        if model.get_output_embeddings() is None:
            raise PhospheneError(f"{id} has no language-model head; open it as a causal LM")
        self.model = model
        self.tokenizer = tokenizer
        self.processor = processor
        self.manner = manner
        self.id = id

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        return self.model.get_input_embeddings().weight.device

    @cached_property
    def fingerprint(self) -> str:
        """12 hex digits of the weights: names, shapes and values."""
        digest = hashlib.sha256()
        for name, value in sorted(self.model.state_dict().items()):
            digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
            flat = value.detach().flatten()
            # All of a small tensor; of a large one a sample that any training step changes.
            flat = flat[:: max(1, flat.numel() // 65536)].cpu().float()
            digest.update(flat.numpy().tobytes())
        return digest.hexdigest()[:12]

    def mark(self, name: Literal["begin", "end", "pause", "answer"]) -> list[int]:
        """Token ids of one of the manner's marks; empty where it has none."""
        text = getattr(self.manner, name)
        return self.ids(text) if text else []

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, without marks of begin or end."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def inputs(
        self, questions: Sequence[str], pictures: Sequence[np.ndarray] | None = None
    ) -> dict[str, torch.Tensor]:
        """A padded batch: `input_ids` and `attention_mask` `(b, n)`, padded on the left.

        Raises:
            PhospheneError: no questions, an empty one, or pictures for a model that sees none.
        """
        if not questions or not all(q.strip() for q in questions):
            raise PhospheneError("a question is empty; write what is asked")
        if pictures is not None:
            return self._seen(questions, pictures)
        return self.padded([self.ids(q) for q in questions])

    def padded(self, rows: Sequence[Sequence[int]], left: bool = True) -> dict[str, torch.Tensor]:
        """Token ids of several lengths as one batch."""
        length = max(len(row) for row in rows)
        ids = torch.full((len(rows), length), self.padding)
        mask = torch.zeros((len(rows), length), dtype=torch.long)
        for i, row in enumerate(rows):
            place = slice(length - len(row), length) if left else slice(0, len(row))
            ids[i, place] = torch.tensor(row, dtype=torch.long)
            mask[i, place] = 1
        return {"input_ids": ids.to(self.device), "attention_mask": mask.to(self.device)}

    @property
    def padding(self) -> int:
        """Id put where there is nothing; it is masked, so any will do."""
        own = self.tokenizer.pad_token_id
        return own if own is not None else (self.tokenizer.eos_token_id or 0)

    @property
    def stop(self) -> int | None:
        """Id after which nothing more is said."""
        return self.tokenizer.eos_token_id

    def _seen(
        self, questions: Sequence[str], pictures: Sequence[np.ndarray]
    ) -> dict[str, torch.Tensor]:
        """Words and pictures as the model's own processor puts them together."""
        if self.processor is None:
            raise PhospheneError(f"{self.id} sees no pictures; ask it in words")
        if len(questions) != len(pictures):
            raise PhospheneError(
                f"{len(questions)} questions with {len(pictures)} pictures; give each one its own"
            )
        made = self.processor(
            text=[self._beside_picture(q) for q in questions],
            images=[[picture] for picture in pictures],
            padding=True,
            return_tensors="pt",
        )
        kind = self.model.dtype
        return {
            k: v.to(self.device, kind if v.is_floating_point() else None) for k, v in made.items()
        }

    def _beside_picture(self, question: str) -> str:
        """The question with the mark of its picture, in the form that the model was taught."""
        if getattr(self.processor, "chat_template", None):
            asked = [{"type": "image"}, {"type": "text", "text": question}]
            chat = [{"role": "user", "content": asked}]
            return self.processor.apply_chat_template(chat, add_generation_prompt=True)
        mark = getattr(self.processor, "image_token", None)
        if mark is None:
            raise PhospheneError(
                f"the processor of {self.id} has neither a chat template nor a mark for pictures"
            )
        return f"{mark} {question}"
