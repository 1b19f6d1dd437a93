"""Notebook: nothing is done twice, nothing finished is lost, other work is refused."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook


def test_a_unit_is_made_once_over_processes(tmp_path):
    made = []

    def make() -> dict:
        made.append(1)
        return {"value": [1, None, float("inf")]}

    first = Notebook(tmp_path, {"a": 1}).once("unit", make)
    second = Notebook(tmp_path, {"a": 1}).once("unit", make)
    assert first == second == {"value": [1, None, float("inf")]}
    assert made == [1]


def test_a_torn_last_line_costs_that_unit_alone(tmp_path):
    book = Notebook(tmp_path, {})
    book.once("one", lambda: 1)
    book.once("two", lambda: 2)
    path = tmp_path / "units.jsonl"
    path.write_bytes(path.read_bytes()[:-4])
    book = Notebook(tmp_path, {})
    assert book.once("one", lambda: -1) == 1
    assert book.once("two", lambda: -2) == -2


def test_a_damaged_line_is_named(tmp_path):
    Notebook(tmp_path, {}).once("one", lambda: 1)
    (tmp_path / "units.jsonl").write_text('{"key": "one"\n')
    with pytest.raises(PhospheneError, match="line 1 is damaged"):
        Notebook(tmp_path, {})


def test_other_work_is_refused_by_name(tmp_path):
    Notebook(tmp_path, {"items": 4, "task": "maze"})
    with pytest.raises(PhospheneError, match="items is 4 there, 8 here"):
        Notebook(tmp_path, {"items": 8, "task": "maze"})


@pytest.mark.parametrize("on_disk", [True, False])
def test_arrays_come_back_bit_for_bit(tmp_path, on_disk):
    held = {"a": np.arange(12, dtype=np.float16).reshape(3, 4).T, "b": np.array([True, False])}
    book = Notebook(tmp_path if on_disk else None, {})
    book.arrays("x", lambda: held)
    again = Notebook(tmp_path, {}) if on_disk else book
    back = again.arrays("x", lambda: pytest.fail("made twice"))
    for name, value in held.items():
        assert back[name].dtype == value.dtype
        assert np.array_equal(back[name], value)


def test_progress_counts_what_is_found_too(tmp_path):
    Notebook(tmp_path, {}).once("one", lambda: 1)
    seen = []
    book = Notebook(tmp_path, {}, lambda e: seen.append((e.kind, e.finished, e.total)))
    book.plan(2)
    book.once("one", lambda: 1)
    book.once("two", lambda: 2)
    assert seen == [("found", 1, 2), ("made", 2, 2)]
