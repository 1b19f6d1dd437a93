"""Ember, the audio-video model that travels with Phosphene, through the adapter everyone uses."""

from __future__ import annotations

from phosphene.assets import asset
from phosphene.backbone import BackboneSpec
from phosphene.backbones.diffusers import DiffusersBackbone

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
    """Open the weights in `assets/ember`."""
    from phosphene.ember.pipeline import EmberPipeline

    return DiffusersBackbone(
        spec,
        pipeline_class=EmberPipeline,
        modules=("phosphene.ember.network",),
        directory=asset("ember"),
        explored=_EXPLORED,
    )
