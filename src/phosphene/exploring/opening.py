"""Opening: from settings to a space, operators, and what looks at clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any

import numpy as np

from phosphene import media
from phosphene.backbone import Backbone, Previewing
from phosphene.embedding import TextEmbedding, embeddings
from phosphene.errors import PhospheneError
from phosphene.exploring.calibration import Calibration
from phosphene.exploring.looking import Looker
from phosphene.exploring.pictures import find
from phosphene.grammar import Grammar
from phosphene.operator import Operator, operators
from phosphene.quality import qualities
from phosphene.request import Request
from phosphene.search import Search, Spec, component, label
from phosphene.session import Session
from phosphene.space import Space

_SEEN: dict[str, tuple[Spec, ...]] = {
    "image": ("efficientnet", "pixels"),
    "video": ("efficientnet", "motion"),
    "audio": ("log_mel",),
}
_JUDGED: dict[str, tuple[Spec, ...]] = {
    "image": ("validity", "sharpness"),
    "video": ("validity", "sharpness", "motion"),
    "audio": ("loudness",),
}
_STEPS = 50  # of a pipeline that doesn't say


def suited(backbone: Backbone, search: Search) -> Search:
    """The settings with what the user left open filled in, as suits the backbone."""
    can = backbone.capabilities
    changes: dict[str, Any] = {
        k: v for k, v in can.explored.items() if getattr(search, k) in (None, (), {})
    }
    kinds = [k for k in ("image", "video", "audio") if k in can.produces]
    if "video" in kinds and "image" in kinds:
        kinds.remove("image")
    found = replace(search, **changes)
    if not found.embeddings:
        found = replace(found, embeddings=tuple(s for k in kinds for s in _SEEN[k]))
    if not found.qualities:
        both = {"video", "audio"} <= set(kinds)
        named = [s for k in kinds for s in _JUDGED[k]] + ["coherence"] * both
        if kinds == ["audio"]:
            raise PhospheneError(
                "one quality alone is soon exploited; name two or more for sound, as "
                "--quality loudness --quality alignment"
            )
        found = replace(found, qualities=tuple(named))
    if len(found.qualities) < 2:
        raise PhospheneError(
            f"one quality alone is soon exploited; name two or more (got "
            f"{', '.join(map(label, found.qualities))})"
        )
    if found.judge is not None and label(found.judge) in map(label, found.qualities):
        raise PhospheneError(
            f"the judge {label(found.judge)} must not be one of the qualities searched for"
        )
    return found


def manifest(backbone: Backbone, search: Search) -> dict[str, Any]:
    """What a session of these settings has in its session.json."""
    told = asdict(search)
    budget = told.pop("budget")
    spec = asdict(backbone.spec)
    return {
        "backbone": backbone.id,
        "fingerprint": backbone.fingerprint,
        "spec": {**spec, "lora": list(spec["lora"])},
        "search": told,
        "budget": budget,
    }


def steps_of(backbone: Backbone, search: Search) -> int:
    """Denoising steps of a finished sample."""
    return int(search.steps or backbone.capabilities.defaults.get("steps") or _STEPS)


def looker(search: Search) -> Looker:
    """What looks at clips; nothing is loaded yet."""
    judge = () if search.judge is None else (search.judge,)
    return Looker(
        {label(s): component(embeddings, s) for s in search.embeddings},
        {label(s): component(qualities, s) for s in (*search.qualities, *judge)},
    )


def space_of(backbone: Backbone, search: Search, session: Session) -> Space:
    """What may vary.

    Raises:
        PhospheneError: a backbone whose noise can't be set, one that needs a prompt or a picture
            and is given none, or a setting that it can't honour.
    """
    can = backbone.capabilities
    if "noise" not in can.accepts:
        raise PhospheneError(f"backbone {backbone.id!r} can't be explored: its noise can't be set")
    streams = [s for s, kinds in _STREAMS.items() if can.produces & kinds]
    speaks = "prompt" in can.accepts
    if speaks and search.prompt is None and not can.explored:
        raise PhospheneError(
            'say what to ask for, as --prompt "a {colour} ball" --word colour=red,blue; a prompt '
            "without slots does too"
        )
    base = _base(backbone, search)
    pictures = _pictures(backbone, search, base, session)
    needs = "first_frame" in can.requires
    if needs and not pictures:
        raise PhospheneError(
            f"backbone {backbone.id!r} starts from a picture; give --picture FILE or "
            f"--picture task:maze"
        )
    return Space(
        base=base,
        streams=tuple(streams),
        accepts=can.accepts,
        steps=steps_of(backbone, search),
        grammar=Grammar(search.prompt or "", search.words) if speaks else Grammar(""),
        pictures=pictures,
        framed=1.0 if needs else 0.5 if search.framed is None else search.framed,
        guidance=search.guidance_range,
        step_range=search.step_range,
        adapters=backbone.adapters,
        previews=isinstance(backbone, Previewing),
        speaks=speaks,
    )


_STREAMS = {"video": {"image", "video"}, "audio": {"audio"}}


def _base(backbone: Backbone, search: Search) -> Request:
    names = ("width", "height", "frames", "steps", "guidance", "negative")
    given = {n: getattr(search, n) for n in names if getattr(search, n) is not None}
    if search.fps is not None:
        given["fps"] = Fraction(search.fps)
    return Request(**given, seed=search.seed, extra=dict(search.extra))


def _pictures(
    backbone: Backbone, search: Search, base: Request, session: Session
) -> Mapping[str, np.ndarray]:
    """First frames; found once, and read from the session from then on."""
    if not search.pictures:
        return {}
    if "first_frame" not in backbone.capabilities.accepts:
        raise PhospheneError(f"backbone {backbone.id!r} takes no first frame; leave pictures out")
    if not session.pictures:
        can = backbone.capabilities.defaults
        width, height = (getattr(base, n) or can.get(n) or 64 for n in ("width", "height"))
        found = find(search.pictures, int(width), int(height))
        session.keep_pictures(found)
    return {n: media.load_image(session.root / path) for n, path in session.pictures.items()}


def operators_of(search: Search, space: Space) -> dict[str, Operator]:
    """Name -> operator, of those that have something to vary there.

    Raises:
        PhospheneError: an operator was asked for that has nothing to vary.
    """
    asked = search.operators or tuple(operators.names())
    found = {label(s): component(operators, s) for s in asked}
    idle = [name for name, operator in found.items() if not operator.able(space)]
    if search.operators and idle:
        raise PhospheneError(f"operator {idle[0]} has nothing to vary here; leave it out")
    return {name: operator for name, operator in found.items() if name not in idle}


def targets(search: Search, looker: Looker, calibration: Calibration) -> np.ndarray:
    """Wishes in words as descriptors, unit float32 `(n, d)`.

    Raises:
        PhospheneError: targets, and no embedding that reads words.
    """
    if not search.targets:
        return np.zeros((0, calibration.width), np.float32)
    readers = {n: e for n, e in looker.embeddings.items() if isinstance(e, TextEmbedding)}
    if not readers:
        raise PhospheneError(
            f"targets want an embedding that reads words, as --embedding open_clip; "
            f"{', '.join(looker.embeddings)} don't"
        )
    rows = {n: e.embed_texts(list(search.targets)) for n, e in readers.items()}
    return np.stack(
        [
            calibration.descriptor({n: r[i] for n, r in rows.items()})
            for i in range(len(search.targets))
        ]
    )
