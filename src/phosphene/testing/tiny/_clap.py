"""A tiny CLAP (joint encoder of text and sound) from config, with what prepares its inputs."""

from __future__ import annotations

from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    RobertaTokenizer,
)

from phosphene.testing.tiny._text import WIDTH

_MARKS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def clap_tokenizer() -> RobertaTokenizer:
    """Bytes; 261 tokens, 64 at most in a text."""
    words = [*_MARKS, *sorted(ByteLevel.alphabet())]
    return RobertaTokenizer(
        vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=64
    )


def clap_processor() -> ClapFeatureExtractor:
    """48 kHz sound -> 16 mel bins."""
    return ClapFeatureExtractor(feature_size=16)


def clap() -> ClapModel:
    """`(b, n)` tokens -> a pooled `(b, 32)`."""
    text = ClapTextConfig(
        vocab_size=len(_MARKS) + 256,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=WIDTH,
        max_position_embeddings=80,
    )
    audio = ClapAudioConfig(
        spec_size=64,
        num_mel_bins=16,
        window_size=4,
        patch_embeds_hidden_size=16,
        hidden_size=32,
        depths=[1, 1],
        num_attention_heads=[1, 2],
        num_hidden_layers=2,
        projection_dim=WIDTH,
    )
    return ClapModel(
        ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=WIDTH)
    )
