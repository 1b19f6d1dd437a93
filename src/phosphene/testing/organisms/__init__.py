"""Organisms: small generators whose mechanism is known, because it was built by hand.

    from phosphene.testing import organisms

    plant = organisms.Plant(layer=2, shown=3, seed=1)
    subject = organisms.subject(plant, "/tmp/organism", items=20)

An organism is a diffusers pipeline like any other: a directory of weights, blocks with attention
and MLPs, a scheduler. It adds up two colours (`task.ColourSum`). `Plant` says by which layer and
head, from which step on, and over which frame it does so; whoever looks for these places can be
told right or wrong. `random` and `mute` have no such place.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.testing.organisms.plant import (
    DEPTH,
    FRAMES,
    HEADS,
    NEVER,
    STEPS,
    Plant,
    mute,
    random,
)

if TYPE_CHECKING:
    from phosphene.backbones.diffusers import DiffusersBackbone
    from phosphene.subject import Subject
    from phosphene.testing.organisms.pipeline import OrganismPipeline


def build(plant: Plant) -> OrganismPipeline:
    """The organism's pipeline, float32 on the CPU."""
    from diffusers.schedulers import FlowMatchEulerDiscreteScheduler

    from phosphene.testing.organisms.pipeline import OrganismPipeline
    from phosphene.testing.organisms.weights import weights

    return OrganismPipeline(weights(plant), FlowMatchEulerDiscreteScheduler())


def open_organism(plant: Plant, directory: str | Path) -> DiffusersBackbone:
    """Write the organism to `directory`, unless it is there, and open it from there."""
    from phosphene.backbone import BackboneSpec
    from phosphene.backbones.diffusers import DiffusersBackbone
    from phosphene.testing.organisms.pipeline import OrganismPipeline

    directory = Path(directory)
    if not (directory / "model_index.json").exists():
        build(plant).save_pretrained(directory, safe_serialization=True)
    return DiffusersBackbone(
        BackboneSpec(str(directory)),
        pipeline_class=OrganismPipeline,
        modules=("phosphene.testing.organisms.network",),
    )


def subject(plant: Plant, directory: str | Path, **setup: Any) -> Subject:
    """The organism before problems of its task.

    Args:
        directory: where its weights go.
        setup: fields of `phosphene.subject.Setup`, such as `items`.
    """
    from phosphene.subject import Setup, Subject

    setup = {"batch": 32} | setup
    return Subject(open_organism(plant, directory), Setup(plant.task.name, **setup), plant.task)


__all__ = [
    "DEPTH",
    "FRAMES",
    "HEADS",
    "NEVER",
    "STEPS",
    "Plant",
    "build",
    "mute",
    "open_organism",
    "random",
    "subject",
]
