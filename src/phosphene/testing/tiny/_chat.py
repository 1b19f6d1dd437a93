"""Tiny language models from config, and their tokenizers, for families that wrap the prompt.

Those pipelines put the prompt into a fixed template and cut the template off again by a count of
tokens. So the Qwen and Llama tokenizers here learn the template's words, which makes that count
about right, and spell everything else by bytes: every prompt stays distinct.
"""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    Gemma2Config,
    Gemma2Model,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GemmaTokenizer,
    LlamaConfig,
    LlamaModel,
    LlamaTokenizer,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2_5_VLTextConfig,
    Qwen2_5_VLTextModel,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
)
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from phosphene.testing.tiny._text import LETTERS, WIDTH

_SHAPE: dict[str, Any] = {
    "hidden_size": WIDTH,
    "intermediate_size": 2 * WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def gemma_tokenizer() -> GemmaTokenizer:
    """Printable ASCII by character; 100 tokens; pads on the left."""
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *LETTERS]
    return GemmaTokenizer(vocab={word: i for i, word in enumerate(words)}, model_max_length=1024)


_GEMMA_TEXT: dict[str, Any] = _SHAPE | {
    "vocab_size": 6 + len(LETTERS),
    "num_key_value_heads": 1,
    "head_dim": 16,
}


def gemma2() -> Gemma2Model:
    """`(b, n)` tokens -> `(b, n, 32)` states."""
    return Gemma2Model(Gemma2Config(**_GEMMA_TEXT, max_position_embeddings=8192))


def gemma3() -> Gemma3ForConditionalGeneration:
    """`(b, n)` tokens -> 3 hidden states `(b, n, 32)`: the embedding and two layers."""
    vision = _SHAPE | {"image_size": 16, "patch_size": 8}
    config = Gemma3Config(text_config=_GEMMA_TEXT, vision_config=vision, mm_tokens_per_image=4)
    return Gemma3ForConditionalGeneration(config)


def _learn(text: str, splitter: pre_tokenizers.PreTokenizer) -> tuple[dict[str, int], list[Any]]:
    """Byte-pair vocabulary and merges under which every word of `text` is one token."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = splitter
    trainer = trainers.BpeTrainer(
        vocab_size=100_000,
        min_frequency=1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator([text], trainer)
    model = json.loads(learner.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


_QWEN_MARKS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
_QWEN_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def qwen_tokenizer(template: str) -> Qwen2Tokenizer:
    """Bytes, the words of `template` and Qwen's marks; under 600 tokens; pads on the right."""
    splitter = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    vocabulary, merges = _learn(template, splitter)
    return Qwen2Tokenizer(
        vocab=vocabulary,
        merges=merges,
        extra_special_tokens=_QWEN_MARKS,
        model_max_length=1024,
        chat_template=_QWEN_CHAT,
    )


def qwen_processor(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLProcessor:
    """Text through `tokenizer`; pictures shrunk to at most 56 x 56 pixels, patches of 14."""
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=56 * 56),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
    )


def _qwen_vl_text(tokenizer: Qwen2Tokenizer) -> dict[str, Any]:
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 3, 3]}
    return _SHAPE | {
        "vocab_size": len(tokenizer),
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
        "rope_parameters": rope,
    }


def qwen_vl(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLForConditionalGeneration:
    """`(b, n)` tokens, and pictures in patches -> hidden states `(b, n, 32)`."""
    vision = {
        "depth": 2,
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
        "fullatt_block_indexes": [1],
    }
    marks: dict[str, Any] = {
        "image_token_id": tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        "video_token_id": tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        "vision_start_token_id": tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        "vision_end_token_id": tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    }
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=_qwen_vl_text(tokenizer), vision_config=vision, **marks)
    )


def qwen_text(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLTextModel:
    """`(b, n)` tokens -> 4 hidden states `(b, n, 32)`: the embedding and three layers."""
    shape: dict[str, Any] = _qwen_vl_text(tokenizer) | {"num_hidden_layers": 3}
    return Qwen2_5_VLTextModel(Qwen2_5_VLTextConfig(**shape))


def qwen3(tokenizer: Qwen2Tokenizer) -> Qwen3Model:
    """`(b, n)` tokens -> 4 hidden states `(b, n, 32)`: the embedding and three layers."""
    return Qwen3Model(_qwen3_config(tokenizer, layers=3))


def qwen3_causal(tokenizer: Qwen2Tokenizer, layers: int) -> Qwen3ForCausalLM:
    """`(b, n)` tokens -> `1 + layers` hidden states `(b, n, 32)`, and logits."""
    return Qwen3ForCausalLM(_qwen3_config(tokenizer, layers))


def _qwen3_config(tokenizer: Qwen2Tokenizer, layers: int) -> Qwen3Config:
    shape: dict[str, Any] = _SHAPE | {"num_hidden_layers": layers, "vocab_size": len(tokenizer)}
    return Qwen3Config(**shape, num_key_value_heads=1, head_dim=16)


def llama_tokenizer(template: str) -> LlamaTokenizer:
    """Bytes, the words of `template` and Llama 3's marks; pads on the right."""
    splitter = pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Metaspace()]
    )
    vocabulary, merges = _learn(template, splitter)
    for word in ["<unk>", "<s>", "</s>", "<pad>", *(f"<0x{i:02X}>" for i in range(256))]:
        vocabulary.setdefault(word, len(vocabulary))
    return LlamaTokenizer(
        vocab=vocabulary,
        merges=merges,
        pad_token="<pad>",
        padding_side="right",
        extra_special_tokens=["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    )


def llama(tokenizer: LlamaTokenizer) -> LlamaModel:
    """`(b, n)` tokens -> 4 hidden states `(b, n, 32)`: the embedding and three layers."""
    shape: dict[str, Any] = _SHAPE | {"num_hidden_layers": 3, "vocab_size": len(tokenizer)}
    return LlamaModel(LlamaConfig(**shape, num_key_value_heads=1))
