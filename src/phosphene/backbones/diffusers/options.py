"""Options: dtype, device, offload, quantize, cache, compile and LoRA, refused before loading."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from phosphene.backbone import BackboneSpec
from phosphene.backbones.diffusers.profile import Profile
from phosphene.backbones.diffusers.skeleton import quiet
from phosphene.errors import PhospheneError, unknown

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_OFFLOADS = ("model", "sequential", "group")
# Scheme -> (backend, its settings, the package it needs).
_QUANTIZERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "bnb-8bit": ("bitsandbytes_8bit", {"load_in_8bit": True}, "bitsandbytes"),
    "bnb-4bit": (
        "bitsandbytes_4bit",
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        "bitsandbytes",
    ),
    "torchao-int8": ("torchao", {"quant_type": "int8wo"}, "torchao"),
    "quanto-int8": ("quanto", {"weights_dtype": "int8"}, "optimum.quanto"),
    "quanto-float8": ("quanto", {"weights_dtype": "float8"}, "optimum.quanto"),
}
_PIP = {"optimum.quanto": "optimum-quanto"}


def device(spec: BackboneSpec) -> torch.device:
    """The device to run on: the one asked for, else an accelerator, else the CPU.

    Raises:
        PhospheneError: there is no such device here.
    """
    if spec.device is None:
        found = torch.accelerator.current_accelerator(check_available=True)
        return found if found is not None else torch.device("cpu")
    try:
        asked = torch.device(spec.device)
    except RuntimeError as error:
        raise unknown("device", spec.device, ("cpu", "cuda", "cuda:0", "mps")) from error
    if asked.type == "cpu":
        return asked
    here = torch.accelerator.current_accelerator(check_available=True)
    count = torch.accelerator.device_count() if here is not None else 0
    if here is None or here.type != asked.type or (asked.index or 0) >= count:
        has = f"{count} {here.type}" if here is not None else "cpu only"
        raise PhospheneError(f"device {spec.device!r} is not on this machine ({has}); leave it out")
    return asked


def dtype(spec: BackboneSpec) -> torch.dtype:
    """float32 on the CPU and bfloat16 elsewhere, unless the spec says.

    Raises:
        PhospheneError: no such dtype.
    """
    if spec.dtype is None:
        return torch.float32 if device(spec).type == "cpu" else torch.bfloat16
    if spec.dtype not in _DTYPES:
        raise unknown("dtype", spec.dtype, _DTYPES)
    return _DTYPES[spec.dtype]


def check(profile: Profile, spec: BackboneSpec) -> None:
    """Raise for the first option that this pipeline or this machine can't honour.

    Raises:
        PhospheneError: names the option, the value and the mend.
    """
    kind = profile.cls.__name__
    on = device(spec)
    dtype(spec)
    if spec.revision is not None and profile.source.commit is None:
        raise PhospheneError(
            f"revision {spec.revision!r} can't be honoured: {spec.id} is a directory; leave it out"
        )
    if spec.offload is not None:
        _check_offload(profile, spec.offload, on)
    if spec.quantize is not None:
        _check_quantize(profile, spec.quantize)
    if spec.compile and profile.denoiser is None:
        raise PhospheneError(f"compile can't be honoured: {kind} has no denoiser that is known")
    if spec.lora:
        _check_lora(profile, spec.lora)
    if spec.cache is not None and spec.cache not in caches(profile, spec.cache):
        _refuse_cache(profile, spec.cache)


def _check_offload(profile: Profile, mode: str, on: torch.device) -> None:
    if mode not in _OFFLOADS:
        raise unknown("offload mode", mode, _OFFLOADS)
    if on.type == "cpu":
        raise PhospheneError(
            f"offload {mode!r} can't be honoured on the cpu: it moves weights off an accelerator; "
            f"leave it out"
        )
    if mode == "model" and getattr(profile.cls, "model_cpu_offload_seq", None) is None:
        raise PhospheneError(
            f"offload 'model' can't be honoured: {profile.cls.__name__} names no order of models; "
            f"use sequential or group"
        )


def _check_quantize(profile: Profile, scheme: str) -> None:
    if scheme not in _QUANTIZERS:
        raise unknown("quantize scheme", scheme, _QUANTIZERS)
    package = _QUANTIZERS[scheme][2]
    try:
        there = importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        there = False
    if not there:
        raise PhospheneError(
            f"quantize {scheme!r} needs a package that isn't here: pip install "
            f"{_PIP.get(package, package)}"
        )
    if profile.denoiser is None:
        raise PhospheneError(
            f"quantize {scheme!r} can't be honoured: {profile.cls.__name__} has no denoiser that "
            f"is known"
        )


def quantization(profile: Profile, spec: BackboneSpec) -> Any:
    """The quantization config for the denoiser, None without one."""
    if spec.quantize is None:
        return None
    from diffusers import PipelineQuantizationConfig

    backend, settings, _ = _QUANTIZERS[spec.quantize]
    if spec.quantize == "torchao-int8":
        from diffusers import TorchAoConfig
        from torchao.quantization import Int8WeightOnlyConfig  # pyright: ignore

        mapping: dict[str, Any] = {str(profile.denoiser): TorchAoConfig(Int8WeightOnlyConfig())}
        return PipelineQuantizationConfig(quant_mapping=mapping)
    if spec.quantize == "bnb-4bit":
        settings = {**settings, "bnb_4bit_compute_dtype": dtype(spec)}
    return PipelineQuantizationConfig(
        quant_backend=backend,
        quant_kwargs=settings,
        components_to_quantize=[str(profile.denoiser)],
    )


def _check_lora(profile: Profile, loras: tuple[str, ...]) -> None:
    if not hasattr(profile.cls, "load_lora_weights"):
        raise PhospheneError(
            f"lora ({loras[0]}) can't be honoured: {profile.cls.__name__} loads no LoRA weights"
        )
    if importlib.util.find_spec("peft") is None:
        raise PhospheneError("lora needs a package that isn't here: pip install peft")
    for lora in loras:
        path = Path(lora).expanduser()
        if not path.exists() and (lora.startswith((".", "/", "~")) or lora.count("/") != 1):
            raise PhospheneError(f"lora {lora!r} is neither a file, a directory nor a hub id")
        if path.is_file() and path.suffix != ".safetensors":
            raise PhospheneError(
                f"lora {lora!r} is not a .safetensors file; opening a pickle can run any code"
            )


def _cache_configs(pipeline: Any) -> dict[str, Callable[[], Any]]:
    """Cache name -> what builds its settings for `pipeline`, whose timestep some of them follow."""
    import diffusers

    def now() -> Any:
        return pipeline.current_timestep if hasattr(pipeline, "current_timestep") else 500

    return {
        "first-block": lambda: diffusers.FirstBlockCacheConfig(threshold=0.1),
        "taylorseer": lambda: diffusers.TaylorSeerCacheConfig(),
        "pab": lambda: diffusers.PyramidAttentionBroadcastConfig(
            spatial_attention_block_skip_range=2,
            spatial_attention_timestep_skip_range=(100, 800),
            current_timestep_callback=now,
        ),
        "fastercache": lambda: diffusers.FasterCacheConfig(
            spatial_attention_block_skip_range=2,
            spatial_attention_timestep_skip_range=(-1, 681),
            current_timestep_callback=now,
            attention_weight_callback=lambda _: 0.3,
            tensor_format="BFCHW",
        ),
    }


def caches(profile: Profile, only: str | None = None) -> list[str]:
    """The step caches that this pipeline's denoiser takes, tried on the skeleton."""
    denoiser = getattr(profile.skeleton, profile.denoiser or "", None)
    if not hasattr(denoiser, "enable_cache"):
        return []
    configs = _cache_configs(profile.skeleton)
    return [n for n in configs if only in (None, n) and _takes(denoiser, configs[n])]


