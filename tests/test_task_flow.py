"""Flow: lines that meet, go astray or change colour; other right solutions; truth by networkx."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import networkx
import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.draw import blend, capsule
from phosphene.errors import PhospheneError
from phosphene.readers.strokes import Grid, edge
from phosphene.task import Canvas
from phosphene.tasks.flow import MARGIN, Flow


def ways(problem):
    """The answer's lines as lists of cells, first dot to last."""
    out = []
    for (a, b), found in zip(problem.state["pairs"], problem.state["answer"], strict=True):
        graph = networkx.Graph([((r0, c0), (r1, c1)) for r0, c0, r1, c1 in found[0]])
        out.append(networkx.shortest_path(graph, tuple(a), tuple(b)))
    return out


def as_answer(lines):
    return [[sorted(list(edge(a, b)) for a, b in pairwise(way))] for way in lines]


def drawn(task, problem, lines, colours=None, radius=1.2, frames=12, at_once=False):
    """Lines of (x, y) pixels, one after another or all at once, painted over the first frame."""
    first = task.first_frame(problem, Canvas()).astype(np.float32)
    inks = np.array(problem.state["colours"][1:] if colours is None else colours, np.float32)
    strokes = []
    for ink, line in zip(inks, lines, strict=True):
        bits = [
            (a + (b - a) * i / 4, a + (b - a) * (i + 1) / 4)
            for a, b in pairwise(np.asarray(line, float))
            for i in range(4)
        ]
        total = len(bits)
        strokes += [
            (i / total if at_once else len(strokes) + i, *bit, ink) for i, bit in enumerate(bits)
        ]
    strokes.sort(key=lambda stroke: stroke[0])
    picture, done, out = first, 0, []
    for share in np.linspace(0, 1, frames):
        for _, a, b, ink in strokes[done : round(share * len(strokes))]:
            picture = blend(picture, capsule(64, tuple(a), tuple(b), radius), ink)
        done = round(share * len(strokes))
        out.append(picture)
    return Clip(np.rint(np.stack(out)).clip(0, 255).astype(np.uint8), Fraction(8))


def points(problem, lines):
    grid = Grid(problem.state["cells"], MARGIN)
    return [np.array([grid.centre(c, 64) for c in way]) for way in lines]


TASK = Flow(cells=6, pairs=3, variety=0.0)
PROBLEMS = [TASK.sample(i) for i in range(6)]


@pytest.mark.parametrize("fields", Flow.LADDER)
def test_answers_are_paths_that_share_no_cell(fields):
    task = Flow(**fields)
    for seed in range(8):
        problem = task.sample(seed)
        lines = ways(problem)
        cells = [cell for way in lines for cell in way]
        assert len(set(cells)) == len(cells)
        for (a, b), way in zip(problem.state["pairs"], lines, strict=True):
            assert (list(way[0]), list(way[-1])) == (a, b)
            assert all(abs(p - r) + abs(q - c) == 1 for (p, q), (r, c) in pairwise(way))
        assert task.right(problem, task.work_out(problem.answered(None)))


def test_no_problem_yields_to_lines_with_one_corner():
    for problem in PROBLEMS:

        def bend(a, b, first):
            corner = (a[0], b[1]) if first else (b[0], a[1])
            legs = [(a, corner), (corner, b)]
            return {
                (r, c)
                for (p, q), (u, v) in legs
                for r in range(min(p, u), max(p, u) + 1)
                for c in range(min(q, v), max(q, v) + 1)
            }

        for choice in np.ndindex(2, 2, 2):
            cells = [
                bend(a, b, k) for (a, b), k in zip(problem.state["pairs"], choice, strict=True)
            ]
            assert sum(map(len, cells)) > len(set.union(*cells))


def test_any_other_right_solution_passes():
    tried = 0
    for problem in PROBLEMS:
        lines, n = ways(problem), problem.state["cells"]
        others = {c for way in lines[1:] for c in way}
        graph = networkx.grid_graph((n, n))
        graph.remove_nodes_from(others)
        a, b = lines[0][0], lines[0][-1]
        for way in networkx.all_simple_paths(graph, a, b, cutoff=len(lines[0]) + 4):
            if len(way) > len(lines[0]):
                answer = as_answer([way, *lines[1:]])
                assert answer != problem.state["answer"]
                clip = drawn(TASK, problem, points(problem, [way, *lines[1:]]), frames=20)
                assert TASK.score(problem, clip).passed, TASK.score(problem, clip)
                tried += 1
                break
    assert tried > 2


