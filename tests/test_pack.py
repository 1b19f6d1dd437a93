"""Packs: layouts that are made here, damaged here, and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from phosphene import cli, media
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.layouts import four_files
from phosphene.pack import PackItem, layouts, puzzles
from phosphene.readpack import find_items, find_layout, read_item, read_items, summarise

GREY = np.full((24, 32, 3), 90, np.uint8)
LINES = [
    {"image": "images/clock/clock_0000.png", "question": "When?", "answer": "4:23",
     "options": ["4:23", "1:00"], "solution": {"current_hour": 2}},
    {"image": "images/clock/clock_0001.png", "question": "When?", "answer": "1:00",
     "options": ["4:23", "1:00"], "solution": {"current_hour": 3}},
]  # fmt: skip
TASK = {
    "train": [{"input": [[0, 1]], "output": [[1, 0]]}],
    "test": [{"input": [[2, 0]], "output": [[0, 2]]}],
}


def picture(path: Path, pixels: np.ndarray = GREY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def v_reasonbench(root: Path) -> None:
    for name in ("math_level1_2_00", "sudoku_easy_3_07", "visual_symmetry_rotational_01",
                 "code_easy_00", "temperature_03"):  # fmt: skip
        picture(root / "dataset" / f"{name}.png")
    text(
        root / "prompts.txt",
        "=====\nTASK PROMPTS\n=====\n\nMath:\nSolve it.\n\nCode:\nComplete\nthis.\n\n=====\n"
        "4x4:\nSmall.\n\n9x9:\nLarge.\n\nrotational:\nTurn it.\n\n03:\nIce: it melts.\n",
    )


def algopuzzlevqa(root: Path) -> None:
    text(root / "data/clock.json", "\n".join(map(json.dumps, LINES)) + "\n")
    for line in LINES:
        picture(root / "data" / line["image"])


def puzzlevqa(root: Path) -> None:
    line = {"image": "images/venn/venn_0000.png", "question": "What?", "answer": 4, "options": [],
            "caption": "Circles."}  # fmt: skip
    text(root / "venn.json", json.dumps(line))
    picture(root / line["image"])


def kiva(root: Path) -> None:
    for part in ("train_0_input", "train_0_output", "test_0_input", "test_mc_0_input",
                 "test_mc_1_input"):  # fmt: skip
        picture(root / "KiVA/Reflect" / f"ReflectX_12_{part}.png")


def arc(root: Path) -> None:
    text(root / "corpus/Copy/Copy1.json", json.dumps(TASK))
    text(root / "corpus/Copy/Copy2.json", json.dumps({**TASK, "test": TASK["test"] * 2}))


def four(root: Path) -> None:
    four_files.write(root, "maze_0001", GREY, "Go there.", domain="maze")


MAKERS: dict[str, Callable[[Path], None]] = {
    "v_reasonbench": v_reasonbench,
    "algopuzzlevqa": algopuzzlevqa,
    "puzzlevqa": puzzlevqa,
    "kiva": kiva,
    "arc": arc,
    "four_files": four,
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_layout_knows_its_own_and_no_other(name: str, tmp_path: Path) -> None:
    MAKERS[name](tmp_path)
    assert find_layout(tmp_path).name == name
    items = find_items(tmp_path)
    assert len({item.id for item in items}) == len(items) > 0
    assert all("/" not in item.id and item.id not in (".", "..") for item in items)
    assert [item.id for item in items] == [item.id for item in find_items(tmp_path)]
    for item in items:
        assert item.picture is None or item.picture.is_file()
        assert item.puzzle is None or item.puzzle in {*puzzles.names(), "sequence_completion"}


def test_every_layout_is_tried() -> None:
    assert set(MAKERS) == set(layouts.names())


def test_v_reasonbench_names_kinds_puzzles_and_prompts(tmp_path: Path) -> None:
    v_reasonbench(tmp_path)
    found = {item.kind: (item.puzzle, item.prompt) for item in find_items(tmp_path)}
    assert found == {
        "math_level1_2": ("math", "Solve it."),
        "sudoku_easy_3": ("sudoku", "Large."),
        "visual_symmetry_rotational": ("point_symmetry", "Turn it."),
        "code_easy": (None, "Complete this."),
        "temperature": (None, "Ice: it melts."),
    }


def test_json_lines_carry_question_answer_and_solution(tmp_path: Path) -> None:
    algopuzzlevqa(tmp_path)
    item = find_items(tmp_path)[0]
    assert (item.id, item.kind, item.puzzle) == ("clock_0000", "clock", "clock")
    assert (item.prompt, item.answer, item.options) == ("When?", "4:23", ("4:23", "1:00"))
    assert item.facts == {"current_hour": 2}


def test_kiva_puts_a_trial_together(tmp_path: Path) -> None:
    kiva(tmp_path / "loose")
    (item,) = find_items(tmp_path / "loose")
    assert (item.id, item.kind, item.answer) == ("ReflectX_12", "ReflectX", "mc_0")
    assert sorted(item.facts["parts"]) == [
        "mc_0", "mc_1", "test_input", "train_input", "train_output"
    ]  # fmt: skip
    assert item.final_frame is not None
    assert item.final_frame.stem == "ReflectX_12_test_mc_0_input"
    trial = {"level": "kiva", "transformation_domain": "Reflect", "concept": "X", "correct": "(A)"}
    text(tmp_path / "challenge/train.json", json.dumps({"0001": trial}))
    picture(tmp_path / "challenge/train/0001.jpg")
    (item,) = find_items(tmp_path / "challenge")
    assert (item.id, item.kind, item.answer) == ("0001", "X", "(A)")
    assert item.picture == tmp_path / "challenge/train/0001.jpg"


def test_arc_gives_an_item_a_test_pair(tmp_path: Path) -> None:
    arc(tmp_path)
    items = find_items(tmp_path)
    assert [(item.id, item.kind) for item in items] == [
        ("Copy1", "Copy"), ("Copy2_0", "Copy"), ("Copy2_1", "Copy")
    ]  # fmt: skip
    assert items[0].picture is None
    assert items[0].facts == {"train": TASK["train"], **TASK["test"][0]}
    assert json.loads(items[0].answer or "") == [[0, 2]]


@pytest.mark.parametrize("grid", [[[0, 10]], [[0], [0, 1]], [], "01", [[]], [[0.5]], [[0] * 31]])
def test_arc_refuses_what_is_no_grid(grid: Any, tmp_path: Path) -> None:
    text(tmp_path / "a.json", json.dumps({**TASK, "train": [{"input": grid, "output": [[1]]}]}))
    with pytest.raises(PhospheneError, match=r"a\.json: train\[0\]\.input"):
        find_items(tmp_path)


def test_four_files_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    first, last = rng.integers(0, 256, (2, 32, 48, 3)).astype(np.uint8)
    truth = Clip(np.stack([GREY] * 5), Fraction(8))
    prompt = "Draw the way.\r\nDon't – ever – cross ‘walls’.\n"
    told = {"size": 5, "walls": [[0, 1]]}
    four_files.write(tmp_path, "maze_0001", first, prompt, last, truth, told, "maze")
    four_files.write(tmp_path, "maze_0002", last, "Go.", domain="maze")
    one, two = find_items(tmp_path)
    assert (one.id, one.kind, one.prompt) == ("maze_0001", "maze", prompt)
    assert one.facts["metadata"] == told
    assert (media.load_image(one.picture or "") == first).all()
    assert (media.load_image(one.final_frame or "") == last).all()
    back = media.load(one.ground_truth or "")
    assert (back.frames is not None, back.fps) == (True, 8)
    assert back.frames is not None
    assert back.frames.shape == (5, 24, 32, 3)
    assert (two.final_frame, two.ground_truth, two.facts) == (None, None, {})


@pytest.mark.parametrize("name", ["../evil", "/etc/x", "a/b", "..", "", "a b", "."])
def test_four_files_refuses_names_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(PhospheneError):
        four_files.write(tmp_path / "in", name, GREY, "Go.")
    with pytest.raises(PhospheneError):
        four_files.write(tmp_path / "in", "fine", GREY, "Go.", domain=name)
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize("image", ["../../secret.png", "/etc/secret.png"])
def test_images_outside_the_pack_are_refused(image: str, tmp_path: Path) -> None:
    picture(tmp_path / "secret.png")
    text(tmp_path / "pack/clock.json", json.dumps({**LINES[0], "image": image}))
    with pytest.raises(PhospheneError, match="leads out"):
        find_items(tmp_path / "pack")


def test_folders_without_items_say_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(PhospheneError, match="not a directory"):
        find_items(tmp_path / "none")
    with pytest.raises(PhospheneError, match="is empty"):
        find_items(tmp_path)
    text(tmp_path / "notes.txt", "nothing")
    with pytest.raises(PhospheneError, match=r"no known layout.*four_files.*first_frame") as error:
        find_items(tmp_path)
    assert all(name in str(error.value) for name in layouts.names())
    assert "\n" not in str(error.value)
    algopuzzlevqa(tmp_path)
    arc(tmp_path)
    with pytest.raises(PhospheneError, match="several layouts, algopuzzlevqa and arc"):
        find_items(tmp_path)


@pytest.mark.parametrize("line", ['{"image": "a.png", ', "[1]", '{"image": "a.png"}'])
def test_a_damaged_line_is_named(line: str, tmp_path: Path) -> None:
    text(tmp_path / "clock.json", f"{json.dumps(LINES[0])}\n\n{line}\n")
    with pytest.raises(PhospheneError, match=r"clock\.json:3"):
        find_items(tmp_path)


def test_a_kind_that_is_not_there_offers_near_ones(tmp_path: Path) -> None:
    v_reasonbench(tmp_path)
    with pytest.raises(PhospheneError, match=r"unknown kind 'sudoku_easy'.*sudoku_easy_3"):
        find_items(tmp_path, "sudoku_easy")
    assert [item.kind for item in find_items(tmp_path, "sudoku")] == ["sudoku_easy_3"]
    assert len(find_items(tmp_path, limit=2)) == 2


def test_one_bad_item_does_not_stop_the_rest(tmp_path: Path) -> None:
    algopuzzlevqa(tmp_path)
    (tmp_path / "data" / LINES[0]["image"]).unlink()
    text(tmp_path / "data" / LINES[1]["image"], "no picture")
    gone, broken = read_items(find_items(tmp_path))
    assert (gone.status, broken.status) == ("unreadable", "unreadable")
    assert "clock_0000.png is missing" in gone.reason
    assert "clock_0001.png" in broken.reason
    summary = summarise([gone, broken])
    assert (summary["unreadable"], summary["compared"], summary["agreement"]) == (2, 0, None)


class Known:
    """A puzzle that reads whatever it's told to, to see the loop alone."""

    def __init__(self, hour: int, answer: str) -> None:
        self.hour, self.said = hour, answer

    def __call__(self) -> Known:
        return self

    def read(self, picture: np.ndarray) -> dict[str, Any]:
        return {"hour": self.hour, "minute": 0}

    def solve(self, parsed: Any) -> str:
        return "solved"

    def answer(self, parsed: Any, item: PackItem) -> str:
        return self.said