def _takes(denoiser: Any, config: Callable[[], Any]) -> bool:
    try:
        with quiet():
            denoiser.enable_cache(config())
            # A cache that knows none of the blocks hooks nothing, and would change nothing.
            hooked = any(_hooks(part) for part in denoiser.modules() if part is not denoiser)
            denoiser.disable_cache()
    except Exception:  # blocks it doesn't know, in whatever words
        denoiser._cache_config = None
        return False
    return hooked


def _hooks(module: Any) -> bool:
    registry = getattr(module, "_diffusers_hook", None)
    return registry is not None and bool(registry.hooks)


def _refuse_cache(profile: Profile, name: str) -> None:
    known = _cache_configs(profile.skeleton)
    if name not in known:
        raise unknown("cache", name, known)
    able = caches(profile)
    mend = f"it takes {', '.join(able)}" if able else "it takes none; leave it out"
    raise PhospheneError(
        f"cache {name!r} can't be honoured by the denoiser of {profile.cls.__name__}; {mend}"
    )


def enable_cache(pipeline: Any, profile: Profile, name: str) -> None:
    """Switch a step cache on, in the loaded pipeline's denoiser."""
    config = _cache_configs(pipeline)[name]()
    getattr(pipeline, str(profile.denoiser)).enable_cache(config)
