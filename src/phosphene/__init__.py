"""Phosphene: see what a generative model thinks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public names and where they live. Loaded on first use, so `import phosphene` needs no torch.
_PUBLIC = {
    "Backbone": "backbone",
    "BackboneSpec": "backbone",
    "open_backbone": "backbone",
    "Clip": "clip",
    "PhospheneError": "errors",
    "generate": "generate",
    "load": "media",
    "save": "media",
    "Request": "request",
    "Run": "run",
    "Problem": "task",
    "Task": "task",
    "Verdict": "verdict",
}
__all__ = [
    "Backbone",
    "BackboneSpec",
    "Clip",
    "PhospheneError",
    "Problem",
    "Request",
    "Run",
    "Task",
    "Verdict",
    "__version__",
    "generate",
    "load",
    "open_backbone",
    "save",
]

if TYPE_CHECKING:
    from phosphene.backbone import Backbone as Backbone
    from phosphene.backbone import BackboneSpec as BackboneSpec
    from phosphene.backbone import open_backbone as open_backbone
    from phosphene.clip import Clip as Clip
    from phosphene.errors import PhospheneError as PhospheneError
    from phosphene.generate import generate as generate
    from phosphene.media import load as load
    from phosphene.media import save as save
    from phosphene.request import Request as Request
    from phosphene.run import Run as Run
    from phosphene.task import Problem as Problem
    from phosphene.task import Task as Task
    from phosphene.verdict import Verdict as Verdict


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"phosphene.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'phosphene' has no attribute {name!r}")
