"""Mixtures of experts for tests: tiny random ones of each family, and planted ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phosphene.minds.mind import Manner, Mind
from phosphene.minds.tasks.chase import Chase
from phosphene.minds.words import ANSWER, BEGIN, END, PAUSE, word_tokenizer

FAMILIES = ("mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "deepseek_v2", "deepseek_v3", "gpt_oss")
_LATENT: dict[str, Any] = {
    "num_key_value_heads": 4,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "n_group": 2,
    "topk_group": 1,
    "moe_intermediate_size": 16,
}
_OWN: dict[str, dict[str, Any]] = {
    "mixtral": {"intermediate_size": 16},
    "qwen2_moe": {"moe_intermediate_size": 16, "shared_expert_intermediate_size": 16},
    "qwen3_moe": {"moe_intermediate_size": 16, "head_dim": 8},
    "olmoe": {"intermediate_size": 16},
    "deepseek_v2": {**_LATENT, "topk_method": "group_limited_greedy"},
    "deepseek_v3": _LATENT,
    "gpt_oss": {"intermediate_size": 16, "head_dim": 8},
}
_COUNTS = {
    "mixtral": "num_local_experts",
    "gpt_oss": "num_local_experts",
    "deepseek_v2": "n_routed_experts",
    "deepseek_v3": "n_routed_experts",
}


def tiny_moe(
    family: str = "mixtral",
    layers: int = 3,
    experts: int = 8,
    top: int = 2,
    thoughts: int = 2,
    seed: int = 0,
    words: Sequence[str] = (),
    **config: Any,
) -> Mind:
    """A mixture of experts with random weights that knows the words of chase.

    Args:
        family: one of `FAMILIES`; those of DeepSeek have a dense first layer and groups.
        layers, experts, top: how many, experts a layer, and how many of them a token gets.
        thoughts: in its manner.
        seed: of the weights, which are larger than usual, so that experts make a difference.
        words: further words.
        config: further values of the family's configuration.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    task = Chase()
    tokenizer = word_tokenizer([*task.words(), *words])
    values = {"num_key_value_heads": 2, **_OWN[family], **config}
    values |= {_COUNTS.get(family, "num_experts"): experts, "num_experts_per_tok": top}
    settings = AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **values,
    )
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(settings).eval()
    manner = Manner("thoughts", thoughts, task.name, vars(task), BEGIN, END, PAUSE, ANSWER)
    return Mind(model, tokenizer, manner, f"tiny-{family}")
