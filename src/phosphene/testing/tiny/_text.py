"""Tiny text encoders from config, and tokenizers made in memory that spell any text by letters.

No learned vocabulary: one token is one byte (CLIP) or one printable ASCII character (T5; others are
unknown). So different prompts are different tokens, up to the pipeline's length limit (75 letters
for CLIP).
"""

from __future__ import annotations

from typing import Any

from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

WIDTH = 32  # features of every tiny text encoder
LETTERS = [chr(i) for i in range(33, 127)]


def clip_tokenizer() -> CLIPTokenizer:
    """Bytes, each also as the last of its word; 514 tokens."""
    return CLIPTokenizer(vocab=_clip_vocabulary(), merges=[], model_max_length=77)


def _clip_vocabulary() -> dict[str, int]:
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    return {word: i for i, word in enumerate(words)}


def _clip_config(**changes: Any) -> CLIPTextConfig:
    vocabulary = _clip_vocabulary()
    return CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=WIDTH,
        bos_token_id=vocabulary["<|startoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
        pad_token_id=vocabulary["<|endoftext|>"],
        **changes,
    )


def clip_text() -> CLIPTextModel:
    """`(b, 77)` tokens -> `(b, 77, 32)` states and a pooled `(b, 32)`."""
    return CLIPTextModel(_clip_config())


def clip_text_projected() -> CLIPTextModelWithProjection:
    """As `clip_text`, the pooled state projected: `(b, 32)` text_embeds."""
    return CLIPTextModelWithProjection(_clip_config(hidden_act="gelu"))


def t5_tokenizer(model_max_length: int = 512) -> T5Tokenizer:
    """Printable ASCII by character; 98 tokens; pads on the right."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    return T5Tokenizer(
        vocab=special + [(c, -3.0) for c in LETTERS],
        extra_ids=0,
        additional_special_tokens=[],
        model_max_length=model_max_length,
    )


_T5_SHAPE: dict[str, Any] = {
    "vocab_size": 4 + len(LETTERS),
    "d_model": WIDTH,
    "d_kv": 8,
    "d_ff": 2 * WIDTH,
    "num_layers": 2,
    "num_heads": 4,
    "feed_forward_proj": "gated-gelu",
}


def t5_encoder(width: int = WIDTH) -> T5EncoderModel:
    """`(b, n)` tokens -> `(b, n, width)` states."""
    shape: dict[str, Any] = _T5_SHAPE | {"d_model": width}
    return T5EncoderModel(T5Config(**shape))


def byt5_encoder() -> T5EncoderModel:
    """As `t5_encoder`, with the 384 byte tokens of a ByT5 tokenizer."""
    shape: dict[str, Any] = _T5_SHAPE | {"vocab_size": 384}
    return T5EncoderModel(T5Config(**shape))


def umt5_encoder() -> UMT5EncoderModel:
    """`(b, n)` tokens -> `(b, n, 32)` states; a relative-position table in each layer."""
    return UMT5EncoderModel(UMT5Config(**_T5_SHAPE))
