"""Clock: an analogue face with an hour hand and a minute hand, twelve at the top."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.pack import PackItem, Puzzle, Unreadable
from phosphene.puzzles._picture import (
    away,
    beside,
    box,
    page_colour,
    pieces,
    repainted,
    shrink,
    stability,
)
from phosphene.verdict import Part, Verdict

# Samples around the face, and along its radius.
ANGLES, RADII = 1440, 320
CONTRAST = 60
# Shares of the radius: where hands must be apart from the hub, how far an hour hand must reach,
# and where the numbers may begin.
HUB, LEAST, NUMBERS = 0.17, (0.3, 0.36, 0.42), 0.74
# Degrees by which a hand may miss: a minute's mark, and its place between two hours.
MINUTE_OFF, HOUR_OFF = 2.0, 4.0


class Clock(Puzzle):
    """The time that a clock shows, and times before and after it.

    Read: `hour` 1..12, `minute` 0..59, `centre` (x, y) and `radius` of the face as shares of the
    picture's width and height, and of its width.

    Judged: which time a clip should end with is asked in words, which a judge of pictures doesn't
    see, so the answer is `unreadable` unless the item is given. Then the last frame's hands must
    show the asked time. Everything outside the hands' reach must stay (givens, stability).
    """

    name: ClassVar[str] = "clock"

    def read(self, picture: np.ndarray) -> dict[str, Any]:
        small = shrink(picture, 900)
        h, w = small.shape[:2]
        (x, y), radius = _face(small)
        hour, minute = _time(_polar(small, x, y, radius))
        return {
            "hour": hour,
            "minute": minute,
            "centre": [x / w, y / h],
            "radius": radius / w,
        }

    def solve(self, parsed: Mapping[str, Any]) -> dict[str, Any]:
        return {"current_hour": parsed["hour"], "current_minute": parsed["minute"]}

    def answer(self, parsed: Mapping[str, Any], item: PackItem) -> str | None:
        time = (parsed["hour"] * 60 + parsed["minute"] + _shift(item.prompt)) % 720
        for option in item.options:
            said = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s*", option)
            # Packs write the hour of noon as 12 or as 0.
            if said and (int(said[1]) * 60 + int(said[2])) % 720 == time:
                return option
        return f"{time // 60 or 12}:{time % 60:02d}"

    def judge(self, picture: np.ndarray, clip: Clip, item: PackItem | None = None) -> Verdict:
        try:
            parsed = self.read(picture)
            shown, frames = beside(picture, clip)
            return self._judge(parsed, shown, frames, item)
        except Unreadable as error:
            return Verdict("unreadable", reason=str(error))

    def _judge(
        self,
        parsed: Mapping[str, Any],
        shown: np.ndarray,
        frames: np.ndarray,
        item: PackItem | None,
    ) -> Verdict:
        h, w = shown.shape[:2]
        ys, xs = np.mgrid[0:h, 0:w]
        x, y = parsed["centre"][0] * w, parsed["centre"][1] * h
        still = np.hypot(xs - x, ys - y) > 0.9 * parsed["radius"] * w
        kept = bool(repainted(frames[-1], shown)[still].mean() < 0.03)
        given: Part = "passed" if kept else "failed"
        steady = stability(frames, shown, still)

        def verdict(answer: Part, reason: str, **evidence: str) -> Verdict:
            return Verdict(answer, given, stability=steady, reason=reason, evidence=evidence)

        try:
            last = self.read(frames[-1])
        except Unreadable as error:
            return verdict("unreadable", f"the last frame: {error}")
        seen = f"{last['hour']}:{last['minute']:02d}"
        if item is None:
            reason = f"this kind asks its question in words; the last frame shows {seen}"
            return verdict("unreadable", reason, time=seen)
        asked = (parsed["hour"] * 60 + parsed["minute"] + _shift(item.prompt)) % 720
        right = (last["hour"] * 60 + last["minute"]) % 720 == asked
        reason = f"shows {seen}, {asked // 60 or 12}:{asked % 60:02d} is right"
        return verdict("passed" if right else "failed", reason, time=seen)


def _shift(question: str) -> int:
    """Minutes by which the asked time is after the shown one; negative for before.

    Raises:
        Unreadable: the question says neither how much nor whether before or after.
    """
    ask = " ".join(question.lower().split())
    hours = re.findall(r"(\d+) hours?\b", ask)
    minutes = re.findall(r"(\d+) minutes?\b", ask)
    if len(hours) > 1 or len(minutes) > 1:
        raise Unreadable("the question names two spans of time")
    span = 60 * int(hours[0]) if hours else 0
    span += int(minutes[0]) if minutes else 0
    if not hours and not minutes:
        if re.search(r"what (is the )?time (is )?(it |shown|does)", ask):
            return 0
        raise Unreadable("the question names no span of time")
    before = re.search(r"\b(ago|earlier|before|was the time)\b", ask)
    after = re.search(r"\b(going to|will be|later|after|in \d+)\b", ask)
    if bool(before) == bool(after):
        raise Unreadable("the question asks neither for a time before nor for one after")
    return -span if before else span


def _face(small: np.ndarray) -> tuple[tuple[float, float], float]:
    """Centre (x, y) and radius in pixels of the largest round outline."""
    from scipy import ndimage

    ink = away(small, page_colour(small)) > CONTRAST
    labels, count = pieces(ink, corners=True)
    if not count:
        raise Unreadable("the picture is blank")
    spots = ndimage.find_objects(labels)
    extent = [min(s[0].stop - s[0].start, s[1].stop - s[1].start) for s in spots]
    index = int(np.argmax(extent))
    rows, columns = spots[index]
    inside = labels[rows, columns] == index + 1
    frame = box(inside)
    assert frame is not None
    h, w = inside.shape
    if min(h, w) < 40 or abs(h / w - 1) > 0.03:
        raise Unreadable("no round face")
    # Rays from the rim inwards meet the outline at one distance all around.
    centre, radius = ((w - 1) / 2, (h - 1) / 2), (h + w) / 4
    turn = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    far = np.linspace(1.02, 0.9, 60)[:, None] * radius
    xs = np.rint(centre[0] + far * np.sin(turn)).astype(int)
    ys = np.rint(centre[1] - far * np.cos(turn)).astype(int)
    within = (xs >= 0) & (xs < w) & (ys >= 0) & (ys < h)
    hit = within & inside[ys.clip(0, h - 1), xs.clip(0, w - 1)]
    first = np.where(hit.any(0), far[hit.argmax(0), 0], 0)
    if (np.abs(first - radius) > 0.025 * radius + 1.5).mean() > 0.02:
        raise Unreadable("the outline isn't round all around")
    return (centre[0] + columns.start, centre[1] + rows.start), radius


def _polar(small: np.ndarray, x: float, y: float, radius: float) -> np.ndarray:
    """Ink on the face, bool `(RADII, ANGLES)`: radius 0..1, angle clockwise from the top."""
    turn = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    far = (np.arange(RADII) / RADII * radius)[:, None]
    xs = np.rint(x + far * np.sin(turn)).astype(int).clip(0, small.shape[1] - 1)
    ys = np.rint(y - far * np.cos(turn)).astype(int).clip(0, small.shape[0] - 1)
    face = small[ys, xs]
    ground = np.median(face[round(0.15 * RADII) : round(0.7 * RADII)].reshape(-1, 3), 0)
    return away(face, ground) > CONTRAST


def _time(ink: np.ndarray) -> tuple[int, int]:
    """Hour and minute, from the hands' directions; each checks the other."""
    reach = _reach(ink)
    clusters = _clusters(reach >= LEAST[0])
    for least in LEAST[1:]:
        # Two hands side by side part further out.
        if len(clusters) == 1 and len(_clusters(reach >= least)) == 2:
            clusters = _clusters(reach >= least)
    hands = [_hand(ink, reach, cluster) for cluster in clusters]
    if not hands:
        raise Unreadable("no hands")
    if len(hands) > 2:
        raise Unreadable(f"{len(hands)} hands")
    long = max(hands, key=lambda hand: hand["length"])
    if long["length"] < 0.5:
        raise Unreadable("no minute hand")
    minute = round(long["angle"] / 6) % 60
    if abs(_turn(long["angle"], minute * 6)) > MINUTE_OFF:
        raise Unreadable("the minute hand points between two minutes")
    if len(hands) == 2:
        short = min(hands, key=lambda hand: hand["length"])
        if short["length"] > 0.87 * long["length"]:
            raise Unreadable("the two hands are equally long")
        points = short["angle"]
    else:
        points = _covered(ink, long, minute)
    hour = round((points - minute / 2) / 30) % 12
    off = _turn(points, hour * 30 + minute / 2)
    if abs(off) > HOUR_OFF:
        raise Unreadable(
            f"the hour hand is {abs(off):.0f} degrees from where it stands at {minute} minutes"
        )
    return hour or 12, minute


