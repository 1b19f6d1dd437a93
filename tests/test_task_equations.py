"""Equations: pictures as they always were, arithmetic against Python's, lies and other hands."""

import hashlib
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.draw import blend, capsule, glyph, place
from phosphene.errors import PhospheneError
from phosphene.task import Canvas
from phosphene.tasks.equations import SIGNS, Equations, _pairs

CANVAS = Canvas()
TASK = Equations(largest=99, operators="+-x/", variety=0.0)
BLACK = np.zeros(3, np.float32)


def made(a, operator, b, answer, font=0):
    """A plain problem with that answer, right or wrong."""
    problem = TASK.sample(0)
    given = {"a": a, "operator": operator, "b": b, "answer": answer, "font": font}
    return replace(problem, state={**problem.state, **given})


def drawn(problem, draw):
    """A clip that holds the first frame, then what `draw` makes of it in place."""
    first = TASK.first_frame(problem, CANVAS)
    picture = first.astype(np.float32)
    draw(picture)
    last = np.rint(picture).clip(0, 255).astype(np.uint8)
    return Clip(np.stack([first] * 4 + [last] * 5), Fraction(8))


def verdict(problem, draw):
    return TASK.score(problem, drawn(problem, draw))


def writer(text, left=40, top=16, height=16, font=0, ink=BLACK):
    def draw(picture):
        width = round(height * 10 / 16)
        for i, c in enumerate(text):
            place(picture, glyph(c, font, height, width), top, left + i * width, ink)

    return draw


def test_one_digit_pictures_sounds_and_states_are_as_a_trained_model_knows_them():
    h = hashlib.sha256()
    for variety in (0.0, 1.0):
        for largest in (4, 9):
            task = Equations(largest=largest, variety=variety)
            for split in ("train", "test"):
                for seed in range(6):
                    problem = task.sample(seed, split)
                    clip = task.solve(problem, CANVAS)
                    assert clip.frames is not None
                    assert clip.audio is not None
                    h.update(json.dumps(problem.state).encode() + problem.caption.encode())
                    h.update(clip.frames.tobytes())
                    h.update((clip.audio * 1000).round().astype(np.int16).tobytes())
    assert h.hexdigest()[:16] == "91726750216712f0"


@pytest.mark.parametrize("fields", Equations.LADDER)
def test_answers_agree_with_arithmetic(fields):
    task = Equations(**fields)
    for seed in range(40):
        problem = task.sample(seed)
        s = problem.state
        sign = {"x": "*", "/": "/"}.get(s["operator"], s["operator"])
        assert int(s["answer"]) == eval(f"{s['a']}{sign}{s['b']}")
        assert task.work_out(problem.answered(None)) == s["answer"]


def test_what_commutes_lies_on_one_side_of_the_split():
    train = set(_pairs("+-x/", 99, "train"))
    test = set(_pairs("+-x/", 99, "test"))
    assert not train & test
    assert all((b, o, a) in test for a, o, b in test if o in "+x")
    assert 0.15 < len(test) / len(train | test) < 0.25


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        ((7, "+", 5), "21"),
        ((7, "+", 5), "1"),
        ((7, "+", 5), "2"),
        ((3, "+", 4), "77"),
        ((3, "+", 4), "17"),
        ((3, "+", 4), "1"),
        ((9, "-", 1), "3"),
        ((9, "-", 3), "8"),
        ((4, "+", 2), "5"),
    ],
)
def test_wrong_digits_are_rejected_for_what_they_say(problem, text):
    problem = made(*problem, "")
    problem = problem.answered(TASK.work_out(problem))
    found = verdict(problem, writer(text))
    assert found.answer == "failed"
    assert found.reason == f"reads {text}, not {problem.state['answer']}"


def test_the_right_answer_elsewhere_twice_or_over_the_problem_is_rejected():
    problem = made(3, "+", 4, "7")
    above, beneath = writer("7", left=10, top=0), writer("7", left=10, top=40)
    assert verdict(problem, writer("7")).passed
    assert not verdict(problem, above).passed
    assert not verdict(problem, beneath).passed

    def twice(picture):
        writer("7")(picture)
        beneath(picture)

    found = verdict(problem, twice)
    assert (found.answer, found.givens) == ("passed", "failed")

    def over(picture):
        for left in (0, 10, 20, 40):
            writer("7", left=left)(picture)

    assert not verdict(problem, over).passed


