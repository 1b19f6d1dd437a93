"""Options: how a language model is loaded; what can't be honoured is refused before anything is."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch

from phosphene.backbone import BackboneSpec
from phosphene.errors import PhospheneError, unknown

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# Scheme -> the package it needs.
QUANTIZERS = {"bnb-8bit": "bitsandbytes", "bnb-4bit": "bitsandbytes", "torchao-int8": "torchao"}
# What a spec can say of a generator and not of a language model, and what to do instead.
_FOREIGN = {
    "offload": "use --device auto, which spreads a model over what there is",
    "cache": "it is a step cache of denoisers; leave it out",
    "compile": "reads and edits inside a model need it uncompiled; leave it out",
}
SPREAD = "auto"


def check(spec: BackboneSpec) -> torch.device | str:
    """Refuse what can't be honoured, before anything is read; returns where the model goes.

    Raises:
        PhospheneError: names the option, the value and the mend.
    """
    for name, mend in _FOREIGN.items():
        value = getattr(spec, name)
        if value:
            told = "" if value is True else f" {value}"
            raise PhospheneError(f"--{name}{told} can't be honoured by a language model: {mend}")
    if spec.dtype is not None and spec.dtype not in _DTYPES:
        raise unknown("dtype", spec.dtype, _DTYPES)
    if spec.quantize is not None:
        if spec.quantize not in QUANTIZERS:
            raise unknown("quantize scheme", spec.quantize, QUANTIZERS)
        _needs(QUANTIZERS[spec.quantize], f"--quantize {spec.quantize}")
        if spec.lora:
            raise PhospheneError(
                "--lora is merged into weights that --quantize has rounded; leave one of them out"
            )
    if spec.lora:
        _needs("peft", "--lora")
    return device(spec)


def device(spec: BackboneSpec) -> torch.device | str:
    """The device asked for, else an accelerator, else the CPU; `auto` as it is.

    Raises:
        PhospheneError: there is no such device here.
    """
    if spec.device == SPREAD:
        return SPREAD
    here = torch.accelerator.current_accelerator(check_available=True)
    if spec.device is None:
        return here if here is not None else torch.device("cpu")
    try:
        asked = torch.device(spec.device)
    except RuntimeError as error:
        raise unknown("device", spec.device, (SPREAD, "cpu", "cuda", "cuda:1", "mps")) from error
    count = torch.accelerator.device_count() if here is not None else 0
    there = here is not None and here.type == asked.type and (asked.index or 0) < count
    if asked.type != "cpu" and not there:
        has = f"{count} {here.type}" if here is not None else "cpu only"
        raise PhospheneError(f"device {spec.device!r} is not on this machine ({has}); leave it out")
    return asked


def dtype(spec: BackboneSpec, on: torch.device | str, taught: bool) -> torch.dtype:
    """What is computed in, unless the spec says: float32 on the CPU and for minds taught here,
    which are small; bfloat16 elsewhere."""
    if spec.dtype is not None:
        return _DTYPES[spec.dtype]
    slow = not torch.accelerator.is_available() if on == SPREAD else str(on) == "cpu"
    return torch.float32 if taught or slow else torch.bfloat16


def quantization(spec: BackboneSpec, dtype: torch.dtype) -> Any:
    """What transformers wants to know of a scheme; None without one."""
    if spec.quantize is None:
        return None
    from transformers import BitsAndBytesConfig, TorchAoConfig

    if spec.quantize == "bnb-8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    if spec.quantize == "bnb-4bit":
        return BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    from torchao.quantization import Int8WeightOnlyConfig  # pyright: ignore

    return TorchAoConfig(Int8WeightOnlyConfig())


def _needs(package: str, flag: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise PhospheneError(f"{flag} needs a package that isn't here: pip install {package}")
