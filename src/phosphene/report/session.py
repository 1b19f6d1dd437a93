"""The page of a session: what was found, beside what chance found, and every clip worth a look."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from phosphene import __version__
from phosphene.exploring.contest import MEASURES, Contest, Found, contest, pairs
from phosphene.exploring.mining import KEPT
from phosphene.media.disk import write_text
from phosphene.probe import Lines
from phosphene.report.lines import lines_html
from phosphene.report.page import part, write_page
from phosphene.report.plot import png
from phosphene.search import label
from phosphene.session import Session

_SHOWN = 36  # clips in the gallery
_DOTS = 1500  # items on the map, at most
_POSTERS = 400  # of them with a picture
_CURVES = ("QD score", "coverage")


def write_session(root: str | Path, out: Path | None = None) -> Path:
    """Write the page; see `publish`."""
    return publish(root, out)[0]


def publish(root: str | Path, out: Path | None = None) -> tuple[Path, dict[str, Any]]:
    """Write `report.html`, `report.json` and the curves' PNG.

    Returns:
        The page, and what `summary` says.

    Raises:
        PhospheneError: no session, or one whose warm-up has not finished.
    """
    root = Path(root).expanduser()
    found = pairs(root)
    measured = contest(found)
    session, beside = found[0]
    mine = Found.of(session)
    page = out or root / "report.html"
    figures = [] if measured is None else [curve(measured, name) for name in _CURVES]
    for name, figure in zip(_CURVES, figures, strict=False):
        (page.parent / f"{name.lower().replace(' ', '-')}.png").write_bytes(png(figure))
    record = summary(root, found, measured)
    chosen = unlike(mine)
    write_text(json.dumps(record, indent=1) + "\n", page.with_suffix(".json"))
    write_page(
        page,
        "session.html.j2",
        title=f"Exploring {session.manifest['backbone']}",
        style=part("study.css"),
        script=part("study.js"),
        about=_about(session, mine),
        table=record["table"],
        notes=record["notes"],
        curves=[(f.title, lines_html(f)) for f in figures],
        map=_map(mine, beside, chosen),
        gallery=[card(session, mine.ids[n], float(mine.quality[n])) for n in chosen],
        nuggets=_nuggets(mine),
        operators=_operators(session),
        footer=f"phosphene {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
    return page, record


def summary(
    root: str | Path,
    found: Sequence[tuple[Session, Session | None]] | None = None,
    measured: Contest | None = None,
) -> dict[str, Any]:
    """What was found, JSON-able: a table of search against chance, and what to make of it."""
    found = pairs(root) if found is None else found
    measured = contest(found) if measured is None else measured
    session = found[0][0]
    mine = Found.of(session)
    rows: list[tuple[str, ...]] = []
    notes = [
        f"{len(mine.ids)} different items of {len(session.made)} made, "
        f"{max(t['calls'] for t in session.told.values()):,} denoiser calls"
    ]
    if measured is None:
        name = label(session.manifest["search"]["explorer"])
        if name == "random":
            notes.append("this is random search itself: the baseline")
        else:
            notes.append("no random search was run beside it: whether searching helped is unknown")
        return {"table": [("measure", name), ("best", f"{mine.quality.max():.3f}")], "notes": notes}
    rows.append(("measure", "search", "random", "ratio", "95 % interval", "seeds"))
    for name in MEASURES:
        ends = measured.curves[name][:, :, -1]
        if not np.isfinite(ends).any():
            continue
        ratio, low, high = measured.ratio(name)
        interval = "" if math.isnan(low) else f"{low:.2f}..{high:.2f}"
        shown = "" if math.isnan(ratio) else f"{ratio:.2f}"
        means = [f"{np.nanmean(ends[:, i]):.3g}" for i in (0, 1)]
        rows.append((name, *means, shown, interval, str(len(ends))))
    notes.append(verdict(measured))
    told = {row[0] for row in rows}
    notes += [f"{name}: {about}" for name, about in MEASURES.items() if name in told]
    return {"table": rows, "notes": notes}


def verdict(measured: Contest) -> str:
    """Whether searching helped, as far as the interval tells."""
    ratio, low, high = measured.ratio("QD score")
    calls = f"{int(measured.calls[-1]):,} denoiser calls"
    if math.isnan(ratio):
        return "the QD scores can't be compared: one of them is nought"
    if math.isnan(low):
        return (
            f"QD score {ratio:.2f} times that of random search after {calls}, with one seed: no "
            f"interval, so nothing is shown yet; --repeats 4 adds four"
        )
    held = f"{ratio:.2f} times [{low:.2f}, {high:.2f}]"
    seeds = f"{len(measured.seeds)} seeds"
    if low > 1:
        return f"search beats chance: QD score {held} that of random search, {calls}, {seeds}"
    if high < 1:
        return f"search does worse than chance: QD score {held} that of random search, {seeds}"
    return f"search is not told apart from chance: QD score {held}, {calls}, {seeds}"


def curve(measured: Contest, name: str) -> Lines:
    """A measure over the calls spent: mean over seeds, with 95 % intervals of the mean."""
    from scipy.stats import t as student

    held = measured.curves[name]
    count = len(held)
    mean = held.mean(0)
    half = np.zeros_like(mean)
    if count > 1:
        half = student.ppf(0.975, count - 1) * held.std(0, ddof=1) / np.sqrt(count)
    series = {
        who: np.stack([mean[i], mean[i] - half[i], mean[i] + half[i]])
        for i, who in enumerate(("search", "random"))
    }
    seeds = "one seed, no interval" if count == 1 else f"{count} seeds"
    return Lines(
        f"{name} over cost ({seeds})", "denoiser calls", name, measured.calls.tolist(), series
    )


def _about(session: Session, found: Found) -> list[tuple[str, str]]:
    search = session.manifest["search"]
    said = {"like": 0, "dislike": 0, "pin": 0}
    for event in session.people:
        if event["kind"] in said:
            said[event["kind"]] += 1
    return [
        ("backbone", f"{session.manifest['backbone']} ({session.manifest['fingerprint'][:23]})"),
        (
            "explorer",
            json.dumps(search["explorer"])
            if isinstance(search["explorer"], dict)
            else search["explorer"],
        ),
        ("prompt", search["prompt"] or "none"),
        ("novelty by", ", ".join(map(label, search["embeddings"]))),
        ("quality by", ", ".join(map(label, search["qualities"]))),
        ("judge", label(search["judge"]) if search["judge"] else "none"),
        ("seed", str(search["seed"])),
        ("rounds", str(len(session.told))),
        ("people said", ", ".join(f"{n} {k}s" for k, n in said.items() if n) or "nothing"),
    ]


def _operators(session: Session) -> list[tuple[str, ...]]:
    """Operator, children, admitted, mean quality of what was finished."""
    rows: dict[str, list[tuple[bool, float | None]]] = {}
    for round, told in sorted(session.told.items()):
        admitted = set(told["admitted"])
        for id, proposal in session.rounds[round].proposals.items():
            if proposal.stop is None:
                rows.setdefault(proposal.operator, []).append(
                    (id in admitted, told["quality"].get(id))
                )
    out: list[tuple[str, ...]] = [("operator", "children", "new", "mean quality")]
    for name, held in sorted(rows.items(), key=lambda r: -len(r[1])):
        scores = [q for _, q in held if q is not None]
        mean = f"{np.mean(scores):.2f}" if scores else ""
        out.append((name, str(len(held)), str(sum(a for a, _ in held)), mean))
    return out


def _map(mine: Found, beside: Session | None, chosen: Sequence[int]) -> dict[str, Any]:
    """Both sides on the first two principal components of what search and chance found."""
    sides = [mine] + ([Found.of(beside)] if beside is not None and beside.told else [])
    vectors = np.concatenate([s.vectors for s in sides])
    middle = vectors.mean(0)
    axes = np.linalg.svd(vectors - middle, full_matrices=False)[2][:2]
    placed = [(s.vectors - middle) @ axes.T for s in sides]
    both = np.concatenate(placed)
    low, high = both.min(0), both.max(0)
    span = np.maximum(high - low, 1e-9)
    dots = []
    step = -(-len(mine.ids) // _DOTS)
    posters = set(np.argsort(-mine.quality)[:_POSTERS].tolist())
    for n in range(0, len(mine.ids), step):
        x, y = (placed[0][n] - low) / span
        made = mine.session.made[mine.ids[n]]
        picture = ""
        if n in posters and made.poster is not None:
            picture = _data(mine.session.root / made.poster)
        dots.append(
            {
                "x": round(20 + 560 * float(x), 1),
                "y": round(20 + 360 * float(y), 1),
                "q": round(float(mine.quality[n]), 3),
                "id": mine.ids[n],
                "picture": picture,
            }
        )
    chance = []
    if len(sides) > 1:
        step = -(-len(placed[1]) // _DOTS)
        for x, y in ((placed[1][::step] - low) / span).tolist():
            chance.append((round(20 + 560 * x, 1), round(20 + 360 * y, 1)))
    pictures = []
    for n in chosen:
        x, y = (placed[0][n] - low) / span
        poster = mine.session.made[mine.ids[n]].poster
        if poster is not None:
            url = _data(mine.session.root / poster)
            at = {"x": round(20 + 560 * float(x), 1), "y": round(20 + 360 * float(y), 1)}
            pictures.append({**at, "id": mine.ids[n], "picture": url})
    return {"dots": dots, "chance": chance, "pictures": pictures}


def unlike(mine: Found) -> list[int]:
    """Places of the best items, no two alike: greedily by quality and distance from the chosen."""
    nearest = np.full(len(mine.ids), np.inf)
    chosen: list[int] = []
    for _ in range(min(_SHOWN, len(mine.ids))):
        merit = mine.quality + np.minimum(nearest, 1.0)
        merit[chosen] = -np.inf
        n = int(merit.argmax())
        chosen.append(n)
        nearest = np.minimum(nearest, 1 - mine.vectors @ mine.vectors[n])
    return chosen


def _nuggets(mine: Found) -> list[dict[str, Any]]:
    """What `phosphene nuggets` found, if it was run."""
    path = mine.session.root / KEPT
    if not path.exists():
        return []
    places = {id: n for n, id in enumerate(mine.ids)}
    held = [n["id"] for n in json.loads(path.read_text())["nuggets"]]
    return [card(mine.session, i, float(mine.quality[places[i]])) for i in held if i in places]


def card(session: Session, id: str, quality: float) -> dict[str, Any]:
    """A clip with what it came from, for a page."""
    made, proposal = session.made[id], session.proposal(id)
    path = session.root / str(made.media)
    line = []
    for parent in proposal.parents:
        held = session.made.get(parent)
        if held is not None and held.poster is not None:
            line.append((parent, _data(session.root / held.poster)))
    return {
        "id": id,
        "url": _data(path) if made.media is not None and path.exists() else "",
        "poster": _data(session.root / made.poster) if made.poster is not None else "",
        "moving": path.suffix in (".mp4", ".mkv"),
        "sounding": path.suffix == ".wav",
        "quality": f"{quality:.2f}",
        "operator": proposal.operator,
        "prompt": proposal.genome.prompt,
        "frame": proposal.genome.frame or "",
        "parents": line,
        "recipe": json.dumps(proposal.genome.record()),
    }


_TYPES: Mapping[str, str] = {
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".wav": "audio/wav",
    ".mkv": "video/x-matroska",
}


def _data(path: Path) -> str:
    if not path.exists():
        return ""
    text = base64.b64encode(path.read_bytes()).decode()
    return f"data:{_TYPES[path.suffix]};base64,{text}"
