"""Training checkpoints as one safetensors file: weights, average, optimiser state, progress."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from phosphene.errors import PhospheneError


def save(
    path: Path,
    model: torch.nn.Module,
    average: dict[str, torch.Tensor],
    optimisers: list[torch.optim.Optimizer],
    progress: dict[str, Any],
) -> None:
    """Write everything that a resumed run needs; the old file stays until the new one is whole."""
    tensors = {f"model/{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average/{k}": v for k, v in average.items()}
    for i, optimiser in enumerate(optimisers):
        for j, state in optimiser.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimiser/{i}/{j}/{name}"] = torch.as_tensor(value)
    whole = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    partial = path.with_suffix(".partial")
    save_file(whole, partial, metadata={"progress": json.dumps(progress)})
    os.replace(partial, path)


def read_progress(path: Path) -> dict[str, Any]:
    """The progress record alone.

    Raises:
        PhospheneError: the file is no checkpoint, or is damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["progress"])
    except Exception as error:
        raise PhospheneError(
            f"{path} is not a readable checkpoint ({error}); delete it to start afresh"
        ) from error


def restore(
    path: Path,
    model: torch.nn.Module,
    average: dict[str, torch.Tensor],
    optimisers: list[torch.optim.Optimizer],
) -> dict[str, Any]:
    """Load a checkpoint into model, average and optimisers, in place; return its progress."""
    progress = read_progress(path)
    with safe_open(path, "pt") as file:
        parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "average": {}, "optimiser": {}}
        for key in file.keys():  # noqa: SIM118  (safe_open is no mapping)
            part, name = key.split("/", 1)
            parts[part][name] = file.get_tensor(key)
    model.load_state_dict(parts["model"])
    for name, value in parts["average"].items():
        average[name].copy_(value)
    for i, optimiser in enumerate(optimisers):
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in parts["optimiser"].items():
            index, parameter, name = key.split("/")
            if int(index) == i:
                state.setdefault(int(parameter), {})[name] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return progress


def start(pipeline: Path, model: torch.nn.Module) -> int:
    """Load an exported pipeline's weights into `model`, in place; return its count of examples.

    Raises:
        PhospheneError: there is no such pipeline, or its weights have other shapes.
    """
    from phosphene.ember.network import EmberTransformer

    try:
        read: Any = EmberTransformer.from_pretrained(pipeline, subfolder="transformer")
        model.load_state_dict({k: v.float() for k, v in read.state_dict().items()})
        return json.loads((pipeline / "training.json").read_text())["samples"]
    except (OSError, KeyError, RuntimeError) as error:
        said = str(error).splitlines()[0]
        raise PhospheneError(
            f"start: {pipeline} can't be gone on from ({said}); name a directory that training "
            "exported, of the same model"
        ) from error
