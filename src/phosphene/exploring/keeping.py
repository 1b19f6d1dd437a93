"""Keeping: what a round asks for is made, looked at and written down, group by group."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from phosphene.backbone import Backbone
from phosphene.candidate import Proposal
from phosphene.exploring.looking import Look, Looker
from phosphene.exploring.making import Fresh, Maker
from phosphene.recipe import write
from phosphene.request import Request
from phosphene.session import Made, Session

OnMade = Callable[[Made, bool, int], None]


class Keeping:
    """Makes what a session lacks. Files are written in a thread of their own meanwhile.

    Args:
        session: where it is written down.
        backbone: what makes it.
        looker: what looks at it.
        maker: makes groups.
        lossless: keep exact frames and sound.
    """

    def __init__(
        self,
        session: Session,
        backbone: Backbone,
        looker: Looker,
        maker: Maker,
        lossless: bool,
    ) -> None:
        self._session = session
        self._backbone = backbone
        self._looker = looker
        self._maker = maker
        self._lossless = lossless
        self._thread = ThreadPoolExecutor(2, "phosphene-keep")

    def __enter__(self) -> Keeping:
        self._session.sweep()
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.shutdown(wait=True)

    def make(
        self, round: int, asked: Mapping[str, Proposal], latents: bool, on_made: OnMade
    ) -> dict[str, Made]:
        """What came of every proposal of a round, in order; made now where the log lacks it."""
        charged = 0
        for group in self._maker.groups(asked):
            held = {id: self._session.made[id] for id in group if id in self._session.made}
            if len(held) < len(group):
                missing = [id for id in group if id not in held]
                held |= {made.id: made for made in self._group(asked, group, missing, latents)}
                fresh = True
            else:
                fresh = False
            for id in group:
                charged += held[id].calls
                on_made(held[id], fresh, charged)
        return {id: self._session.made[id] for id in asked}

    def _group(
        self,
        asked: Mapping[str, Proposal],
        group: Sequence[str],
        missing: Sequence[str],
        latents: bool,
    ) -> list[Made]:
        """Make a whole group, and write down those of it that are missing."""
        kept: Any = contextlib.nullcontext({})
        if latents and asked[group[0]].stop is None:
            from phosphene.exploring.latents import keeping_latents

            kept = keeping_latents(self._backbone)
        with kept as finals:
            fresh = self._maker.make(asked, group)
        good = [f for f in fresh if f.clip is not None]
        looks = dict(
            zip(
                [f.id for f in good],
                self._looker.look([f.clip for f in good if f.clip], [f.request for f in good]),
                strict=True,
            )
        )
        digests = self._stored(fresh, finals)
        files = {f.id: self._files(asked[f.id], f) for f in good if f.id in missing}
        out = []
        for f in fresh:
            if f.id not in missing:
                continue
            waiting = files.get(f.id)
            media, poster = (None, None) if waiting is None else waiting.result()
            made = _made(f, looks.get(f.id), media, poster, digests.get(f.id))
            self._session.append(made.record())
            out.append(self._session.made[f.id])
        return out

    def _stored(self, fresh: Sequence[Fresh], finals: Mapping[Request, Any]) -> dict[str, str]:
        """Digest of the final latent, of those that were captured."""
        if not finals:
            return {}
        from phosphene.exploring.latents import store

        held = [f for f in fresh if f.request in finals]
        return {f.id: store(self._session.root, finals[f.request]) for f in held}

    def _files(self, proposal: Proposal, fresh: Fresh) -> Future[tuple[str | None, str | None]]:
        """Clip and poster, on their way to the disk; previews keep a poster alone."""
        assert fresh.clip is not None
        clip = fresh.clip

        def work() -> tuple[str | None, str | None]:
            poster = self._session.keep_poster(clip)
            if proposal.stop is not None:
                return None, poster
            spec, mark = self._backbone.spec, self._backbone.fingerprint
            recipe = write(mark, spec, fresh.request, clip)
            return self._session.keep(clip, recipe, self._lossless), poster

        return self._thread.submit(work)


def _made(
    fresh: Fresh, look: Look | None, media: str | None, poster: str | None, latent: str | None
) -> Made:
    if fresh.clip is None or look is None:
        return Made(fresh.id, fresh.calls, failed=fresh.reason or "no reason given")
    vectors = {k: np.asarray(v) for k, v in look.vectors.items()}
    return Made(
        id=fresh.id,
        calls=fresh.calls,
        digest=fresh.clip.digest,
        media=media,
        poster=poster,
        scores=look.scores,
        vectors=vectors,
        latent=latent,
        seconds=fresh.seconds,
    )
