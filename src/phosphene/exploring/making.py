"""Making: proposals into clips, in groups that are the same whenever a round is made."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from phosphene.backbone import Backbone, Preview, Previewing
from phosphene.batching import Batcher
from phosphene.candidate import Proposal
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.request import Request
from phosphene.session import round_of
from phosphene.space import Space

_FIRST = 2  # samples of a session's first group
_KEPT = 3  # rounds whose previews are held in memory
_log = logging.getLogger("phosphene")


@dataclass(frozen=True, eq=False)
class Fresh:
    """What was made of one proposal just now."""

    id: str
    request: Request
    clip: Clip | None
    calls: int
    seconds: float
    reason: str = ""


class Maker:
    """Makes the candidates of a session.

    A sample's last bits depend on what shares its batch. So groups are formed by what was asked,
    not by what is still missing: a round that is made again after a kill, or for a replay, is made
    in the same groups and comes out the same to the bit.

    Args:
        backbone: what makes them.
        space: what a genome asks of it.
        size: most samples in a group.
        proposals: finds the proposals of a round by any of its ids, for previews that are no longer
            in memory.
        tell: called with (`loading` or `note`, one line for people).
    """

    def __init__(
        self,
        backbone: Backbone,
        space: Space,
        size: int,
        proposals: Callable[[str], Mapping[str, Proposal]],
        tell: Callable[[str, str], None],
    ) -> None:
        self.backbone = backbone
        self.space = space
        self.size = size
        self._proposals = proposals
        self._batcher = Batcher(backbone, size, tell)  # type: ignore[arg-type]
        self._previews: dict[str, Preview] = {}

    def groups(self, asked: Mapping[str, Proposal]) -> list[list[str]]:
        """Ids that are made together, in order."""
        alike: dict[tuple, list[str]] = {}
        for id, proposal in asked.items():
            request = self.space.request(proposal.genome)
            # What is refused stands alone, so that it costs no other.
            like = (id,) if self._refused(request) else self.backbone.like(request)
            staged = proposal.stop is not None or proposal.after is not None
            alike.setdefault((like, staged, proposal.stop), []).append(id)
        out = []
        for ids in alike.values():
            # The first of all are few, so that there is something to look at soon.
            few = min(_FIRST, self.size) if round_of(ids[0]) == 0 else 0
            cuts = [0, *range(few, len(ids), self.size), len(ids)] if few else []
            cuts = cuts or [*range(0, len(ids), self.size), len(ids)]
            out += [ids[a:b] for a, b in itertools.pairwise(cuts) if a < b]
        return out

    def make(self, asked: Mapping[str, Proposal], ids: Sequence[str]) -> list[Fresh]:
        """Make one group, whole; failures are told, not raised.

        Raises:
            PhospheneError: the weights can't be loaded.
        """
        requests = [self.space.request(asked[id].genome) for id in ids]
        first = asked[ids[0]]
        reason = self._refused(requests[0])
        if reason:
            return [Fresh(ids[0], requests[0], None, 0, 0.0, reason)]
        if first.stop is None and first.after is None:
            return list(self._finished(ids, requests, asked))
        return self._staged(ids, requests, asked)

    def _refused(self, request: Request) -> str:
        """Why the backbone won't take it; empty if it does."""
        try:
            self.backbone.check(request)
        except PhospheneError as error:
            return " ".join(str(error).split())
        return ""

    def forget(self, round: int) -> None:
        """Let go of previews of rounds long before this one."""
        for id in [i for i in self._previews if int(i.partition("-")[0]) < round - _KEPT]:
            del self._previews[id]

    def _finished(
        self, ids: Sequence[str], requests: Sequence[Request], asked: Mapping[str, Proposal]
    ) -> Iterator[Fresh]:
        for i, made in self._batcher.make(requests):
            calls = self.space.steps_of(asked[ids[i]].genome)
            yield Fresh(ids[i], requests[i], made.clip, calls, made.seconds, made.reason)

    def _staged(
        self, ids: Sequence[str], requests: Sequence[Request], asked: Mapping[str, Proposal]
    ) -> list[Fresh]:
        if not isinstance(self.backbone, Previewing):
            raise PhospheneError(
                f"backbone {self.backbone.id!r} can't be looked at before a sample has finished; "
                f"choose an explorer that needs no previews"
            )
        before = [self._before(asked[id].after) for id in ids]
        begun = time.perf_counter()
        stop = asked[ids[0]].stop
        try:
            found = self.backbone.advance(requests, stop, before)
        except (PhospheneError, RuntimeError) as error:
            _log.debug("a group of %d failed", len(ids), exc_info=True)
            if len(ids) > 1:
                half = len(ids) // 2
                return self._staged(ids[:half], requests[:half], asked) + self._staged(
                    ids[half:], requests[half:], asked
                )
            reason = " ".join(str(error).split())[:300]
            return [Fresh(ids[0], requests[0], None, self._calls(asked[ids[0]]), 0.0, reason)]
        seconds = (time.perf_counter() - begun) / len(ids)
        if stop is not None:
            self._previews.update(zip(ids, found, strict=True))
        return [
            Fresh(id, request, preview.clip, self._calls(asked[id]), seconds)
            for id, request, preview in zip(ids, requests, found, strict=True)
        ]

    def _calls(self, proposal: Proposal) -> int:
        """Denoiser evaluations that this proposal adds to what was made before it."""
        end = self.space.steps_of(proposal.genome) if proposal.stop is None else proposal.stop
        if proposal.after is None:
            return end
        behind = self._proposals(proposal.after)[proposal.after].stop
        return end - (behind or 0)

    def _before(self, id: str | None) -> Preview | None:
        """The preview to go on from; made once more if it is no longer in memory."""
        if id is None:
            return None
        if id not in self._previews:
            asked = self._proposals(id)
            group = next(g for g in self.groups(asked) if id in g)
            failed = [f for f in self.make(asked, group) if f.id == id and f.clip is None]
            if failed:
                raise PhospheneError(f"preview {id} can't be made again: {failed[0].reason}")
        return self._previews[id]
