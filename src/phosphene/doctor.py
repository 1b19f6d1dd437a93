"""Doctor: what this machine and a backbone can do. Without a backbone no torch is imported."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from phosphene import __version__
from phosphene.backbone import BackboneSpec, open_backbone

PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "safetensors",
    "numpy",
    "av",
    "peft",
    "sentencepiece",
)
# What media written here needs: see `phosphene.media`.
CODECS = ("libx264", "aac", "ffv1", "flac", "pcm_f32le")
# Flags under which Linux announces bf16 arithmetic, on x86 and on ARM.
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}


@runtime_checkable
class Describing(Protocol):
    """A backbone that has more to tell than its capabilities."""

    def describe(self) -> dict[str, Any]:
        """JSON-able, known without loading weights."""
        ...


def examine() -> dict[str, Any]:
    """This machine, JSON-able: versions, devices, dtypes, codecs, disk and model cache.

    A package or codec that is missing is None or False; sizes are bytes.
    """
    devices = _devices()
    return {
        "versions": {"phosphene": __version__, "python": platform.python_version(), **_versions()},
        "devices": devices,
        "dtypes": _dtypes(devices),
        "codecs": _codecs(),
        "disk": {"path": str(Path.cwd()), "free": shutil.disk_usage(Path.cwd()).free},
        "cache": _cache(),
        "memory": _memory(),
    }


def examine_backbone(spec: BackboneSpec) -> dict[str, Any]:
    """What a backbone can do, JSON-able, from its configuration alone: no weights are loaded.

    Raises:
        PhospheneError: no such backbone.
    """
    backbone = open_backbone(spec)
    can = backbone.capabilities
    return {
        "id": backbone.id,
        "produces": sorted(can.produces),
        "accepts": sorted(can.accepts),
        "requires": sorted(can.requires),
        "defaults": {name: _plain(value) for name, value in sorted(can.defaults.items())},
        "options": sorted(can.options),
        "extra": sorted(can.extra),
        "notes": list(can.notes),
        "pipeline": backbone.describe() if isinstance(backbone, Describing) else {},
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str | list | None) else str(value)


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _devices() -> list[dict[str, str]]:
    """The processor, then what accelerators the drivers report."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [{"device": "cpu", "name": f"{platform.machine()}, {cores} cores"}]
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found.append({"device": "mps", "name": "Apple GPU"})
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        asked = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
        if asked.returncode == 0:
            for index, line in enumerate(asked.stdout.strip().splitlines()):
                found.append({"device": f"cuda:{index}", "name": line.strip()})
    return found


def _dtypes(devices: list[dict[str, str]]) -> dict[str, str]:
    """How each dtype fares on the device that would be taken."""
    if any(d["device"].startswith("cuda") for d in devices):
        return {"float32": "fast", "bfloat16": "fast", "float16": "fast"}
    if any(d["device"] == "mps" for d in devices):
        return {"float32": "fast", "bfloat16": "works", "float16": "fast"}
    bf16 = "fast" if _cpu_flags() & _BF16_FLAGS else "slow: this processor has no bf16 arithmetic"
    return {"float32": "fast", "bfloat16": bf16, "float16": "slow: few processors compute in it"}


def _cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {
        flag
        for line in lines
        if line.lower().startswith(("flags", "features"))
        for flag in line.partition(":")[2].split()
    }


def _codecs() -> dict[str, bool]:
    from av.codec import Codec
    from av.error import FFmpegError

    found: dict[str, bool] = {}
    for name in CODECS:
        try:
            Codec(name, "w")
            found[name] = True
        except (FFmpegError, ValueError):
            found[name] = False
    return found


def _cache() -> dict[str, Any]:
    from huggingface_hub.constants import HF_HUB_CACHE, HF_HUB_OFFLINE

    return {"path": HF_HUB_CACHE, "models": cached_models(), "offline": bool(HF_HUB_OFFLINE)}


def cached_models() -> list[str]:
    """Hub ids of the pipelines in the local model cache."""
    from huggingface_hub.constants import HF_HUB_CACHE

    indices = Path(HF_HUB_CACHE).glob("models--*/snapshots/*/model_index.json")
    return sorted({p.parts[-4].removeprefix("models--").replace("--", "/") for p in indices})


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
