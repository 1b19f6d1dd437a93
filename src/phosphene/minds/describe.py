"""Describe: what can be done with a mind, from its configuration alone; no weights are loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from phosphene.backbone import BackboneSpec
from phosphene.minds.loading import blueprint, is_seeing
from phosphene.minds.mind import Manner
from phosphene.minds.opening import ENDPOINT, place
from phosphene.minds.options import QUANTIZERS, check
from phosphene.minds.probe import mind_probes
from phosphene.minds.wires import Wires


def describe_mind(spec: BackboneSpec) -> dict[str, Any]:
    """What a mind is and can be asked, JSON-able.

    Keys: id, kind, model, parameters, layers, heads, width, experts (layers with routers), sees,
    task, way, thoughts, ways, sites, probes, quantize (schemes whose package is here), notes.

    Raises:
        PhospheneError: no such model, not a decoder, or an option that can't be honoured.
    """
    if spec.id.startswith(ENDPOINT):
        return _endpoint(spec)
    check(spec)
    where = place(spec.id)
    model = blueprint(spec, where)
    manner = Manner.load(Path(where.name)) if where.local else Manner()
    wires = Wires(model)
    routers = len(wires.sites("gate"))
    kinds = ("embedding", "layer", "attention", "mlp", "heads", "gate")
    taught = bool(manner.task)
    notes = []
    if not routers:
        notes.append("it has no routers: probes of gates and experts will refuse it")
    if not taught:
        notes.append("it was taught no task: name one with --task")
        notes.append("it was taught no thoughts: they can be fed back, but mean what they may")
    return {
        "id": spec.id,
        "kind": "language model",
        "model": type(model).__name__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "layers": len(wires.layers),
        "heads": wires.heads,
        "width": wires.width,
        "experts": routers,
        "sees": is_seeing(model.config),
        "task": manner.task,
        "way": manner.way,
        "thoughts": manner.thoughts,
        "ways": ["thoughts", "cot", *(["pause"] if manner.pause else []), "none"],
        "sites": [kind for kind in kinds if wires.sites(kind)],
        "probes": mind_probes.names(),
        "quantize": [n for n, package in QUANTIZERS.items() if importlib.util.find_spec(package)],
        "notes": notes,
    }


def _endpoint(spec: BackboneSpec) -> dict[str, Any]:
    return {
        "id": spec.id,
        "kind": "server",
        "probes": [],
        "notes": [
            "it can be talked to and not looked into: `phosphene bench compliance` takes it, "
            "probes don't"
        ],
    }
