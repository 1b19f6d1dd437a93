"""Tap: the one way into a running model. Read and replace what passes through a denoiser.

    from phosphene.tap import Frames, Read, Tap

    with Tap(pipeline, reads=[Read("residual", Frames())]) as tap:
        pipeline("a ball rolls")
    tap.values[Address(step=3, branch="cond", layer=5, site="residual")]

Works on any diffusers pipeline that calls `scheduler.step` and whose denoiser holds its blocks in
rows: transformers and UNets. Plain hooks: the sample is bit-identical when nothing is edited, and
nothing of the pipeline stays changed on the way out, exceptions included.
"""

from phosphene.tap.address import Address, Edit, Read, Site
from phosphene.tap.anatomy import Layer
from phosphene.tap.layout import Layout
from phosphene.tap.maps import AttentionMap, FrameMass, Mass
from phosphene.tap.reduce import Frames, Keep, Mean, Moments, Reducer, Spill, Tokens
from phosphene.tap.tap import Tap

__all__ = [
    "Address",
    "AttentionMap",
    "Edit",
    "FrameMass",
    "Frames",
    "Keep",
    "Layer",
    "Layout",
    "Mass",
    "Mean",
    "Moments",
    "Read",
    "Reducer",
    "Site",
    "Spill",
    "Tap",
    "Tokens",
]
