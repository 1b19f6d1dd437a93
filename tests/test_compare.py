"""Comparing two runs: what is paired, what is refused, what is counted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench_runs import judged_run, paper_run
from scipy.stats import binomtest

from phosphene.cli import main
from phosphene.compare import compare
from phosphene.errors import PhospheneError
from phosphene.statistics import holm
from phosphene.verdict import Verdict


def cells(share, seed, items=40, k=1, names=("x", "y")):
    rng = np.random.default_rng(seed)
    return {
        n: [
            ["passed" if rng.random() < share else "failed" for _ in range(k)] for _ in range(items)
        ]
        for n in names
    }


def test_cells_and_overall_are_the_exact_paired_tests():
    a, b = paper_run(cells(0.8, 1)), paper_run(cells(0.5, 2), "b")
    found = compare(a, b)
    tests = []
    for cell in found.cells:
        pairs = [
            (x.passed(), y.passed())
            for x, y in zip(a.results, b.results, strict=True)
            if x.cell == cell.cell
        ]
        only = [sum(x > y for x, y in pairs), sum(x < y for x, y in pairs)]
        tests.append(binomtest(only[0], sum(only)).pvalue)
        assert cell.paired.difference.share == pytest.approx((only[0] - only[1]) / 40)
    assert [c.paired.p for c in found.cells] == pytest.approx(tests)
    assert [c.holm for c in found.cells] == pytest.approx(holm(tests))
    assert found.overall.paired.p < 0.01
    assert (found.overall.items, found.overall.samples) == (80, 80)
    assert found.notes == ()


def test_order_of_results_changes_nothing():
    a, b = paper_run(cells(0.8, 1, k=3)), paper_run(cells(0.5, 2, k=3), "b")
    shuffled = replace(b, results=list(reversed(b.results)))
    assert compare(a, b) == compare(a, shuffled)


def test_only_what_both_have_is_used_and_the_rest_is_counted():
    a = paper_run({"x": [["passed", "passed"]] * 10})
    b = paper_run({"x": [["passed"]] * 7, "y": [["failed"]] * 2}, "b")
    found = compare(a, b)
    assert (found.overall.items, found.overall.samples) == (7, 7)
    assert found.notes == (
        "left out: 13 samples, 3 whole items of A alone",
        "left out: 2 samples, 2 whole items of B alone",
    )


def test_unreadable_and_unmade_are_failures():
    a = paper_run({"x": [["unreadable"]] * 5 + [["unmade"]] * 5})
    b = paper_run({"x": [["failed"]] * 10}, "b")
    assert compare(a, b).overall.paired.difference.share == 0


def test_another_canvas_is_told_not_refused():
    a, b = paper_run({"x": [["passed"]]}), paper_run({"x": [["passed"]]}, "b")
    found = compare(a, replace(b, canvas={**b.canvas, "frames": 1}))
    assert found.notes == ("canvas: frames is 3 for A and 1 for B",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"suite": {"name": "other", "version": 1}}, "suite small against other"),
        ({"suite": {"name": "small", "version": 2}}, "suite version 1 against 2"),
        ({"results": []}, "share no sample"),
    ],
)
def test_runs_of_different_things_are_refused(change, words):
    a = paper_run({"x": [["passed"]]})
    with pytest.raises(PhospheneError, match=words):
        compare(a, replace(a, **change))


@pytest.mark.parametrize(
    "change", [{"problem_seed": 9}, {"fields": {"cells": 8}}, {"wording": 2}, {"prompt": "other"}]
)
def test_other_problems_under_one_name_are_refused(change):
    a = paper_run({"x": [["passed"]]})
    b = replace(a, results=[replace(a.results[0], **change)])
    with pytest.raises(PhospheneError, match=f"x_0000, sample 0 has {next(iter(change))}"):
        compare(a, b)


def test_a_protocol_that_was_not_judged_is_refused():
    a = paper_run({"x": [["passed"]]})
    with pytest.raises(PhospheneError, match="1 samples of runs/a were not judged"):
        compare(a, a, "majority")
    with pytest.raises(PhospheneError, match="no protocol"):
        compare(a, a, "luckiest")  # type: ignore[arg-type]


def test_the_protocol_decides():
    a = paper_run({"x": [["failed"]] * 8})
    better = {"last": Verdict("failed"), "best": Verdict("passed")}
    b = replace(a, results=[replace(r, verdicts=better) for r in a.results])
    worse = {"last": Verdict("failed"), "best": Verdict("failed")}
    a = replace(a, results=[replace(r, verdicts=worse) for r in a.results])
    assert compare(a, b).overall.paired.difference.share == 0
    assert compare(a, b, "best").overall.paired.difference.share == -1


def test_record_is_json(tmp_path: Path):
    a = judged_run(tmp_path / "a", lambda i, j: True, items=1, k=1)
    b = judged_run(tmp_path / "b", lambda i, j: i != 2, items=1, k=1)
    told = json.loads(json.dumps(compare(a, b).record()))
    assert told["overall"]["paired"]["difference"]["share"] == 0.25
    assert len(told["cells"]) == 4


# As a user types it

SUITE = """
name: small
version: 1
about: easy patterns
entries:
  - {task: symmetry, fields: {cells: 4, colours: 1}, items: 3}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs that the runner made."""
    from phosphene.evaluate import bench

    root = tmp_path_factory.mktemp("runs")
    (root / "small.yaml").write_text(SUITE)
    for name in ("oracle", "static"):
        bench(root / "small.yaml", f"baseline:{name}", root / name)
    return root


def test_compare_verb(runs, capsys):
    assert main(["compare", str(runs / "oracle"), str(runs / "static")]) == 0
    out = capsys.readouterr().out
    assert "A oracle, B static" in out
    assert "+100" in out
    assert "too few" in out
    assert main(["compare", str(runs / "oracle"), str(runs / "static"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["items"] == 3


def test_report_verb(runs, tmp_path, capsys):
    out = tmp_path / "page.html"
    asked = ["report", str(runs / "oracle"), str(runs / "static"), "--out", str(out)]
    assert main([*asked, "--items", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["page"] == str(out)
    assert told["runs"]["oracle"]["overall"]["shares"]["last"]["share"] == 1
    assert "static against oracle" in out.read_text()
    assert main(["report", str(runs / "oracle")]) == 0
    assert (runs / "oracle" / "report.html").exists()


def test_results_verb(runs, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    assert main(["results", str(runs / "oracle"), "--to", "jsonl", "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 3
    assert main(["results", str(runs / "oracle"), "--to", "eval-results"]) == 2
    assert "--dataset ORG/NAME" in capsys.readouterr().err


def test_no_run_is_one_line(tmp_path, capsys):
    nothing = str(tmp_path / "nothing")
    for asked in (
        ["report", nothing],
        ["compare", nothing, nothing],
        ["results", nothing, "--to", "jsonl"],
    ):
        assert main(asked) == 2
        assert capsys.readouterr().err.count("\n") == 1
