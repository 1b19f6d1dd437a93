"""Contest: what a search found, beside what random search found for as many denoiser calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from phosphene.embedding import embeddings
from phosphene.errors import PhospheneError
from phosphene.exploring.calibration import Calibration
from phosphene.exploring.control import CONTROL, REPEATS
from phosphene.exploring.diversity import Cells, stream_novelty, tessellate, vendi
from phosphene.exploring.ensemble import Ensemble
from phosphene.exploring.overlap import overlap
from phosphene.search import component, label
from phosphene.session import Session

POINTS = 24  # along a curve
_DIMS = 6
_NEAR = 5
MEASURES = {
    "QD score": "sum over cells of the best quality in each",
    "coverage": "share of the cells that hold something",
    "best": "highest quality",
    "spread": "Vendi score of as many items drawn from each: how many unlike ones they are worth",
    "reach": "share of the other's items that lie among its own (recall, 5 neighbours)",
    "novelty, video": "mean distance to the 3 nearest of as many items, by the pictures",
    "novelty, audio": "likewise, by the sound",
    "novelty, pair": "likewise, by both",
    "judge": "mean rank of the best tenth by the judge that was not searched for",
}


@dataclass(frozen=True, eq=False)
class Found:
    """The finished, distinct items of one session, in the order in which they were paid for.

    Args:
        session: where they come from.
        ids: of the items.
        calls: denoiser calls spent when each was finished.
        vectors: descriptors, unit float32 `(n, d)`.
        quality: 0..1.
        judge: rank by the judge, 0..1, nan where there is none.
    """

    session: Session
    ids: Sequence[str]
    calls: np.ndarray
    vectors: np.ndarray
    quality: np.ndarray
    judge: np.ndarray

    @classmethod
    def of(cls, session: Session) -> Found:
        """Worked out from the log.

        Raises:
            PhospheneError: the session's warm-up has not been finished.
        """
        calibration = calibrated(session)
        spent, rows = 0, []
        admitted = {id for told in session.told.values() for id in told["admitted"]}
        for round in sorted(session.told):
            for id, proposal in session.rounds[round].proposals.items():
                made = session.made[id]
                spent += made.calls
                if id in admitted:
                    c = calibration.candidate(made, proposal)
                    score = calibration.ranks.verdict(made.scores)
                    rows.append(
                        (id, spent, c.vector, c.quality, np.nan if score is None else score)
                    )
        ids, calls, vectors, quality, judge = zip(*rows, strict=True)
        return cls(
            session,
            ids,
            np.array(calls),
            np.stack(vectors),
            np.array(quality),
            np.array(judge, float),
        )

    def until(self, calls: float) -> np.ndarray:
        """Places of the items that were there for so many calls."""
        return np.flatnonzero(self.calls <= calls)


def calibrated(session: Session) -> Calibration:
    """The session's calibration, from its warm-up.

    Raises:
        PhospheneError: the warm-up has not been finished.
    """
    if 0 not in session.told:
        raise PhospheneError(f"{session.root}: its warm-up has not finished; go on with it first")
    search = session.manifest["search"]
    named = tuple(map(label, search["qualities"]))
    judge = None if search["judge"] is None else label(search["judge"])
    warmup = [session.made[id] for id in session.rounds[0].proposals]
    return Calibration.of(warmup, [label(e) for e in search["embeddings"]], Ensemble(named, judge))


def pairs(root: str | Path) -> list[tuple[Session, Session | None]]:
    """The session at `root` and its repeats, each with its control where there is one."""
    root = Path(root).expanduser()
    repeats = [p for p in (root / REPEATS).glob("*") if (p / "session.json").exists()]
    out = []
    for path in [root, *sorted(repeats, key=lambda p: int(p.name))]:
        beside = path / CONTROL
        there = (beside / "events.jsonl").exists()
        out.append((Session.load(path), Session.load(beside) if there else None))
    return out


@dataclass(frozen=True, eq=False)
class Contest:
    """Curves of search and chance over the calls spent.

    Args:
        calls: along the curves.
        curves: measure -> `(pairs, 2, len(calls))`: search first, then chance.
        seeds: of the pairs.
        cells: how many cells the descriptors were parted into, a pair each.
    """

    calls: np.ndarray
    curves: dict[str, np.ndarray]
    seeds: Sequence[int]
    cells: Sequence[int]

    def ratio(self, measure: str) -> tuple[float, float, float]:
        """Search over chance at the end: geometric mean over pairs and 95 % interval (Student's t
        on logarithms; nan with one pair)."""
        ends = self.curves[measure][:, :, -1]
        if not (ends > 0).all():
            return (np.nan, np.nan, np.nan)
        logs = np.log(ends[:, 0] / ends[:, 1])
        middle = float(logs.mean())
        if len(logs) < 2:
            return (float(np.exp(middle)), np.nan, np.nan)
        half = student.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
        return tuple(float(np.exp(v)) for v in (middle, middle - half, middle + half))  # type: ignore[return-value]


def contest(found: Sequence[tuple[Session, Session | None]]) -> Contest | None:
    """Measure every pair that has a control; None where none has.

    The cells of a pair are fitted on as many items of the one as of the other and then left alone:
    neither is favoured, and coverage is comparable between the two and not between pairs.
    """
    both = [(Found.of(a), Found.of(b)) for a, b in found if b is not None and b.told]
    if not both:
        return None
    end = min(int(min(a.calls[-1], b.calls[-1])) for a, b in both)
    begin = max(max(int(f.session.told[0]["calls"]) for f in pair) for pair in both)
    calls = np.unique(np.linspace(begin, max(end, begin + 1), POINTS).astype(int))
    curves = {name: np.full((len(both), 2, len(calls)), np.nan) for name in MEASURES}
    cells = []
    for i, pair in enumerate(both):
        parted = _cells(pair)
        cells.append(len(parted))
        for j, side in enumerate(pair):
            for k, spent in enumerate(calls):
                there = side.until(spent)
                for name, value in _measured(side, there, parted, k == len(calls) - 1).items():
                    curves[name][i, j, k] = value
        for name, ends in _ends(pair, calls[-1]).items():
            curves[name][i, :, -1] = ends
    seeds = [int(a.session.manifest["search"]["seed"]) for a, _ in both]
    return Contest(calls, curves, seeds, cells)


def _cells(pair: tuple[Found, Found]) -> Cells:
    few = min(len(f.ids) for f in pair)
    spread = [np.linspace(0, len(f.ids) - 1, few).round().astype(int) for f in pair]
    pooled = np.concatenate([f.vectors[s] for f, s in zip(pair, spread, strict=True)])
    count = int(np.clip(few // 2, 4, 512))
    return tessellate(pooled, count, min(_DIMS, len(pooled) - 1), 0)


def _measured(side: Found, there: np.ndarray, cells: Cells, last: bool) -> dict[str, float]:
    quality, vectors = side.quality[there], side.vectors[there]
    out = {
        "QD score": cells.qd_score(vectors, quality),
        "coverage": cells.coverage(vectors),
        "best": float(quality.max(initial=0)),
    }
    if last and np.isfinite(side.judge[there]).any():
        top = there[np.argsort(-quality, kind="stable")[: max(1, len(there) // 10)]]
        judged = side.judge[top]
        out["judge"] = float(np.nanmean(judged)) if np.isfinite(judged).any() else np.nan
    return out


def _ends(pair: tuple[Found, Found], calls: int) -> dict[str, list[float]]:
    """What is measured once, on equally many items of either side: all of it grows with them."""
    there = [f.until(calls) for f in pair]
    few = min(map(len, there))
    rng = np.random.default_rng(0)
    chosen = [np.sort(rng.permutation(t)[:few]) for t in there]
    mine, theirs = (f.vectors[c] for f, c in zip(pair, chosen, strict=True))
    out = {"spread": [vendi(mine), vendi(theirs)]}
    if few > _NEAR:
        out["reach"] = [overlap(mine, theirs).recall, overlap(theirs, mine).recall]
    new = [stream_novelty(_streams(f, c)) for f, c in zip(pair, chosen, strict=True)]
    for stream in new[0].keys() & new[1].keys():
        out[f"novelty, {stream}"] = [new[0][stream], new[1][stream]]
    return out


def _streams(found: Found, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Stream -> vectors by the first embedding that looks at it alone and saw all of these."""
    out: dict[str, np.ndarray] = {}
    made = [found.session.made[found.ids[int(i)]] for i in chosen]
    for spec in found.session.manifest["search"]["embeddings"]:
        looks_at = component(embeddings, spec).streams
        name = label(spec)
        stream = next(iter(looks_at)) if len(looks_at) == 1 else ""
        if stream and stream not in out and all(name in m.vectors for m in made):
            out[stream] = np.stack([m.vectors[name] for m in made])
    return out
