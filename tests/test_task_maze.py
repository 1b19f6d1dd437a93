"""Maze: lines drawn by other hands than the oracle's, right and wrong; truth by an own search."""

from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise

import networkx
import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.draw import blend, capsule
from phosphene.errors import PhospheneError
from phosphene.lines import route
from phosphene.readers.strokes import Grid
from phosphene.task import Canvas
from phosphene.tasks.maze import MARGIN, Maze

BLUE = (30, 60, 230)


def way(problem):
    """The right way's cells, by networkx."""
    s = problem.state
    graph = networkx.Graph([((a, b), (c, d)) for a, b, c, d in s["doors"]])
    return networkx.shortest_path(graph, tuple(s["start"]), tuple(s["goal"]))


def centres(problem, cells, size=64):
    grid = Grid(problem.state["n"], MARGIN)
    return np.array([grid.centre(c, size) for c in cells])


def dense(points, step=0.5):
    """Points along a line, `step` pixels apart."""
    out = [points[0]]
    for a, b in pairwise(points):
        n = max(int(np.hypot(*(b - a)) / step), 1)
        out += [a + (b - a) * i / n for i in range(1, n + 1)]
    return np.array(out)


def layer(points, radius, size=64, cover=None):
    """Coverage of a line through `points`, on top of what is covered already."""
    cover = np.zeros((size, size), np.float32) if cover is None else cover
    for a, b in pairwise(points):
        low = np.maximum(np.minimum(a, b) - radius - 2, 0).astype(int)
        high = (np.maximum(a, b) + radius + 2).astype(int)
        part = cover[low[1] : high[1], low[0] : high[0]]
        stroke = capsule(max(part.shape), tuple(a - low), tuple(b - low), radius)
        part[:] = np.maximum(part, stroke[: part.shape[0], : part.shape[1]])
    return cover


def drawn(task, problem, points, radius=1.5, colour=BLUE, shares=None, size=64):
    """A clip whose line follows `points`; `shares` says how much of it each frame shows."""
    first = task.first_frame(problem, Canvas(size=size)).astype(np.float32)
    fine = dense(np.asarray(points, float))
    shares = np.linspace(0, 1, 9) if shares is None else shares
    frames, covers = [], {0: np.zeros((size, size), np.float32)}
    for share in shares:
        n = round(share * len(fine))
        if n not in covers:
            before = max(k for k in covers if k < n)
            covers[n] = layer(fine[max(before - 1, 0) : n], radius, size, covers[before].copy())
        frames.append(blend(first, covers[n], np.array(colour)))
    return Clip(np.rint(np.stack(frames)).clip(0, 255).astype(np.uint8), Fraction(8))


def problems(n, count=4, least=5, variety=0.0):
    task = Maze(smallest=n, largest=n, variety=variety)
    dealt = (task.sample(i) for i in range(200))
    return task, list(islice((p for p in dealt if len(way(p)) >= least), count))


@pytest.mark.parametrize("n", [4, 8, 13])
def test_truth_agrees_with_an_independent_search(n):
    task = Maze(smallest=n, largest=n)
    for seed in range(15):
        problem = task.sample(seed)
        cells = way(problem)
        graph = networkx.Graph([((a, b), (c, d)) for a, b, c, d in problem.state["doors"]])
        assert networkx.is_tree(graph)
        assert len(graph) == n * n
        steps = {frozenset(pair) for pair in pairwise(cells)}
        assert {frozenset(((a, b), (c, d))) for a, b, c, d in problem.state["answer"][0]} == steps
        assert task.work_out(problem.answered(None)) == problem.state["answer"]


def rounded(points):
    """Corners cut by Chaikin's rule, ends kept."""
    for _ in range(2):
        mixed = [0.75 * a + 0.25 * b for a, b in pairwise(points)]
        other = [0.25 * a + 0.75 * b for a, b in pairwise(points)]
        inner = [p for pair in zip(mixed, other, strict=True) for p in pair]
        points = np.array([points[0], *inner, points[-1]])
    return points


def wobbly(points):
    rng = np.random.default_rng(0)
    fine = dense(points)
    sway = np.cumsum(rng.normal(size=fine.shape), 0)
    sway -= sway.mean(0)
    return fine + 1.6 * sway / np.abs(sway).max()