@pytest.mark.parametrize(
    "how", [{"radius": 0.8}, {"radius": 2.4}, {"at_once": True}, {"frames": 41}]
)
def test_lines_in_other_looks_pass(how):
    for problem in PROBLEMS:
        verdict = TASK.score(problem, drawn(TASK, problem, points(problem, ways(problem)), **how))
        assert verdict.passed, verdict


def test_a_free_hand_passes():
    rng = np.random.default_rng(1)
    for problem in PROBLEMS:
        lines = [
            np.concatenate([p[:1], p[1:-1] + rng.uniform(-1.8, 1.8, (len(p) - 2, 2)), p[-1:]])
            for p in points(problem, ways(problem))
        ]
        assert TASK.score(problem, drawn(TASK, problem, lines)).passed


def test_straight_lines_that_cross_fail():
    for problem in PROBLEMS:
        lines = [[way[0], way[-1]] for way in ways(problem)]
        assert TASK.score(problem, drawn(TASK, problem, points(problem, lines))).answer != "passed"


def test_a_line_in_another_pairs_colour_fails():
    for problem in PROBLEMS:
        colours = problem.state["colours"][1:]
        swapped = [colours[1], colours[0], colours[2]]
        clip = drawn(TASK, problem, points(problem, ways(problem)), swapped)
        assert TASK.score(problem, clip).answer == "failed"
        strange = [(150, 0, 200), *colours[1:]]
        clip = drawn(TASK, problem, points(problem, ways(problem)), strange)
        assert TASK.score(problem, clip).answer != "passed"


def test_a_missing_line_a_gap_and_a_short_end_fail():
    for problem in PROBLEMS:
        lines = points(problem, ways(problem))
        assert (
            TASK.score(problem, drawn(TASK, problem, [*lines[:2], lines[2][:1]])).answer == "failed"
        )
        long = max(range(3), key=lambda k: len(lines[k]))
        short = [p[:-1] if k == long else p for k, p in enumerate(lines)]
        assert TASK.score(problem, drawn(TASK, problem, short)).answer == "failed"


def test_wrong_partners_fail():
    for problem in PROBLEMS:
        s = problem.state
        lines = ways(problem)
        answer = as_answer([lines[0][:-1], *lines[1:]])
        assert not TASK.right(problem, answer)
        crossed = as_answer([lines[0], lines[0], lines[2]])
        assert not TASK.right(problem, crossed)
        assert not TASK.right(problem, [[], *s["answer"][1:]])
        assert not TASK.right(problem, [[*s["answer"][0], [[0, 0, 0, 0]]], *s["answer"][1:]])


def test_a_line_may_not_run_over_another_pairs_dot():
    tried = 0
    for seed in range(40):
        problem = TASK.sample(seed)
        lines = ways(problem)
        dots = {tuple(c) for pair in problem.state["pairs"][1:] for c in pair}
        graph = networkx.grid_graph((6, 6))
        graph.remove_nodes_from({c for way in lines[1:] for c in way} - dots)
        way = networkx.shortest_path(graph, lines[0][0], lines[0][-1])
        if not set(way) & dots:
            continue
        answer = as_answer([way, *lines[1:]])
        assert not TASK.right(problem, answer)
        verdict = TASK.score(problem, TASK.solve(problem.answered(answer), Canvas(frames=16)))
        assert verdict.answer == "failed"
        tried += 1
    assert tried > 2


def test_the_way_there_counts():
    for problem in PROBLEMS[:3]:
        whole = drawn(TASK, problem, points(problem, ways(problem)))
        assert whole.frames is not None
        frames = whole.frames
        cut = replace(
            whole, frames=np.concatenate([frames[:1], frames[:1], frames[-1:], frames[-1:]])
        )
        assert TASK.score(problem, cut).process == "failed"
        blank = replace(whole, frames=np.concatenate([frames[:9], frames[:1], frames[6:]]))
        assert "erased" in TASK.score(problem, blank).reason
        middle = [p[len(p) // 2 - 1 :][:2] for p in points(problem, ways(problem))]
        early = drawn(TASK, problem, middle).frames
        assert early is not None
        stray = replace(whole, frames=np.concatenate([frames[:1], early[-1:], frames[5:]]))
        assert TASK.score(problem, stray).process == "failed"


def test_errors_name_the_field():
    with pytest.raises(PhospheneError, match=r"flow\.cells.*4\.\.8.*9"):
        Flow(cells=9)
    with pytest.raises(PhospheneError, match=r"flow\.pairs.*2\.\.4.*1"):
        Flow(pairs=1)
