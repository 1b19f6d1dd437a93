"""Every registered task keeps a task's promises; splits are disjoint; damage is noticed."""

import json

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.task import Canvas, tasks
from phosphene.tasks.bounce import Bounce, impacts
from phosphene.tasks.equations import Equations, heard
from phosphene.tasks.maze import Maze
from phosphene.testing.check_task import check_task


@pytest.mark.parametrize("size", [64, 160])
@pytest.mark.parametrize("name", tasks.names())
def test_conformance(name, size):
    check_task(tasks.get(name)(), seeds=40, canvas=Canvas(size=size))


@pytest.mark.parametrize("name", tasks.names())
def test_oracle_survives_codec_sized_noise(name):
    task, rng = tasks.get(name)(), np.random.default_rng(0)
    for seed in range(20):
        problem = task.sample(seed)
        clip = task.solve(problem, Canvas())
        assert clip.frames is not None
        noisy = clip.frames + rng.normal(0, 8, clip.frames.shape)
        damaged = Clip(noisy.clip(0, 255).astype(np.uint8), clip.fps, clip.audio, clip.rate)
        assert task.judge(problem, damaged).passed, task.judge(problem, damaged)


def test_equation_splits_share_no_pair_in_either_order():
    task = Equations()
    held = {(a, o, b) for a, o, b in task.pairs("test")}
    seen = {(a, o, b) for a, o, b in task.pairs("train")}
    assert held
    assert not held & seen
    assert not {(b, o, a) for a, o, b in held if o == "+"} & seen
    assert len(held) + len(seen) == 100 + 55
    for i in range(300):
        s = task.sample(i, "train").state
        assert (s["a"], s["operator"], s["b"]) in seen


@pytest.mark.parametrize("wrong", ["3", "12", "0"])
def test_equation_with_a_wrong_answer_fails_for_that_reason(wrong):
    task = Equations()
    others = ("3", "12", "0")
    problem = next(p for p in map(task.sample, range(99)) if p.state["answer"] not in others)
    lie = type(problem)(**{**vars(problem), "state": {**problem.state, "answer": wrong}})
    verdict = task.judge(problem, task.solve(lie, Canvas()))
    assert verdict.answer == "failed"
    assert verdict.evidence["read"] == wrong


def test_equation_with_an_altered_problem_fails_though_the_answer_is_right():
    task = Equations()
    problem = next(p for p in map(task.sample, range(99)) if p.state["a"] != 5)
    altered = type(problem)(**{**vars(problem), "state": {**problem.state, "a": 5}})
    verdict = task.judge(problem, task.solve(altered, Canvas()))
    assert (verdict.answer, verdict.givens, verdict.headline) == ("passed", "failed", "failed")


def test_equation_tones_spell_the_answer():
    task = Equations()
    for seed in range(30):
        problem = task.sample(seed)
        answer = problem.state["answer"]
        assert heard(task.solve(problem, Canvas()), len(answer)) == answer


def test_maze_path_agrees_with_an_independent_search():
    import networkx

    for seed in range(30):
        s = Maze(smallest=3, largest=9).sample(seed).state
        graph = networkx.Graph([(tuple(a), tuple(b)) for a, b in s["doors"]])
        assert networkx.is_tree(graph)
        assert len(graph) == s["n"] ** 2
        start, goal = tuple(s["path"][0]), tuple(s["path"][-1])
        assert networkx.shortest_path(graph, start, goal) == [tuple(c) for c in s["path"]]


def test_maze_straight_line_through_walls_is_caught_as_that():
    task = Maze(smallest=5, largest=5)
    for seed in range(60):
        problem = task.sample(seed)
        (r0, c0), (r1, c1) = problem.state["path"][0], problem.state["path"][-1]
        if r0 != r1 or abs(c1 - c0) < 2 or len(problem.state["path"]) == abs(c1 - c0) + 1:
            continue
        step = 1 if c1 > c0 else -1
        straight = [[r0, c] for c in range(c0, c1 + step, step)]
        cheat = type(problem)(**{**vars(problem), "state": {**problem.state, "path": straight}})
        verdict = task.judge(problem, task.solve(cheat, Canvas()))
        assert verdict.process == "failed", verdict
        return
    pytest.fail("no such maze in 60 seeds")


def test_bounce_agrees_with_small_steps():
    """Against an integration that reflects at walls, a hundred thousandth of a second at a time."""
    task = Bounce()
    for seed in range(5):
        problem = task.sample(seed)
        p, v = np.array(problem.state["position"]), np.array(problem.state["velocity"])
        dt, radius, hits = 1e-5, 5 / 64, []
        for i in range(100_000):
            p = p + v * dt
            for axis in (0, 1):
                if (p[axis] > 1 - radius and v[axis] > 0) or (p[axis] < radius and v[axis] < 0):
                    v[axis] = -v[axis]
                    hits.append((i + 1) * dt)
        clip = task.solve(problem, Canvas())
        seen = task.judge(problem, clip).evidence["seen"]
        assert np.abs(p * 64 - seen).max() < 1
        assert np.allclose(sorted(hits), impacts(problem, 1.0), atol=1e-3)


def test_states_are_json_and_errors_name_the_field():
    for name in tasks.names():
        problem = tasks.get(name)().sample(3)
        assert json.loads(json.dumps(problem.state)) == problem.state
    with pytest.raises(PhospheneError, match=r"equations\.largest.*10"):
        Equations(largest=10)
    with pytest.raises(PhospheneError, match="smallest"):
        Maze(smallest=5, largest=4)
    with pytest.raises(PhospheneError, match="did you mean maze"):
        tasks.get("mase")
