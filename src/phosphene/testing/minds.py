"""Minds for tests: tiny random decoders of any family, with a tokenizer of whole words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phosphene.minds.mind import Manner, Mind
from phosphene.minds.task import TextTask
from phosphene.minds.tasks.chase import Chase
from phosphene.minds.words import ANSWER, BEGIN, END, PAUSE, word_tokenizer


def tiny_mind(
    family: str = "gpt2",
    task: TextTask | None = None,
    layers: int = 2,
    width: int = 32,
    thoughts: int = 3,
    seed: int = 0,
    words: Sequence[str] = (),
    **config: Any,
) -> Mind:
    """A decoder with random weights that knows the words of a task and the marks of thinking.

    Args:
        family: model type as transformers names it: gpt2, llama, qwen3, mixtral, ...
        task: whose words it knows; chase if None.
        layers, width: of the decoder; it has four heads.
        thoughts: in its manner.
        seed: of the weights.
        words: further words.
        config: further values of the family's configuration.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    asked = task or Chase()
    tokenizer = word_tokenizer([*asked.words(), *words])
    settings = AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **({} if family == "gpt2" else {"intermediate_size": 2 * width, "num_key_value_heads": 2}),
        **config,
    )
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(settings).eval()
    manner = Manner("thoughts", thoughts, asked.name, vars(asked), BEGIN, END, PAUSE, ANSWER)
    return Mind(model, tokenizer, manner, f"tiny-{family}")