LOOKS = {
    "a hair": ({"radius": 0.5}, lambda p: p),
    "nearly as wide as a corridor": ({"radius": 4.5}, lambda p: dense(p)[15:-15]),
    "black": ({"colour": (0, 0, 0)}, lambda p: p),
    "yellow": ({"colour": (250, 210, 0)}, lambda p: p),
    "grey": ({"colour": (120, 120, 120)}, lambda p: p),
    "the goal's red": ({"colour": (220, 30, 30)}, lambda p: p),
    "rounded corners": ({"radius": 1.0}, rounded),
    "wobbly": ({"radius": 0.8}, wobbly),
    "from the goal on": ({}, lambda p: p[::-1]),
    "from rim to rim": ({}, lambda p: dense(p)[5:-5]),
    "in four frames of nine": ({"shares": [0, 0, 0.2, 0.4, 0.7, 0.9, 1, 1, 1]}, lambda p: p),
    "with a pause": ({"shares": [0, 0.2, 0.4, 0.4, 0.4, 0.6, 0.8, 0.9, 1]}, lambda p: p),
    "in 49 frames": ({"shares": np.linspace(0, 1, 49)}, lambda p: p),
}


@pytest.mark.parametrize("look", LOOKS)
def test_right_ways_in_many_looks_pass(look):
    how, shape = LOOKS[look]
    task, found = problems(4, least=7)
    for problem in found:
        points = shape(centres(problem, way(problem)))
        verdict = task.score(problem, drawn(task, problem, points, **how))
        assert verdict.passed, verdict


@pytest.mark.parametrize("size", [64, 160])
@pytest.mark.parametrize("n", [7, 13])
def test_fine_mazes_take_any_ink_too(n, size):
    task, found = problems(n, count=2, least=8, variety=1.0)
    for problem in found:
        for colour, radius in (((0, 0, 0), 0.7), ((235, 120, 10), 0.9)):
            points = centres(problem, way(problem), size)
            shares = np.linspace(0, 1, 12)
            clip = drawn(task, problem, points, radius * size / 64, colour, shares, size)
            assert task.score(problem, clip).passed, task.score(problem, clip)


def test_a_line_from_both_ends_that_meets_in_the_middle_passes():
    task, found = problems(5, least=8)
    for problem in found:
        points = dense(centres(problem, way(problem)))
        half = len(points) // 2
        first = task.first_frame(problem, Canvas()).astype(np.float32)
        frames = []
        for share in np.linspace(0, 1, 9):
            n = max(round(share * half), 1)
            cover = np.maximum(layer(points[:n], 1.5), layer(points[::-1][: n + 2], 1.5))
            frames.append(blend(first, cover * (share > 0), np.array(BLUE)))
        clip = Clip(np.rint(np.stack(frames)).astype(np.uint8), Fraction(8))
        assert task.score(problem, clip).passed, task.score(problem, clip)


def branch(problem):
    """A cell of the right way and a dead end's cell beside it, behind an open door."""
    cells = way(problem)
    for a, b, c, d in problem.state["doors"]:
        for here, there in (((a, b), (c, d)), ((c, d), (a, b))):
            if here in cells[1:-1] and there not in cells:
                return here, there
    return None


@pytest.mark.parametrize(
    ("depth", "passes"), [(0.3, True), (0.62, True), (0.95, False), (1.3, False)]
)
def test_a_stub_is_forgiven_and_a_visit_to_a_wrong_cell_is_not(depth, passes):
    """Depth in cells, from the middle of the way: the border is at 0.5, a stub ends before 0.85."""
    task, found = problems(4, least=5, count=20)
    tried = 0
    for problem in found:
        if (pair := branch(problem)) is None:
            continue
        here, there = centres(problem, pair)
        points, at = centres(problem, way(problem)), way(problem).index(pair[0])
        poke = here + (there - here) * depth
        detour = [*points[: at + 1], poke, *points[at:]]
        verdict = task.score(problem, drawn(task, problem, detour, radius=0.8))
        assert verdict.passed == passes, (depth, verdict)
        tried += 1
    assert tried > 4


