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
    "open_mind": "minds.opening",
    "Bench": "outcome",
    "Clip": "clip",
    "PhospheneError": "errors",
    "bench": "evaluate",
    "explore": "explore",
    "Settings": "evaluate",
    "generate": "generate",
    "load": "media",
    "MindSetup": "minds.subject",
    "observe": "observe",
    "observe_mind": "minds.observe",
    "save": "media",
    "Request": "request",
    "reward": "rewards",
    "Run": "run",
    "Setup": "subject",
    "score": "scoring",
    "Search": "search",
    "Session": "session",
    "Problem": "task",
    "Task": "task",
    "Verdict": "verdict",
}
__all__ = [
    "Backbone",
    "BackboneSpec",
    "Bench",
    "Clip",
    "MindSetup",
    "PhospheneError",
    "Problem",
    "Request",
    "Run",
    "Search",
    "Session",
    "Settings",
    "Setup",
    "Task",
    "Verdict",
    "__version__",
    "bench",
    "explore",
    "generate",
    "load",
    "observe",
    "observe_mind",
    "open_backbone",
    "open_mind",
    "reward",
    "save",
    "score",
]

if TYPE_CHECKING:
    from phosphene.backbone import Backbone as Backbone
    from phosphene.backbone import BackboneSpec as BackboneSpec
    from phosphene.backbone import open_backbone as open_backbone
    from phosphene.clip import Clip as Clip
    from phosphene.errors import PhospheneError as PhospheneError
    from phosphene.evaluate import Settings as Settings
    from phosphene.evaluate import bench as bench
    from phosphene.explore import explore as explore
    from phosphene.generate import generate as generate
    from phosphene.media import load as load
    from phosphene.media import save as save
    from phosphene.minds.observe import observe_mind as observe_mind
    from phosphene.minds.opening import open_mind as open_mind
    from phosphene.minds.subject import MindSetup as MindSetup
    from phosphene.observe import observe as observe
    from phosphene.outcome import Bench as Bench
    from phosphene.request import Request as Request
    from phosphene.rewards import reward as reward
    from phosphene.run import Run as Run
    from phosphene.scoring import score as score
    from phosphene.search import Search as Search
    from phosphene.session import Session as Session
    from phosphene.subject import Setup as Setup
    from phosphene.task import Problem as Problem
    from phosphene.task import Task as Task
    from phosphene.verdict import Verdict as Verdict


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"phosphene.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'phosphene' has no attribute {name!r}")
