"""Loading: a language model, or one that also sees, from a directory or the hub."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from phosphene.backbone import BackboneSpec
from phosphene.errors import PhospheneError
from phosphene.minds.explain import brief, explained
from phosphene.minds.mind import Manner, Mind
from phosphene.minds.opening import Place
from phosphene.minds.options import SPREAD, check, dtype, quantization

_VOCABULARIES = ("*token*", "vocab*", "*.model", "*.tiktoken", "tekken.json")


def load(spec: BackboneSpec, place: Place) -> Mind:
    """The model with its tokenizer (and processor, where it sees) and its manner.

    It computes in float32 on the CPU, and everywhere if it was taught here; else in bfloat16.

    Raises:
        PhospheneError: an option that can't be honoured, or a model that can't be read.
    """
    on = check(spec)
    config = configuration(spec, place)
    manner = Manner.load(Path(place.name)) if place.local else Manner()
    sees = is_seeing(config)
    with explained(spec.id):
        tokenizer, processor = _speech(spec, place, sees)
    kind = _auto(sees)
    chosen = dtype(spec, on, bool(manner.task))
    _weights_there(spec, place)
    with explained(spec.id), _quiet():
        model, found = kind.from_pretrained(
            place.name,
            config=config,
            dtype=chosen,
            device_map=SPREAD if on == SPREAD else {"": on},
            use_safetensors=None if spec.allow_pickle else True,
            quantization_config=quantization(spec, chosen),
            output_loading_info=True,
            **({"variant": spec.variant} if spec.variant else {}),
            **_common(spec, place),
        )
    _complete(spec, found)
    model = _adapted(model, spec)
    return Mind(model.eval(), tokenizer, manner, spec.id, processor)


def configuration(spec: BackboneSpec, place: Place) -> Any:
    """The model's configuration: all that is known before weights are read.

    Raises:
        PhospheneError: it can't be had, or it is not a decoder's.
    """
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

    if place.local and spec.revision is not None:
        raise PhospheneError(
            f"--revision {spec.revision} can't be honoured: {spec.id} is a directory; leave it out"
        )
    with explained(spec.id):
        config = AutoConfig.from_pretrained(place.name, **_common(spec, place))
    if getattr(config, "is_encoder_decoder", False):
        raise PhospheneError(
            f"{spec.id} is an encoder-decoder ({config.model_type}); minds are decoders: give a "
            f"causal language model"
        )
    # BERT and its kin have a causal class too, but without `is_decoder` they look both ways.
    if type(config) in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", True):
        raise PhospheneError(
            f"{spec.id} is an encoder ({config.model_type}), which says nothing word by word; give "
            f"a causal language model"
        )
    return config


def is_seeing(config: Any) -> bool:
    """Whether a configuration is that of a model that takes pictures and words."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    known = type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    return known and getattr(config, "vision_config", None) is not None


def blueprint(spec: BackboneSpec, place: Place) -> Any:
    """The model's modules without any weights: what `phosphene doctor` looks at."""
    config = configuration(spec, place)
    with explained(spec.id), torch.device("meta"):
        return _auto(is_seeing(config)).from_config(
            config, trust_remote_code=spec.trust_remote_code
        )


def _auto(sees: bool) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    return AutoModelForImageTextToText if sees else AutoModelForCausalLM


def _speech(spec: BackboneSpec, place: Place, sees: bool) -> tuple[Any, Any]:
    """The tokenizer, padding on the left, and the processor of a model that sees."""
    from transformers import AutoProcessor, AutoTokenizer

    common = _common(spec, place)
    # Without any file, transformers makes an empty tokenizer of the model's class and says nothing.
    if place.local and not any(f for n in _VOCABULARIES for f in Path(place.name).glob(n)):
        raise PhospheneError(f"{place.name} has no tokenizer; save one beside the weights")
    if not sees:
        return AutoTokenizer.from_pretrained(place.name, padding_side="left", **common), None
    processor = AutoProcessor.from_pretrained(place.name, **common)
    processor.tokenizer.padding_side = "left"
    return processor.tokenizer, processor


def _common(spec: BackboneSpec, place: Place) -> dict[str, Any]:
    return {
        "revision": spec.revision or "main",
        "local_files_only": place.local,
        "trust_remote_code": spec.trust_remote_code,
    }


def _adapted(model: Any, spec: BackboneSpec) -> Any:
    """The model with LoRA weights added into its own: its modules stay where wires look."""
    if not spec.lora:
        return model
    from peft import PeftModel

    for lora in spec.lora:
        folder = Path(lora).expanduser()
        if folder.is_dir() and not (spec.allow_pickle or any(folder.glob("*.safetensors"))):
            raise PhospheneError(
                f"lora {lora!r} holds no *.safetensors; if it holds a pickle that you trust, add "
                f"--allow-pickle"
            )
        try:
            model = PeftModel.from_pretrained(model, lora).merge_and_unload()
        except (OSError, ValueError, RuntimeError) as error:
            raise PhospheneError(f"lora {lora!r} doesn't fit {spec.id}: {brief(error)}") from error
    return model


def _weights_there(spec: BackboneSpec, place: Place) -> None:
    if not place.local:
        return
    folder = Path(place.name)
    if any(folder.glob("*.safetensors")):
        return
    if not any(folder.glob("*.bin")):
        raise PhospheneError(f"{place.name} holds no weights (*.safetensors); give another")
    if not spec.allow_pickle:
        raise PhospheneError(
            f"{place.name} holds pickled weights only, and opening a pickle can run any code; add "
            f"--allow-pickle if you trust it"
        )


def _complete(spec: BackboneSpec, found: Mapping[str, Any]) -> None:
    """Refuse a model of which a part would have been drawn at random, with a mere warning."""
    absent = [str(key) for name in ("missing_keys", "mismatched_keys") for key in found[name]]
    if absent:
        raise PhospheneError(
            f"the weights of {spec.id} don't fill the model: {len(absent)} are absent or of "
            f"another shape, such as {absent[0]}; give a checkpoint with a language-model head"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bars of progress."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
