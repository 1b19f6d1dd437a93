"""Ember, the audio-video model that travels with Phosphene, through the adapter everyone uses."""

from __future__ import annotations

from phosphene.assets import asset
from phosphene.backbone import BackboneSpec
from phosphene.backbones.diffusers import DiffusersBackbone
from phosphene.checkpoints import checkpoint

_TASKS = (
    "analogy bounce clicks clock counting equations falling flow fractions grid_rule "
    "linear_equation maze missing_operand rhythm sequence shape_fit sorting sudoku symmetry "
    "tic_tac_toe which_ball"
)
# Ember dreams on from a picture; of words alone it makes little.
_EXPLORED = {
    "prompt": "{deed} {thing}",
    "words": {
        "deed": ("solve", "complete", "mirror", "count", "trace", "bounce"),
        "thing": ("the equation", "the pattern", "the ball", "the maze", "the red squares"),
    },
    "pictures": tuple(f"task:{name}:2" for name in _TASKS.split()),
    "framed": 1.0,
    "embeddings": ("ember", "ember_sound", "efficientnet"),
    "qualities": ("validity", "sharpness", "motion", "pairing"),
    "judge": "coherence",
}


def COMPONENT(spec: BackboneSpec) -> DiffusersBackbone:
    """Open the weights in `assets/ember`, or those of one of its checkpoints, `ember/NAME`.

    Raises:
        PhospheneError: no such checkpoint.
    """
    directory, name = asset("ember"), spec.id.partition("/")[2]
    if name:
        directory = checkpoint("ember", name).directory
    return DiffusersBackbone(spec, directory=directory, explored=_EXPLORED)