def _reach(ink: np.ndarray) -> np.ndarray:
    """How far ink runs out from the hub without a break, as shares of the radius `(ANGLES,)`."""
    start = round(HUB * RADII)
    gap = ~(ink | np.roll(ink, 1, 0) | np.roll(ink, -1, 0) | np.roll(ink, 2, 0))
    run = gap[start:]
    ends = np.where(run.any(0), run.argmax(0), len(run))
    return np.where(ink[start], (ends + start) / RADII, 0)


def _clusters(mask: np.ndarray) -> list[tuple[int, int]]:
    """Runs of true angles around the circle, start and length."""
    if mask.all():
        raise Unreadable("the face is covered")
    off = int(np.argmin(mask))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.roll(mask, -off).astype(int), [0]])))
    return [
        (int(a + off) % ANGLES, int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]


def _hand(ink: np.ndarray, reach: np.ndarray, cluster: tuple[int, int]) -> dict[str, float]:
    """Length (share of the radius), angle (degrees) and thickness (share) of a hand."""
    where = (cluster[0] + np.arange(cluster[1])) % ANGLES
    length = float(reach[where].max())
    # The outer part, where no other hand and no number lies.
    end = min(0.95 * length, NUMBERS)
    rows = slice(round(0.8 * end * RADII), round(end * RADII))
    weight = ink[rows][:, where]
    # Only the columns that go on inwards: a number's edge beside the hand doesn't.
    weight = weight & (reach[where] >= 0.75 * end)
    share = weight.mean(1)
    if not weight.any() or (share == 0).any():
        raise Unreadable("a hand is broken")
    offsets = np.arange(cluster[1])
    angle = float((weight * offsets).sum() / weight.sum() + cluster[0]) * 360 / ANGLES
    width = weight.sum(1).mean() * 2 * np.pi / ANGLES * 0.9 * end
    return {"length": length, "angle": angle % 360, "thick": float(width), "at": 0.9 * end}


def _covered(ink: np.ndarray, long: Mapping[str, float], minute: int) -> float:
    """The hour hand's angle in degrees where the minute hand lies over a part of it.

    The only place near the minute hand where an hour hand can stand at that minute is known; near
    the hub the two together must be as much wider than the minute hand, and on that side, as an
    hour hand in that place would make them.
    """
    nearest = round((long["angle"] - minute / 2) / 30) * 30 + minute / 2
    far = np.arange(round(0.24 * RADII), round(0.4 * RADII))
    middle = round(long["angle"] / 360 * ANGLES)
    sides = []
    for direction in (-1, 1):
        steps = (middle + direction * np.arange(ANGLES // 12)) % ANGLES
        clear = ~ink[far][:, steps]
        if clear[:, 0].any() or not clear.any(1).all():
            raise Unreadable("the minute hand is broken")
        sides.append(float(np.median(clear.argmax(1) * (2 * np.pi / ANGLES) * far / RADII)))
    left, right = sides
    half = long["thick"] / 2
    beyond = max(left, right) - half
    if beyond < max(0.3 * half, 0.003):
        raise Unreadable("only one hand is seen")
    shift = float(np.radians(_turn(nearest, long["angle"])) * far.mean() / RADII)
    least, most = (right - left) / 2, (right - left) / 2
    # Where one side is the minute hand's own edge, the hour hand may lie further to the other.
    if left - half < 0.3 * half:
        most = right - 0.6 * half
    if right - half < 0.3 * half:
        least = 0.6 * half - left
    if not least - 0.008 <= shift <= most + 0.008:
        raise Unreadable("the hands lie over each other and don't fit any time")
    return nearest


def _turn(a: float, b: float) -> float:
    """Degrees from b to a, -180..180."""
    return (a - b + 180) % 360 - 180


COMPONENT = Clock
