"""Place: read the weights once and put them where the spec says."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

import torch

from phosphene.backbone import BackboneSpec
from phosphene.backbones.diffusers import options
from phosphene.backbones.diffusers.conditioning import PictureCache, PromptCache
from phosphene.backbones.diffusers.profile import Profile
from phosphene.backbones.diffusers.skeleton import quiet
from phosphene.errors import PhospheneError


def load(profile: Profile, spec: BackboneSpec) -> Any:
    """The pipeline with its weights, placed, and with caches in front of its encoders.

    Raises:
        PhospheneError: the weights can't be read; the first line of why.
    """
    try:
        with quiet():
            pipeline = profile.cls.from_pretrained(_where(profile), **_how(profile, spec))
            for name, lora in adapters(spec).items():
                pipeline.load_lora_weights(lora, adapter_name=name)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        raise PhospheneError(f"can't load {spec.id}: {words}") from error
    pipeline.set_progress_bar_config(disable=True)
    _cache_encoders(pipeline)
    if spec.cache is not None:
        options.enable_cache(pipeline, profile, spec.cache)
    _settle(pipeline, profile, spec)
    return pipeline


def adapters(spec: BackboneSpec) -> dict[str, str]:
    """The name of each LoRA, after its file, -> where it is."""
    out: dict[str, str] = {}
    for lora in spec.lora:
        # Modules are called by these names, which can't hold dots.
        stem = re.sub(r"\W+", "_", PurePath(lora.removesuffix(".safetensors")).name) or "lora"
        name = stem if stem not in out else f"{stem}_{len(out)}"
        out[name] = lora
    return out


def _where(profile: Profile) -> str:
    source = profile.source
    return source.id if source.commit is not None else str(source.root)


def _how(profile: Profile, spec: BackboneSpec) -> dict[str, Any]:
    how: dict[str, Any] = {
        "dtype": options.dtype(spec),
        "use_safetensors": None if spec.allow_pickle else True,
        "trust_remote_code": spec.trust_remote_code,
    }
    if profile.source.commit is not None:
        how["revision"] = profile.source.commit
    if spec.variant is not None:
        how["variant"] = spec.variant
    if spec.quantize is not None:
        how["quantization_config"] = options.quantization(profile, spec)
    return how


def _settle(pipeline: Any, profile: Profile, spec: BackboneSpec) -> None:
    on = options.device(spec)
    if spec.offload == "model":
        pipeline.enable_model_cpu_offload(device=on)
    elif spec.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=on)
    elif spec.offload == "group":
        pipeline.enable_group_offload(onload_device=on, offload_type="leaf_level")
    elif on.type != "cpu":
        pipeline.to(on)
    if spec.compile:
        denoiser = getattr(pipeline, str(profile.denoiser))
        if getattr(denoiser, "_repeated_blocks", None):
            denoiser.compile_repeated_blocks()
        else:
            denoiser.compile()


def _cache_encoders(pipeline: Any) -> None:
    if hasattr(pipeline, "encode_prompt"):
        pipeline.encode_prompt = PromptCache(pipeline.encode_prompt)
    vae: Any = getattr(pipeline, "vae", None)
    if hasattr(vae, "encode"):
        vae.encode = PictureCache(vae.encode)
