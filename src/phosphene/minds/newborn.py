"""Newborn: the model that a training run starts from, fresh or taken from a base."""

from __future__ import annotations

from typing import Any

from phosphene.minds.mind import Manner, Mind
from phosphene.minds.settings import MindConfig
from phosphene.minds.task import TextTask
from phosphene.minds.words import ANSWER, BEGIN, END, PAUSE, word_tokenizer


def newborn(config: MindConfig, task: TextTask) -> Mind:
    """A model that knows the task's words and the marks of thinking, and nothing yet.

    Raises:
        PhospheneError: a base that can't be opened.
    """
    fields = dict(vars(task))
    manner = Manner(config.way, config.thoughts, task.name, fields, BEGIN, END, PAUSE, ANSWER)
    if config.base:
        return _taught(config.base, manner)
    if config.family == "llava":
        from phosphene.testing.vlm import tiny_vlm

        made = tiny_vlm(task, seed=config.seed, **config.model)
        return Mind(made.model, made.tokenizer, manner, config.out.name, made.processor)
    return Mind(*_fresh(config, task), manner, config.out.name)


def _fresh(config: MindConfig, task: TextTask) -> tuple[Any, Any]:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = word_tokenizer(task.words())
    settings = AutoConfig.for_model(
        config.family,
        vocab_size=len(tokenizer),
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **config.model,
    )
    torch.manual_seed(config.seed)
    return AutoModelForCausalLM.from_config(settings), tokenizer


def _taught(base: str, manner: Manner) -> Mind:
    """A base with the marks added to its vocabulary; their embeddings start at the mean."""
    from phosphene.minds.opening import open_mind

    mind = open_mind(base)
    marks = {"additional_special_tokens": [BEGIN, END, PAUSE, ANSWER]}
    if mind.tokenizer.add_special_tokens(marks):
        mind.model.resize_token_embeddings(len(mind.tokenizer))
    return Mind(mind.model, mind.tokenizer, manner, mind.id, mind.processor)