@pytest.mark.parametrize(
    "lie",
    [(8, "+", 4), (3, "-", 4), (3, "+", 9), (3, "x", 4), (2, "+", 4), (3, "+", 1)],
)
def test_one_changed_given_is_seen_and_named(lie):
    problem = made(3, "+", 4, "7")
    a, operator, b = lie
    found = TASK.score(problem, TASK.solve(made(a, operator, b, "7"), CANVAS))
    assert found.answer == "passed"
    assert found.givens == "failed"
    assert "became" in found.reason


def test_givens_that_vanish_are_missed():
    problem = made(3, "+", 4, "7")

    def no_equals(picture):
        writer("7")(picture)
        picture[:, 30:40] = 255

    found = verdict(problem, no_equals)
    assert (found.answer, found.givens) == ("passed", "failed")
    assert "= is gone" in found.reason


def test_half_a_digit_and_scribbles_are_no_answer():
    for answer, problem in (("8", (3, "+", 5)), ("7", (3, "+", 4)), ("9", (4, "+", 5))):
        problem = made(*problem, answer)

        def half(picture, answer=answer):
            coverage = glyph(answer, 0, 16, 10) * (np.arange(10) < 4)
            place(picture, coverage, 16, 40, BLACK)

        assert not verdict(problem, half).passed
    problem = made(3, "+", 4, "7")

    def scribble(picture):
        rng = np.random.default_rng(3)
        for _ in range(12):
            x0, y0, x1, y1 = rng.uniform((41, 17, 41, 17), (58, 31, 58, 31))
            picture[:] = blend(picture, capsule(64, (x0, y0), (x1, y1), 0.7), BLACK)

    def speck(picture):
        picture[25, 45] = 0

    assert not verdict(problem, scribble).passed
    assert verdict(problem, speck).reason.startswith("no answer is shown")


@pytest.mark.parametrize("font", range(5))
@pytest.mark.parametrize("height", [14, 16, 19])
def test_other_hands_are_accepted(font, height):
    for (a, o, b), answer in (((7, "+", 5), "12"), ((9, "-", 1), "8"), ((0, "+", 6), "6")):
        problem = made(a, o, b, answer)
        ink = np.array((200, 40, 20) if height == 14 else (20, 90, 220), np.float32)
        draw = writer(answer, left=41, top=15, height=height, font=font, ink=ink)
        assert verdict(problem, draw).passed


def test_digits_of_a_few_strokes_are_accepted():
    problem = made(7, "+", 7, "14")
    strokes = [
        ((45, 19), (44, 30)),
        ((50, 19), (49, 26)),
        ((49, 26), (56, 26)),
        ((54, 22), (54, 31)),
    ]

    def draw(picture):
        for start, end in strokes:
            picture[:] = blend(picture, capsule(64, start, end, 0.9), BLACK)

    assert verdict(problem, draw).passed


def test_white_on_a_black_patch_is_read():
    problem = made(7, "+", 5, "12")

    def draw(picture):
        picture[15:33, 41:62] = 0
        writer("12", ink=np.full(3, 255, np.float32))(picture)

    found = verdict(problem, draw)
    assert found.answer == "passed"


@pytest.mark.parametrize("fields", Equations.LADDER)
def test_images_long_clips_and_large_ones_are_judged(fields):
    task = Equations(**fields)
    problem = task.sample(5)
    clip = task.solve(problem, Canvas(frames=16))
    assert clip.frames is not None
    assert task.score(problem, clip, "majority").passed
    image = task.score(problem, replace(clip, frames=clip.frames[-1:]))
    assert image.passed
    assert image.stability == "not judged"
    assert task.score(problem, task.solve(problem, Canvas(size=160))).passed


def test_the_tones_spell_the_answer():
    for seed in range(12):
        problem = TASK.sample(seed)
        trace = TASK.decode(problem, TASK.solve(problem, CANVAS), every=False)
        assert trace.heard == problem.state["answer"]


def test_errors_name_the_field():
    with pytest.raises(PhospheneError, match=r"equations\.operators.*'\*'"):
        Equations(operators="*")
    with pytest.raises(PhospheneError, match=r"equations\.largest.*100"):
        Equations(largest=100)
    assert set(SIGNS) == set("+-x/")
