"""Read pack: find a pack's items, read each picture, solve it, compare with what the pack says."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from phosphene import media
from phosphene.errors import PhospheneError, unknown
from phosphene.pack import Layout, PackItem, Puzzle, Unreadable, layouts, puzzles
from phosphene.player import recorded_clips
from phosphene.progress import Event, OnEvent
from phosphene.statistics import wilson
from phosphene.verdict import Verdict

Status = Literal["read", "unreadable", "no reader"]


@dataclass(frozen=True)
class Reading:
    """What came of one item.

    Args:
        status: `read` where the picture was read and solved; `no reader` where no puzzle is named.
        parsed: the problem as it was read from the pixels.
        solved: its solution.
        given: the pack's answer.
        answer: our answer to the item's own question, None where it asks none.
        agree: whether answer and given are the same; None with nothing to compare.
        facts_agree: whether what was read equals the pack's symbolic account; None without one.
        reason: why it wasn't read, solved or answered.
        verdict: of the recorded clip, None where none was given.
    """

    id: str
    kind: str
    puzzle: str | None
    status: Status
    parsed: Mapping[str, Any] | None = None
    solved: Any = None
    given: str | None = None
    answer: str | None = None
    agree: bool | None = None
    facts_agree: bool | None = None
    reason: str = ""
    verdict: Mapping[str, Any] | None = None

    def record(self) -> dict[str, Any]:
        """JSON-able account."""
        return dataclasses.asdict(self)


def find_layout(root: Path) -> Layout:
    """The one layout that the folder has.

    Raises:
        PhospheneError: no such folder, an empty one, one of no known layout, or of several.
    """
    if not root.is_dir():
        raise PhospheneError(f"{root} is not a directory; give the folder of a benchmark")
    if not any(root.iterdir()):
        raise PhospheneError(f"{root} is empty; give the folder of a benchmark")
    known = [layouts.get(name)() for name in layouts.names()]
    found = [layout for layout in known if layout.matches(root)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(layout.name for layout in found)
        raise PhospheneError(f"{root} holds several layouts, {names}; give the folder of one")
    looks = "; ".join(f"{layout.name}: {_first_sentence(layout)}" for layout in known)
    raise PhospheneError(f"{root} has no known layout; known are {looks}")


def find_items(root: Path, kind: str | None = None, limit: int | None = None) -> list[PackItem]:
    """The pack's items, in its order; ids are unique.

    Args:
        kind: only items of this kind, or that this puzzle reads.
        limit: only the first so many.

    Raises:
        PhospheneError: as `find_layout`; a damaged file; a kind that the pack doesn't have.
    """
    items = list(_distinct(find_layout(root).items(root)))
    if not items:
        raise PhospheneError(f"{root} holds no items")
    if kind is not None:
        kind = kind.strip().lower().replace("-", "_").replace(" ", "_")
        names = {i.kind for i in items} | {i.puzzle for i in items if i.puzzle is not None}
        if kind not in names:
            raise unknown("kind", kind, names)
        items = [item for item in items if kind in (item.kind, item.puzzle)]
    return items[:limit]


def read_items(
    items: list[PackItem], on_event: OnEvent | None = None, clips: Path | None = None
) -> Iterator[Reading]:
    """Read, solve and compare, one after the other; an item that fails never stops the rest.

    Args:
        clips: a folder of recorded clips to judge, named by item as `phosphene.player.Folder` says.

    Raises:
        PhospheneError: `clips` is no folder, or holds no clip of any of these items.
    """
    recorded = None if clips is None else _clips(items, clips)
    tell = on_event or (lambda event: None)
    tell(Event("planned", 0, len(items), text=f"{len(items)} items to read"))
    every = max(1, len(items) // 20)
    for index, item in enumerate(items):
        reading = read_item(item)
        if recorded is not None:
            reading = judge_item(reading, item, recorded.get((item.id, 0)))
        yield reading
        if (index + 1) % every == 0:
            tell(Event("found", index + 1, len(items), index, f"{item.id}: {reading.status}"))


def read_item(item: PackItem) -> Reading:
    """One item; whatever goes wrong with it is its reason."""
    reading = Reading(item.id, item.kind, item.puzzle, "unreadable", given=item.answer)
    if item.picture is not None and not item.picture.is_file():
        return dataclasses.replace(reading, reason=f"the file {item.picture} is missing")
    if item.puzzle is None or item.puzzle not in puzzles.names() or item.picture is None:
        return dataclasses.replace(
            reading, status="no reader", reason=f"no puzzle reads {item.kind}"
        )
    puzzle: Puzzle = puzzles.get(item.puzzle)()
    try:
        parsed = puzzle.read(media.load_image(item.picture))
        reading = dataclasses.replace(reading, parsed=parsed)
        solved = puzzle.solve(parsed)
    except (Unreadable, PhospheneError) as error:
        return dataclasses.replace(reading, reason=" ".join(str(error).split()))
    except Exception as error:
        # A reader meets pictures nobody foresaw; one of them must not lose the others' results.
        reason = f"the reader failed: {type(error).__name__}: {error}"
        return dataclasses.replace(reading, reason=" ".join(reason.split()))
    reading = dataclasses.replace(
        reading, status="read", solved=solved, facts_agree=_facts_agree(parsed, item)
    )
    try:
        answer = puzzle.answer(parsed, item)
    except Unreadable as error:
        return dataclasses.replace(reading, reason=f"the question: {error}")
    agree = None if answer is None or item.answer is None else _same(answer, item.answer)
    return dataclasses.replace(reading, answer=answer, agree=agree)


def judge_item(reading: Reading, item: PackItem, clip: Path | None) -> Reading:
    """The reading with the verdict on a recorded clip; a clip that is not there has failed."""
    if reading.status != "read" or item.picture is None or item.puzzle is None:
        verdict = Verdict("unreadable", reason=reading.reason)
    elif clip is None:
        verdict = Verdict("failed", reason="no clip")
    else:
        try:
            picture = media.load_image(item.picture)
            verdict = puzzles.get(item.puzzle)().judge(picture, media.load(clip), item)
        except (Unreadable, PhospheneError) as error:
            verdict = Verdict("unreadable", reason=" ".join(str(error).split()))
    return dataclasses.replace(reading, verdict=verdict.record())


def _clips(items: list[PackItem], folder: Path) -> dict[tuple[str, int], Path]:
    if not folder.is_dir():
        raise PhospheneError(f"{folder} is not a directory; give one that holds recorded clips")
    found = recorded_clips(folder)
    if not any((item.id, 0) in found for item in items):
        raise PhospheneError(
            f"{folder} holds no clip of any item; name them like {items[0].id}.mp4"
        )
    return found


def summarise(readings: Iterable[Reading]) -> dict[str, Any]:
    """Counts, parse rate and agreement with 95 % Wilson intervals, over all and by kind."""
    readings = list(readings)
    kinds = sorted({reading.kind for reading in readings})
    return {
        **_counts(readings),
        "kinds": {kind: _counts([r for r in readings if r.kind == kind]) for kind in kinds},
    }


def _counts(readings: list[Reading]) -> dict[str, Any]:
    status = Counter(reading.status for reading in readings)
    readable = status["read"] + status["unreadable"]
    compared = [reading.agree for reading in readings if reading.agree is not None]
    facts = [reading.facts_agree for reading in readings if reading.facts_agree is not None]
    return {
        "items": len(readings),
        "read": status["read"],
        "unreadable": status["unreadable"],
        "no_reader": status["no reader"],
        "parse_rate": _share(status["read"], readable),
        "compared": len(compared),
        "agree": sum(compared),
        "agreement": _share(sum(compared), len(compared)),
        "facts_compared": len(facts),
        "facts_agree": sum(facts),
        "judged": sum(reading.verdict is not None for reading in readings),
        "passed": sum(
            reading.verdict is not None and reading.verdict["headline"] == "passed"
            for reading in readings
        ),
    }


def _share(passed: int, n: int) -> dict[str, float] | None:
    """Share and interval; None of nothing."""
    return None if n == 0 else wilson(passed, n)._asdict()


def _same(answer: str, given: str) -> bool:
    ours, theirs = answer.strip().casefold(), given.strip().casefold()
    try:
        return float(ours) == float(theirs)
    except ValueError:
        return ours == theirs


# What a kind's symbolic account must say, from the problem that was read.
_ACCOUNTS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "clock": lambda parsed: {
        "current_hour": parsed["hour"],
        "current_minute": parsed["minute"],
    },
    "maze": lambda parsed: {"maze": parsed["cells"]},
    "n_queens": lambda parsed: {"given_queen_positions": parsed["queens"]},
    "number_slide": lambda parsed: {"starting_grid": parsed["grid"]},
    "tower_of_hanoi": lambda parsed: {
        "start_position": parsed["start"],
        "end_position": parsed["end"],
    },
}


def _facts_agree(parsed: Mapping[str, Any], item: PackItem) -> bool | None:
    account = _ACCOUNTS.get(item.puzzle or "")
    ours = {} if account is None else account(parsed)
    both = [name for name in ours if name in item.facts]
    return all(ours[name] == item.facts[name] for name in both) if both else None


def _distinct(items: Iterable[PackItem]) -> Iterator[PackItem]:
    seen: Counter[str] = Counter()
    for item in items:
        seen[item.id] += 1
        again = seen[item.id]
        yield item if again == 1 else dataclasses.replace(item, id=f"{item.id}_{again}")


def _first_sentence(layout: Layout) -> str:
    text = " ".join((type(layout).__doc__ or "").split())
    return text.split(". ")[0].rstrip(".")
