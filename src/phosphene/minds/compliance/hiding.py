"""Time to read against time to say: the study behind the probe `hidden`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phosphene.minds.compliance.following import Way, follow, places
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Finding, Heat, Lines, Result
from phosphene.statistics import wilson

if TYPE_CHECKING:
    from phosphene.minds.probes.hidden import Hidden

FEWEST = 40  # problems with a decision, before any is read
DRAWS = 1000  # resamples of the time to read


def study(probe: Hidden, subject: MindSubject, book: Notebook) -> Result:
    """Follow, read, compare."""
    sites = subject.wires.sites("layer")
    book.plan(2)
    kept: dict[str, Any] = {}

    def make() -> Mapping[str, np.ndarray]:
        ways, states = follow(subject, sites, probe.tokens)
        kept["ways"] = [vars(way) for way in ways]
        return states

    states = book.arrays("states", make, "following thoughts")
    told = book.once(
        "ways",
        lambda: kept.get("ways") or [vars(w) for w in follow(subject, sites, probe.tokens)[0]],
        "decisions",
    )
    ways = [Way(w["text"], w["group"], tuple(w["options"]), w["chosen"], w["tokens"]) for w in told]
    decided = [i for i, way in enumerate(ways) if way.chosen is not None]
    chosen = [ways[i].chosen for i in decided]
    names = places(subject)
    if len(decided) < FEWEST or len(set(chosen)) < 2:
        says = (
            f"Could not be asked: {len(decided)} of {len(ways)} problems have a decision that is "
            f"not said at once, of {len(set(chosen))} kinds."
        )
        return Result([], [Finding("decided before it is spoken", says, None)])
    some = [ways[i] for i in decided]
    layers = [states[str(site)][decided] for site in sites]
    cells = [layer[:, place] for place in range(len(names)) for layer in layers]
    aim = _Aim(some, probe.folds, probe.draws, probe.seed)
    hits = np.stack([aim.hits(cell) for cell in cells])  # (cells, items, 1 + draws)
    text = aim.hits(_words(some))
    return _result(
        hits.reshape(len(names), len(sites), *hits.shape[1:]), text, some, names, len(ways)
    )


class _Aim:
    """Decisions to be read among each problem's own options, and permuted ones.

    One ridge regression maps a state to the words' identities: chosen less the mean of the options.
    """

    def __init__(self, ways: Sequence[Way], folds: int, draws: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        words = {w: i for i, w in enumerate(sorted({o for way in ways for o in way.options}))}
        self.options = [[words[o] for o in way.options] for way in ways]
        sizes = np.array([len(o) for o in self.options])
        own = np.array([way.chosen for way in ways])
        orders = [np.arange(len(own)), *(rng.permutation(len(own)) for _ in range(draws))]
        self.choices = np.stack([own[order] % sizes for order in orders], 1)
        groups = sorted({way.group for way in ways})
        fold = dict(zip(groups, rng.permutation(len(groups)) % folds, strict=True))
        self.folds = np.array([fold[way.group] for way in ways])
        self.targets = np.zeros((len(ways), len(words), 1 + draws))
        for i, options in enumerate(self.options):
            self.targets[i, options] -= 1 / len(options)
            for draw, choice in enumerate(self.choices[i]):
                self.targets[i, options[choice], draw] += 1

    def hits(self, x: np.ndarray) -> np.ndarray:
        """bool `(items, 1 + draws)`: whose decision is read rightly when held out."""
        n, words, draws = self.targets.shape
        scores = np.zeros(self.targets.shape)
        flat = self.targets.reshape(n, -1)
        for fold in np.unique(self.folds):
            out = self.folds == fold
            scores[out] = _ridge(x[~out], flat[~out], x[out]).reshape(-1, words, draws)
        found = np.zeros((n, draws), bool)
        for i, options in enumerate(self.options):
            found[i] = scores[i, options].argmax(0) == self.choices[i]
        return found


def _ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    x, new = x.astype(float), new.astype(float)
    spread = x.std(0)
    alive = spread > 1e-8 * (np.abs(x).max() + 1e-12)
    if not alive.any():
        return np.repeat(y.mean(0)[None], len(new), 0)
    middle = x[:, alive].mean(0)
    x, new = ((v[:, alive] - middle) / spread[alive] for v in (x, new))
    kernel = x @ x.T
    penalty = 0.3 * np.trace(kernel) / len(x)
    return y.mean(0) + new @ x.T @ np.linalg.solve(kernel + penalty * np.eye(len(x)), y - y.mean(0))


def _words(ways: Sequence[Way]) -> np.ndarray:
    split = [way.text.lower().replace(".", " ").split() for way in ways]
    known = {w: i for i, w in enumerate(sorted({w for words in split for w in words}))}
    out = np.zeros((len(ways), len(known)))
    for row, words in zip(out, split, strict=True):
        for word in words:
            row[known[word]] += 1
    return out


def _result(
    hits: np.ndarray, text: np.ndarray, ways: Sequence[Way], names: Sequence[str], asked: int
) -> Result:
    """Findings from hits `(places, layers, items, 1 + draws)`."""
    means = hits.mean(2)
    true, null = means[..., 0], means[..., 1:]
    peaks = null.max((0, 1))
    p = (1 + (peaks >= true[..., None] - 1e-12).sum(-1)) / (1 + len(peaks))
    best = true.argmax(1)  # of the layers at each place
    bar = float(np.quantile(peaks, 1 - ALPHA, method="higher"))
    at = np.stack([hits[place, best[place], :, 0] for place in range(len(names))])
    first = _first((at.mean(1) > bar)[None])[0]
    last = len(names) - 1
    lead = last - int(first)
    rng = np.random.default_rng(0)
    n = at.shape[1]
    times = rng.multinomial(n, np.full(n, 1 / n), DRAWS)
    leads = last - _first(times @ at.T / n > bar)
    low, high = (float(v) for v in np.quantile(leads, (0.025, 0.975)))
    where = names[int(first)] if first <= last else "never"
    said = f"{at[int(first)].mean():.0%}" if first <= last else ""
    pre = p.min(1)[:-1].min()
    holds = bool(lead > 0 and low > 0 and pre < ALPHA)
    words = wilson(int(text[:, 0].sum()), n)
    finding = Finding(
        "decided before it is spoken",
        f"The decision can be read from: {where}"
        + (f" ({said} right, {bar:.0%} is the most that chance gives)" if said else "")
        + f"; it is said at place {last}: {max(lead, 0)} places later. Words of the question alone "
        f"give {words}.",
        holds,
        float(max(lead, 0)),
        max(low, 0.0),
        max(high, 0.0),
        0.0,
        float(pre),
        n,
        "places",
    )
    early = at[0].mean() > max(bar, words.high)
    question = wilson(int(at[0].sum()), n)
    start = Finding(
        "decided before the first thought",
        f"At the end of the question {question} are read rightly, by its words alone {words}; "
        f"chance gives {bar:.0%} at most.",
        bool(early and question.low > words.share and p[0].min() < ALPHA),
        question.share,
        question.low,
        question.high,
        max(bar, words.share),
        float(p[0].min()),
        n,
        "share",
    )
    table = [
        {
            "place": name,
            "layer": layer,
            "read": float(true[i, layer]),
            "null": float(null[i, layer].mean()),
            "p": float(p[i, layer]),
            "most by chance": bar,
            "words alone": words.share,
        }
        for i, name in enumerate(names)
        for layer in range(true.shape[1])
    ]
    heat = Heat(
        "Share of decisions read rightly",
        "place on the way",
        "layer",
        list(names),
        [str(layer) for layer in range(true.shape[1])],
        true.T[None],
        marks=(p < ALPHA).T[None],
        null=float(null.mean()),
        unit="share",
    )
    curve = np.array([wilson(int(row.sum()), n)[:3] for row in at]).T
    flat = np.repeat([[words.share], [words.low], [words.high]], len(names), 1)
    lines = Lines(
        "Best layer at each place",
        "place on the way",
        "share read rightly",
        list(range(len(names))),
        {"states": curve, "words of the question": flat},
        bar,
    )
    tokens = np.mean([way.tokens for way in ways])
    notes = [
        f"{n} of {asked} problems have a decision that is not said at once; {tokens:.1f} tokens or "
        f"thoughts come before it on average.",
        "Interval of the lead: problems drawn anew, layers as chosen. That a decision can be read "
        "does not say that it is used; `phosphene probe direction` and the do-interventions do.",
    ]
    return Result(table, [finding, start], {"read": heat, "time": lines}, notes)


def _first(readable: np.ndarray) -> np.ndarray:
    """First place from which on all are readable, `(draws,)`; the number of places if none is."""
    ok = np.flip(np.logical_and.accumulate(np.flip(readable, 1), 1), 1)
    return np.where(ok.any(1), ok.argmax(1), readable.shape[1])
