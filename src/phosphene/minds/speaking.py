"""Which speaker: a server behind an address, or a mind that is opened here."""

from __future__ import annotations

from phosphene.backbone import BackboneSpec
from phosphene.minds.opening import ENDPOINT, open_mind
from phosphene.minds.speaker import Speaker


def open_speaker(spec: str | BackboneSpec, batch: int = 32) -> Speaker:
    """A language model to talk to.

    Args:
        spec: `openai:http://HOST:PORT/v1#MODEL`, or what `open_mind` takes.
        batch: most conversations in one pass, of a mind.

    Raises:
        PhospheneError: no such model, or an address that can't be read.
    """
    spec = BackboneSpec(spec) if isinstance(spec, str) else spec
    if spec.id.startswith(ENDPOINT):
        from phosphene.minds.endpoint import Endpoint

        return Endpoint.named(spec.id)
    from phosphene.minds.talking import Talking

    return Talking(open_mind(spec), batch)