@pytest.mark.parametrize(
    ("hour", "said", "agree", "facts"),
    [(2, "4:23", True, True), (2, "1:00", False, True), (5, " 4:23 ", True, False)],
)
def test_answers_and_facts_are_compared(
    hour: int, said: str, agree: bool, facts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    algopuzzlevqa(tmp_path)
    monkeypatch.setattr(type(puzzles), "get", lambda self, name: Known(hour, said))
    item = PackItem("a", "clock", "clock", tmp_path / "data" / LINES[0]["image"], answer="4:23",
                    facts={"current_hour": 2})  # fmt: skip
    reading = read_item(item)
    assert (reading.status, reading.agree, reading.facts_agree) == ("read", agree, facts)


def test_a_reader_that_breaks_is_a_reason_not_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    algopuzzlevqa(tmp_path)

    def broken(self: Known, picture: np.ndarray) -> dict[str, Any]:
        raise IndexError("off the edge")

    items = find_items(tmp_path)
    monkeypatch.setattr(Known, "read", broken)
    monkeypatch.setattr(type(puzzles), "get", lambda self, name: Known(1, ""))
    readings = list(read_items(items))
    assert [r.status for r in readings] == ["unreadable", "unreadable"]
    assert "IndexError: off the edge" in readings[0].reason


def test_the_verb_prints_a_line_an_item_and_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    puzzlevqa(tmp_path / "a")
    v_reasonbench(tmp_path / "b")
    assert cli.main(["pack", str(tmp_path / "a"), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["id"] == "venn_0000"
    assert (lines[0]["status"], lines[0]["given"], lines[0]["agree"]) == ("no reader", "4", None)
    assert lines[1]["summary"]["no_reader"] == lines[1]["summary"]["kinds"]["venn"]["items"] == 1
    assert cli.main(["pack", str(tmp_path / "b"), "--kind", "math"]) == 0
    out = capsys.readouterr().out
    assert "math_level1_2_00" in out
    assert "unreadable" in out
    assert cli.main(["pack", str(tmp_path / "b"), "--kind", "mth", "--json"]) == 2
    error = capsys.readouterr().out
    assert "unknown kind 'mth'" in json.loads(error)["error"]
