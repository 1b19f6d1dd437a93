"""Real diffusers pipelines with tiny random weights, built offline; a call takes about a second.

    from phosphene.testing import tiny

    directory = tiny.save("wan_i2v", "/tmp/wan")       # a model directory like any other
    pipe = tiny.build("ltx2")                          # or the pipeline itself
    pipe(**tiny.example("ltx2"))                       # a small call that works

What they draw means nothing, but every input counts: another prompt, picture, seed or guidance
gives another sample. One file here is one family.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.errors import unknown

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


def families() -> list[str]:
    """The names of all families, sorted; nothing is imported."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name[0] != "_")


def build(family: str) -> DiffusionPipeline:
    """The family's pipeline, float32 on the CPU, the same weights every time.

    Raises:
        PhospheneError: no such family; the message offers the nearest names.
    """
    return _module(family).build()


def save(family: str, directory: str | Path) -> Path:
    """Build the family and write it to `directory` as safetensors, loadable by its path.

    Returns:
        The directory, holding `model_index.json` and a folder for each component.

    Raises:
        PhospheneError: no such family; the message offers the nearest names.
    """
    directory = Path(directory)
    build(family).save_pretrained(directory, safe_serialization=True)
    return directory


def example(family: str) -> dict[str, Any]:
    """Keyword arguments of a small call of the bare pipeline: two steps, well under a second.

    Sizes in pixels; pictures are PIL images; there is no generator, so pass one for a fixed sample.

    Raises:
        PhospheneError: no such family; the message offers the nearest names.
    """
    return _module(family).example()


def _module(family: str) -> Any:
    if family not in families():
        raise unknown("tiny family", family, families())
    return importlib.import_module(f"{__name__}.{family}")
