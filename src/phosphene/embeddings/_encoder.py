"""The encoder that travels with Phosphene, loaded once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from phosphene.assets import asset
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.ember.encoder import EmberEncoder

_WHERE = "ember/encoder"


@cache
def encoder() -> EmberEncoder:
    """Raises PhospheneError where its weights are not there."""
    try:
        directory = asset(_WHERE)
    except PhospheneError:
        raise PhospheneError(
            f"embeddings ember and ember_sound need weights in assets/{_WHERE}, which this "
            f"installation lacks; reinstall phosphene, or choose efficientnet and log_mel"
        ) from None
    from phosphene.ember.encoder import EmberEncoder

    return EmberEncoder.from_pretrained(directory).eval()
