"""Ember, the audio-video model that travels with Phosphene, through the adapter everyone uses."""

from __future__ import annotations

from phosphene.assets import asset
from phosphene.backbone import BackboneSpec
from phosphene.backbones.diffusers import DiffusersBackbone


def COMPONENT(spec: BackboneSpec) -> DiffusersBackbone:
    """Open the weights in `assets/ember`."""
    from phosphene.ember.pipeline import EmberPipeline

    return DiffusersBackbone(
        spec,
        pipeline_class=EmberPipeline,
        modules=("phosphene.ember.network",),
        directory=asset("ember"),
    )