def test_a_shortcut_through_a_wall_fails_as_that():
    tried = 0
    for n in (4, 8):
        task, found = problems(n, count=5, least=7)
        for problem in found:
            cells, doors = way(problem), {tuple(d) for d in problem.state["doors"]}
            pairs = [
                (i, j)
                for i in range(len(cells))
                for j in range(i + 3, len(cells))
                if abs(cells[i][0] - cells[j][0]) + abs(cells[i][1] - cells[j][1]) == 1
            ]
            if not pairs:
                continue
            i, j = pairs[0]
            points = centres(problem, cells[: i + 1] + cells[j:])
            for colour in (BLUE, (0, 0, 0)):
                clip = drawn(task, problem, points, colour=colour, radius=1.0)
                verdict = task.score(problem, clip)
                assert verdict.answer == "failed", verdict
                if colour == BLUE:
                    read = verdict.evidence["answer"]
                    through = {tuple(s) for piece in read for s in piece} - doors
                    assert through, "the step through the wall was not read"
                tried += 1
    assert tried > 6


def test_a_gap_or_a_short_end_fails():
    task, found = problems(4, least=6)
    for problem in found:
        points = dense(centres(problem, way(problem)))
        n = len(points)
        gap = np.linspace(0, 1, 9)
        first = task.first_frame(problem, Canvas()).astype(np.float32)
        broken = np.maximum(layer(points[: n // 2 - 6], 1.2), layer(points[n // 2 + 6 :], 1.2))
        whole = drawn(task, problem, points, 1.2, shares=gap)
        assert whole.frames is not None
        last = np.rint(blend(first, broken, np.array(BLUE))).astype(np.uint8)
        still = Clip(last[None], Fraction(8))
        assert task.score(problem, still).answer == "failed"
        short = drawn(task, problem, points[:-16], 1.2, shares=gap)
        assert task.score(problem, short).answer == "failed", task.score(problem, short)


def test_painting_every_corridor_fails():
    task, found = problems(5)
    for problem in found:
        doors = [((a, b), (c, d)) for a, b, c, d in problem.state["doors"]]
        every = problem.answered([[list(d) for d in problem.state["doors"]]])
        assert not task.score(problem, task.solve(every, Canvas(frames=30))).passed
        first = task.first_frame(problem, Canvas()).astype(np.float32)
        cover = np.max([layer(centres(problem, d), 5) for d in doors], 0)
        flood = np.rint(blend(first, cover, np.array(BLUE))).astype(np.uint8)
        assert not task.score(problem, Clip(flood[None], Fraction(8))).passed


WAYS_TO_CHEAT = {
    "cut": [0, 0, 0, 0, 1, 1, 1, 1, 1],
    "there from the start": [1] * 9,
    "two jumps": [0, 0, 0.5, 0.5, 0.5, 1, 1, 1, 1],
    "erased and drawn again": [0, 0.2, 0.4, 0.6, 0, 0.3, 0.6, 0.8, 1],
    "back and forth": [0, 0.3, 0.6, 0.9, 0.6, 0.3, 0.6, 0.9, 1],
}


@pytest.mark.parametrize("cheat", WAYS_TO_CHEAT)
def test_the_way_there_counts(cheat):
    task, found = problems(5, least=9)
    for problem in found:
        points = centres(problem, way(problem))
        verdict = task.score(problem, drawn(task, problem, points, shares=WAYS_TO_CHEAT[cheat]))
        assert (verdict.answer, verdict.process) == ("passed", "failed"), verdict
        assert verdict.reason


def test_ink_that_starts_in_the_middle_fails():
    task, found = problems(5, least=10)
    for problem in found:
        points = dense(centres(problem, way(problem)))
        n = len(points)
        first = task.first_frame(problem, Canvas()).astype(np.float32)
        frames = [first]
        for share in np.linspace(0.3, 1, 9):
            a, b = round(n / 2 * (1 - share)), round(n / 2 * (1 + share))
            frames.append(blend(first, layer(points[a:b], 1.5), np.array(BLUE)))
        clip = Clip(np.rint(np.stack(frames)).astype(np.uint8), Fraction(8))
        verdict = task.score(problem, clip)
        assert (verdict.answer, verdict.process) == ("passed", "failed")
        assert "away from the ends" in verdict.reason


def test_a_dissolve_to_the_solution_fails():
    task, found = problems(5, least=8)
    for problem in found:
        first, last = task.first_frame(problem, Canvas()), task.last_frame(problem, Canvas())
        mix = np.linspace(0, 1, 9)[:, None, None, None]
        clip = Clip((first * (1 - mix) + last * mix).astype(np.uint8), Fraction(8))
        assert task.score(problem, clip).process == "failed"


def test_a_wrong_try_that_is_wiped_out_fails():
    task, found = problems(5, least=7, count=9)
    for problem in found:
        if (pair := branch(problem)) is None:
            continue
        first = task.first_frame(problem, Canvas()).astype(np.float32)
        cells = way(problem)
        at = cells.index(pair[0])
        astray = centres(problem, [*cells[: at + 1], pair[1]])
        lost = drawn(task, problem, astray, shares=np.linspace(0, 1, 8)).frames
        right = drawn(task, problem, centres(problem, cells), shares=np.linspace(0, 1, 8)).frames
        assert lost is not None
        assert right is not None
        clip = Clip(np.concatenate([lost, first[None].astype(np.uint8), right]), Fraction(8))
        if len(astray) > 2:
            assert task.score(problem, clip).process == "failed"


@pytest.mark.parametrize("n", [4, 9])
def test_givens_count_in_a_still_picture_too(n):
    """No process can give it away: a wall gone, a wall built, a dot moved, dots exchanged."""
    task, found = problems(n, count=4)
    for problem in found:
        s = problem.state
        still = Canvas(frames=1)
        assert task.score(problem, task.solve(problem, still)).passed
        on_way = {tuple(d) for d in s["answer"][0]}
        shut = [d for d in s["doors"] if tuple(d) not in on_way]
        changes = [
            {"doors": [*s["doors"], e]}
            for e in ([0, 0, 0, 1], [0, 0, 1, 0], [1, 1, 1, 2], [1, 1, 2, 1])
            if e not in s["doors"]
        ]
        changes += [{"doors": [d for d in s["doors"] if d != gone]} for gone in shut[:3]]
        changes += [{"start": s["goal"], "goal": s["start"]}]
        free = next([r, c] for r in range(n) for c in range(n) if (r, c) not in way(problem))
        changes += [{"goal": free}]
        for change in changes:
            other = replace(problem, state={**s, **change})
            verdict = task.score(problem, task.solve(other, still))
            assert not verdict.passed, (change, verdict)
            assert verdict.reason


def test_the_start_may_not_be_painted_over():
    task, found = problems(4)
    for problem in found:
        points = centres(problem, way(problem))
        clip = drawn(task, problem, points)
        assert clip.frames is not None
        frames = clip.frames.copy()
        x, y = points[0].astype(int)
        frames[-1, y - 5 : y + 6, x - 5 : x + 6] = BLUE
        verdict = task.score(problem, replace(clip, frames=frames))
        assert verdict.givens == "failed", verdict
        assert "start dot" in verdict.reason


def test_pens_follow_the_way_and_branches():
    assert route([[0, 0, 0, 1], [0, 1, 1, 1]], [(1, 1)]) == [((1, 1), (0, 1)), ((0, 1), (0, 0))]
    fork = route([[0, 0, 0, 1], [0, 1, 0, 2], [0, 1, 1, 1]], [(0, 0)])
    assert fork[0] == ((0, 0), (0, 1))
    assert set(fork[1:]) == {((0, 1), (0, 2)), ((0, 1), (1, 1))}


def test_pictures_of_the_trained_world_stay():
    """Drift alarm: Ember learnt these pixels and sounds."""
    import hashlib

    h = hashlib.sha256()
    for variety in (0.0, 1.0):
        for seed in range(8):
            task = Maze(variety=variety)
            clip = task.solve(task.sample(seed, "train"), Canvas())
            assert clip.frames is not None
            assert clip.audio is not None
            h.update(clip.frames.tobytes())
            h.update((clip.audio * 1000).round().astype(np.int16).tobytes())
    assert h.hexdigest()[:16] == "b07641c4ba0b5124"


def test_errors_name_the_field():
    with pytest.raises(PhospheneError, match="smallest <= largest"):
        Maze(smallest=5, largest=4)
    with pytest.raises(PhospheneError, match=r"maze\.variety.*0\.\.1.*2"):
        Maze(variety=2)
