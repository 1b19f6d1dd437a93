"""A tiny model that sees: vision tower and decoder from scratch, and a processor of its own."""

from __future__ import annotations

from typing import Any

from phosphene.minds.mind import Manner, Mind
from phosphene.minds.task import TextTask
from phosphene.minds.words import ANSWER, BEGIN, END, PAUSE, word_tokenizer

PICTURE = "<image>"


def tiny_vlm(
    task: TextTask,
    side: int = 40,
    patch: int = 8,
    layers: int = 2,
    width: int = 64,
    thoughts: int = 2,
    seed: int = 0,
) -> Mind:
    """A LLaVA with random weights that knows the words of a task and the marks of thinking.

    Args:
        task: whose words it knows.
        side: of the square pictures it takes, in pixels; other sizes are scaled.
        patch: side of the patches it cuts them into: one position each.
        layers, width: of both the vision tower and the decoder; each has four heads.
        thoughts: in its manner.
        seed: of the weights.

    References:
        Visual Instruction Tuning (Liu et al., 2023), https://arxiv.org/abs/2304.08485
    """
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    processor = tiny_processor(task, side, patch)
    words = processor.tokenizer
    shape = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
    }
    config = LlavaConfig(
        vision_config={
            "model_type": "clip_vision_model",
            "image_size": side,
            "patch_size": patch,
            "projection_dim": width,
            **shape,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(words),
            "max_position_embeddings": 512,
            "bos_token_id": None,
            "eos_token_id": words.eos_token_id,
            "pad_token_id": words.pad_token_id,
            "tie_word_embeddings": False,
            **shape,
        },
        image_token_index=words.convert_tokens_to_ids(PICTURE),
        # The last layer: with few layers the one before it has hardly looked.
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(side // patch) ** 2,
        tie_word_embeddings=False,
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config).eval()
    manner = Manner("thoughts", thoughts, task.name, vars(task), BEGIN, END, PAUSE, ANSWER)
    return Mind(model, words, manner, "tiny-llava", processor)


def tiny_processor(task: TextTask, side: int, patch: int) -> Any:
    """A processor whose tokens are the task's words, the marks and the mark of a picture."""
    from transformers import CLIPImageProcessor, LlavaProcessor

    words = word_tokenizer(task.words())
    marks = [BEGIN, END, PAUSE, ANSWER, PICTURE]
    words.add_special_tokens({"additional_special_tokens": marks})
    square = {"height": side, "width": side}
    images = CLIPImageProcessor(
        size=square,
        crop_size=square,
        do_center_crop=False,
        do_convert_rgb=True,
        # White paper is zero: then a blank patch holds its place alone.
        image_mean=[1.0, 1.0, 1.0],
        image_std=[0.5, 0.5, 0.5],
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=words,
        patch_size=patch,
        vision_feature_select_strategy="default",
        # The vision tower's own summary token, which the strategy then leaves out.
        num_additional_image_tokens=1,
        image_token=PICTURE,
    )
