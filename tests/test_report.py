"""The report: numbers counted by hand, a page that parses, cards that nothing breaks."""

import base64
import re
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from bench_runs import CANVAS, certificate, judged_run, paper_run, told, with_clip

from phosphene import media
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.report import tally
from phosphene.report.bench import names, write_report
from phosphene.report.cards import card, pick, shown
from phosphene.report.curve import Line, curve
from phosphene.report.overlay import overlay
from phosphene.report.standing import standing
from phosphene.statistics import wilson
from phosphene.trace import Mark
from phosphene.verdict import Verdict


class Page(HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self._skip = [], "", False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._skip = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._skip = False

    def handle_data(self, data):
        self.text += "" if self._skip else data

    def all(self, tag, **wanted):
        return [a for t, a in self.tags if t == tag and wanted.items() <= a.items()]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Eight items, two samples each; the first sample of even items is wrong."""
    return judged_run(tmp_path_factory.mktemp("run") / "r", lambda i, j: i % 2 == 1 or j == 1)


def page(benches, tmp_path, **settings):
    path = write_report(benches, tmp_path / "report.html", **settings)
    return Page(path.read_text())


# Numbers


def test_tally_counts_what_is_there():
    bench = paper_run(
        {
            "x": [
                ["passed", "failed"],
                ["passed", "unreadable"],
                ["passed", "unmade"],
                ["failed"] * 2,
            ]
        }
    )
    (row,) = tally.rows(bench)
    assert (row.items, row.samples, row.unmade) == (4, 2, 1)
    assert row.shares["last"].share == 3 / 8
    assert row.unreadable.share == 1 / 8
    assert row.at[2].share == 3 / 4
    assert row.hat[2].share == 0
    assert set(row.shares) == {"last"}
    assert set(row.parts) == {"answer"}


def test_uneven_samples_use_the_least_for_pass_at_k():
    row = tally.row(paper_run({"x": [["passed"] * 5, ["failed"] * 3]}).results)
    assert (row.samples, row.most) == (3, 5)
    assert sorted(row.at) == [2, 3]


def test_floors_count_items_not_samples(run):
    whole = tally.row(run.results)
    assert whole.floors["random"] == wilson(1, 8)
    assert whole.floors["static"] == wilson(0, 8)


def test_rows_keep_the_order_of_cells(run):
    assert [r.cell for r in tally.rows(run)] == [
        "symmetry-0",
        "symmetry-0-seen",
        "symmetry-1",
        "symmetry-1-seen",
    ]
    assert [r.shares["last"].share for r in tally.rows(run)] == [0.75] * 4


def test_wordings_and_unmade():
    bench = paper_run({"x": [["passed", "failed", "failed"], ["passed", "unmade", "passed"]]})
    assert {w: i.share for w, i in tally.wordings(bench.results).items()} == {
        0: 1.0,
        1: 0.0,
        2: 0.5,
    }
    assert tally.unmade(bench.results) == [("out of memory", 1)]


# Certificates


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (None, "no certificate"),
        (certificate(digest="0"), "stale"),
        (certificate(oracle={"share": 0.98, "low": 0.95, "high": 0.99, "n": 200}), "98.0%"),
        (certificate(nulls={"cut": {"share": 0.02, "low": 0, "high": 0.05, "n": 200}}), "'cut'"),
        (certificate(nulls={}), "lacks"),
        ({"task": "symmetry", "oracle": "?"}, "lacks"),
    ],
)
def test_a_certificate_that_does_not_hold_is_told(record, fault):
    found = standing("symmetry", record)
    assert not found.holds
    assert any(fault in f for f in found.faults)


def test_a_certificate_that_holds():
    found = standing("symmetry", certificate())
    assert found.holds
    assert found.null is not None
    assert (found.null[0], found.rung and found.rung[0]) == ("noise", "h264")
    assert not standing("no_such_task", certificate()).holds


# The page


def test_page_stands_alone_and_shows_its_clips(run, tmp_path):
    found = page([run], tmp_path, items=4)
    for tag, attrs in found.tags:
        for name in ("src", "href", "poster"):
            assert attrs.get(name, "data:").startswith("data:"), (tag, attrs)
    assert "http" not in re.sub(r"base64,[\w+/=]+", "", (tmp_path / "report.html").read_text())
    assert len(found.all("video")) == 2 * 4 * 4
    assert len(found.all("svg", **{"class": "trace"})) == 16
    for words in ("small 1", "75 % [", "held in", "held out", "oracle choice", "pass^2", "chance"):
        assert words in found.text
    assert run.command in found.text
    assert str(run.root) not in found.text


def test_videos_in_the_page_are_the_clips(run):
    shown_ = card(run, run.results[0])["came"]
    data = base64.b64decode(shown_.url.split(",")[1])
    assert data[4:8] == b"ftyp"
    assert shown_.kind == "video"


def test_what_comes_from_outside_is_text(tmp_path):
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\ud800\x00'
    bench = paper_run({evil: [["failed"]]})
    result = replace(
        bench.results[0],
        prompt=evil,
        verdicts={"last": Verdict("failed", reason=evil)},
        floors={evil: "failed"},
        file=None,
    )
    bench = replace(bench, results=[result], command=evil, backbone=evil, certificates={})
    found = page([bench], tmp_path)
    assert len(found.all("script")) == 1
    assert not [a for _, attrs in found.tags for a in attrs if a.startswith("on")]
    assert found.text.count("<script>alert(1)</script>") >= 4


def test_marks_are_drawn_and_their_words_are_text():
    marks = (
        Mark("box", (0.25, 0.25, 0.5, 0.75), "<b>"),
        Mark("path", (0, 0, 0.5, 0.5, 1, 0)),
        Mark("point", (0.5, 0.5), "7"),
        Mark("text", (0.1, 0.9), "x"),
        Mark("point", (float("nan"), 0.5)),
        Mark("box", (0.1,)),
    )
    svg = overlay(np.zeros((32, 64, 3), np.uint8), marks)
    assert 'viewBox="0 0 100 50"' in svg
    assert '<rect x="25.0" y="25.0" width="25.00" height="50.00"/>' in svg
    assert '<polyline points="0.0,0.0 50.0,50.0 100.0,0.0"/>' in svg
    assert svg.count("<circle") == 1
    assert "&lt;b&gt;" in svg
    assert "nan" not in svg


def test_broken_and_missing_clips_are_told_not_raised(run, tmp_path):
    results = list(run.results)
    (tmp_path / "clips").mkdir()
    whole = (run.root / str(results[0].file)).read_bytes()
    (tmp_path / "clips" / "short.mkv").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "clips" / "noise.mkv").write_bytes(b"not a clip" * 50)
    (tmp_path / "clips" / "empty.mkv").write_bytes(b"")
    for i, file in enumerate(("short.mkv", "noise.mkv", "empty.mkv", "gone.mkv", ".", None)):
        results[i] = replace(results[i], file=file and f"clips/{file}")
    bench = replace(run, root=tmp_path, results=results[:6], certificates={})
    found = page([bench], tmp_path, items=6)
    assert len(found.all("div", **{"class": "missing"})) == 6
    assert len(found.all("video")) == 6


def test_a_problem_that_is_no_more_is_told(run):
    lost = replace(run.results[0], task="no_such_task")
    assert "no_such_task" in card(run, lost)["right"].missing
    old = replace(run.results[0], fields={"no_such_field": 3})
    assert "no_such_field" in card(run, old)["right"].missing


def test_images_sounds_and_large_clips_are_shown(run):
    still = Clip(np.zeros((1, 64, 64, 3), np.uint8))
    assert shown(still).kind == "image"
    sound = Clip(None, audio=np.zeros((1, 8000), np.float32), rate=8000)
    assert shown(sound).kind == "audio"
    large = Clip(np.zeros((2, 800, 1200, 3), np.uint8), Fraction(8))
    bench = with_clip(run, 0, large)
    found = card(bench, bench.results[0])
    assert found["came"].kind == "video"
    assert 'width="100" height="66.6667"' in found["trace"]
    odd = Clip(np.zeros((2, 64, 64, 3), np.uint8), Fraction(8), np.zeros((3, 9), np.float32), 8000)
    assert (
        "channels"
        in card(with_clip(run, 0, odd), with_clip(run, 0, odd).results[0])["came"].missing
    )


def test_trace_lies_on_the_square_that_was_judged(run):
    wide = Clip(np.zeros((2, 64, 128, 3), np.uint8), Fraction(8))
    bench = replace(with_clip(run, 0, wide), pad=(128, 64))
    assert 'viewBox="0 0 100 100"' in card(bench, bench.results[0])["trace"]


def test_cards_are_a_spread_and_always_the_same(run):
    said = ["passed"] * 9 + ["failed", "unreadable"]
    bench = paper_run({"x": [[s] for s in said]})
    found = [r.verdicts["last"].headline for r in pick(bench.results, 5)]
    assert found == ["passed", "passed", "passed", "failed", "unreadable"]
    assert pick(bench.results, 5) == pick(list(reversed(bench.results)), 5)
    assert pick(bench.results, 0) == []
    splits = [r.split for r in pick(run.results, 4)]
    assert sorted(splits) == ["test", "test", "train", "train"]


def test_several_runs_stand_side_by_side(run, tmp_path):
    other = replace(run, backbone="other", results=run.results[:-2])
    found = page([run, other], tmp_path, items=0)
    assert "other against ember" in found.text
    assert "left out: 2 samples, 1 whole items of B alone" in found.text
    assert found.all("svg", **{"class": "curve"})
    assert not found.all("video")


def test_runs_of_one_backbone_get_names_of_their_own():
    a, b = paper_run({"x": [["passed"]]}), paper_run({"x": [["passed"]]})
    assert names([a, replace(b, root=Path("runs/b"))]) == ["a (a)", "a (b)"]
    assert len(set(names([a, a]))) == 2


def test_report_refuses_what_makes_no_page(run, tmp_path):
    other = replace(run, suite={**run.suite, "version": 2})
    for benches, words in (
        ([run, other], "small 2"),
        ([told(tmp_path, [])], "no results"),
        ([run] * 7, "1 to 6 runs"),
    ):
        with pytest.raises(PhospheneError, match=words):
            write_report(benches, tmp_path / "r.html")


def test_curve_puts_more_higher_and_escapes_names():
    svg = curve(
        {0: "easy <3", 1: "hard"}, [Line("a", "line0", {0: wilson(9, 10), 1: wilson(1, 10)})], "t"
    )
    high, low = (float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', svg))
    assert high < low
    assert "easy &lt;3" in svg


def test_page_of_a_real_bench(tmp_path):
    """The runner's own directory, as the verb reads it."""
    from phosphene.evaluate import bench
    from phosphene.ledger import load_results
    from phosphene.suite import Entry, Suite

    fields = {"cells": 4, "colours": 1, "variety": 0.0}
    suite = Suite("tiny", 1, (Entry("symmetry", fields, items=2),), canvas=CANVAS)
    bench(suite, "baseline:oracle", tmp_path / "run")
    found = page([load_results(tmp_path / "run")], tmp_path)
    assert "100 %" in found.text
    assert len(found.all("video")) == 4
    assert media.load(next((tmp_path / "run").rglob("*.mkv"))).audio is not None
