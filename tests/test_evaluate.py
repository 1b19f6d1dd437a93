"""The bench runner: what is asked, kept, judged, resumed and counted."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from phosphene import media
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.evaluate import Settings, bench
from phosphene.export import export
from phosphene.ledger import load_results
from phosphene.player import Function, baselines
from phosphene.scoring import score
from phosphene.suite import Entry, Suite, load_suite, suite_names
from phosphene.task import Canvas
from phosphene.testing.fake import FakeBackbone

EASY = {"cells": 4, "colours": 1, "variety": 0.0}
SMALL = Suite("small", 1, (Entry("symmetry", EASY, items=3),))


def solved(suite):
    """A player that looks the item up by its seed and draws it right."""
    known = {item.seed: item.deal() for item in suite.items()}

    def play(request):
        task, problem = known[request.seed]
        return task.solve(problem, Canvas())

    return Function(play, "solved")


def headlines(found):
    return [r.verdicts["last"].headline for r in found.results]


@pytest.mark.parametrize("name", baselines.names())
def test_baselines_score_what_they_should(tmp_path, name):
    found = bench(SMALL, f"baseline:{name}", tmp_path / "run")
    right = name in ("oracle", "noisy_oracle", "solver")
    assert headlines(found) == (["passed"] * 3 if right else ["failed"] * 3)
    assert {r.floors["static"] for r in found.results} == {"failed"}


def test_same_command_repeats_nothing_and_more_samples_extend_it(tmp_path):
    made = []
    player = solved(SMALL)

    def counted(request):
        made.append((request.seed, request.index))
        return player.play(request)

    first = bench(SMALL, Function(counted, "x"), tmp_path / "run")
    again = bench(SMALL, Function(counted, "x"), tmp_path / "run")
    assert len(made) == 3
    assert [r.key for r in first.results] == [r.key for r in again.results]
    more = bench(SMALL, Function(counted, "x"), tmp_path / "run", Settings(samples=3))
    assert len(made) == len(set(made)) == 9
    assert len(more.results) == 9
    wordings = {r.wording for r in more.results if r.item == more.results[0].item}
    assert wordings == {0, 1, 2}


def test_seeds_are_those_of_the_item_whatever_the_suite_or_backbone():
    bigger = replace(SMALL, entries=(Entry("symmetry", EASY, items=9),))
    assert [i.seed for i in SMALL.items()] == [i.seed for i in bigger.items()[:3]]
    assert [i.seed for i in replace(SMALL, seed=1).items()] != [i.seed for i in SMALL.items()]


def test_shards_share_a_directory_and_cover_it(tmp_path):
    for i in (1, 2):
        found = bench(SMALL, solved(SMALL), tmp_path / "run", Settings(shard=(i, 2)))
    assert headlines(found) == ["passed"] * 3


def _nan(request):
    return np.full((9, 64, 64, 3), np.nan)


def _oblong(request):
    return np.zeros((9, 48, 64, 3), np.uint8)


def _tiny(request):
    return np.zeros((9, 16, 16, 3), np.uint8)


def _single(request):
    return np.zeros((64, 64, 3), np.uint8)


def _raises(request):
    raise RuntimeError("no luck")


def _words(request):
    return "no such file.mp4"


@pytest.mark.parametrize(
    ("player", "headline", "reason"),
    [
        (_nan, "failed", "not finite"),
        (_raises, "failed", "no luck"),
        (_words, "failed", "no such file"),
        (_oblong, "unreadable", "64x48"),
        (_tiny, "unreadable", "too few"),
        (_single, "failed", ""),
    ],
)
def test_bad_samples_count_and_say_why(tmp_path, player, headline, reason):
    found = bench(SMALL, player, tmp_path / "run")
    assert headlines(found) == [headline] * 3
    assert all(reason in r.verdicts["last"].reason for r in found.results)
    assert not any(r.passed(p) for r in found.results for p in r.verdicts)


def test_one_bad_sample_costs_no_other_and_is_tried_again(tmp_path):
    player, bad = solved(SMALL), SMALL.items()[1].seed

    def moody(request, broken=True):
        if request.seed == bad and not (tmp_path / "mended").exists():
            raise RuntimeError("out of tune")
        return player.play(request)

    found = bench(SMALL, Function(moody, "x"), tmp_path / "run")
    assert headlines(found) == ["passed", "failed", "passed"]
    (tmp_path / "mended").touch()
    found = bench(SMALL, Function(moody, "x"), tmp_path / "run")
    assert headlines(found) == ["passed"] * 3


def test_oblong_backbones_get_the_problem_in_the_middle(tmp_path):
    inner = solved(SMALL)

    def wide(request):
        assert request.first_frame.shape == (64, 96, 3)
        clip = inner.play(request)
        assert clip.frames is not None
        frames = np.full((9, 64, 96, 3), 255, np.uint8)
        frames[:, :, 16:80] = clip.frames
        assert (request.first_frame == frames[0]).all()
        return Clip(frames, Fraction(8))

    found = bench(SMALL, Function(wide, "wide"), tmp_path / "run", Settings(size=(96, 64)))
    assert headlines(found) == ["passed"] * 3


def test_backbones_without_a_first_frame_are_told_in_words(tmp_path):
    asked = []

    class Blind(FakeBackbone):
        def generate(self, requests):
            asked.extend(requests)
            return super().generate(requests)

        @property
        def capabilities(self):
            can = super().capabilities
            return replace(can, accepts=can.accepts - {"first_frame"}, defaults={})

    bench(SMALL, Blind(), tmp_path / "run")
    assert all(r.first_frame is None and "a pattern of 4 by 4" in r.prompt for r in asked)


def test_a_damaged_record_or_verdict_line_loses_nothing(tmp_path, caplog):
    root = tmp_path / "run"
    before = bench(SMALL, solved(SMALL), root)
    for name in ("records.jsonl", "verdicts.jsonl", "plan.jsonl"):
        lines = (root / name).read_bytes().splitlines(keepends=True)
        lines[1] = b'{"key": "torn\n'
        (root / name).write_bytes(b"".join(lines) + b'{"half a li')
    after = bench(SMALL, solved(SMALL), root)
    assert headlines(after) == headlines(before) == ["passed"] * 3
    assert "unreadable" in caplog.text


def test_score_makes_nothing_and_judges_again_only_when_told(tmp_path):
    root = tmp_path / "run"
    bench(SMALL, solved(SMALL), root)
    size = (root / "verdicts.jsonl").stat().st_size
    score(root)
    assert (root / "verdicts.jsonl").stat().st_size == size
    files = {p: p.read_bytes() for p in (root / "media").iterdir()}
    found = score(root, again=True)
    assert (root / "verdicts.jsonl").stat().st_size > size
    assert files == {p: p.read_bytes() for p in (root / "media").iterdir()}
    assert len(found.results) == 3


def test_a_clip_that_was_lost_after_it_was_judged_is_made_again(tmp_path):
    root = tmp_path / "run"
    bench(SMALL, solved(SMALL), root)
    victim = sorted((root / "media").iterdir())[0]
    victim.write_bytes(b"rubbish")
    found = score(root, again=True)
    assert sorted(headlines(found)) == ["failed", "passed", "passed"]
    assert headlines(bench(SMALL, solved(SMALL), root)) == ["passed"] * 3


def test_another_suite_or_backbone_is_refused_by_name(tmp_path):
    bench(SMALL, solved(SMALL), tmp_path / "run")
    with pytest.raises(PhospheneError, match="another suite"):
        bench(replace(SMALL, version=2), solved(SMALL), tmp_path / "run")
    with pytest.raises(PhospheneError, match="another backbone"):
        bench(SMALL, "baseline:static", tmp_path / "run")
    with pytest.raises(PhospheneError, match="holds no bench"):
        load_results(tmp_path)


def test_export_and_recorded_clips_close_the_circle(tmp_path):
    folders = list(export(SMALL, tmp_path / "out", solutions=True, samples=2))
    lines = [json.loads(x) for x in (tmp_path / "out" / "prompts.jsonl").read_text().splitlines()]
    assert len(folders) == 3
    assert len(lines) == 6
    clips = tmp_path / "clips"
    clips.mkdir()
    for line in lines:
        folder = next(f for f in folders if f.name == line["item"])
        (clips / line["clip"]).write_bytes((folder / "ground_truth.mp4").read_bytes())
    found = bench(SMALL, out=tmp_path / "run", from_folder=clips, settings=Settings(samples=2))
    assert headlines(found) == ["passed"] * 6
    (clips / lines[0]["clip"]).unlink()
    found = bench(SMALL, out=tmp_path / "run2", from_folder=clips, settings=Settings(samples=2))
    assert headlines(found).count("failed") == 1
    first = media.load_image(folders[0] / "first_frame.png")
    media.save(Clip(np.repeat(first[None], 9, 0)), clips / lines[0]["clip"])
    found = bench(SMALL, out=tmp_path / "run2", from_folder=clips, settings=Settings(samples=2))
    assert headlines(found).count("failed") == 1
    with pytest.raises(PhospheneError, match="name them like"):
        bench(SMALL, out=tmp_path / "run3", from_folder=tmp_path / "out" / "symmetry_task")


SCRIPT = """
import sys, time
from phosphene.evaluate import bench, Settings
from phosphene.player import Function
from phosphene.suite import Suite, Entry
from phosphene.task import Canvas
suite = Suite("small", 1, (Entry("symmetry", %r, items=12),))
from phosphene.suite import make_task
known = {}
for item in suite.items():
    task = make_task(item.cell.task, item.cell.fields)
    known[item.seed] = (task, task.sample(item.problem_seed, item.cell.split))
def play(request):
    time.sleep(0.1)
    with open(sys.argv[2], "a") as log:
        log.write(f"{request.seed}\\n")
    task, problem = known[request.seed]
    return task.solve(problem, Canvas())
found = bench(suite, Function(play, "slow"), sys.argv[1], Settings(batch=1))
print(sum(r.passed() for r in found.results))
"""


def _start(tmp_path, log):
    (tmp_path / "play.py").write_text(SCRIPT % EASY)
    return subprocess.Popen(
        [sys.executable, tmp_path / "play.py", tmp_path / "run", tmp_path / log],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_kill_and_resume_repeats_no_finished_item(tmp_path):
    process = _start(tmp_path, "first")
    records, deadline = tmp_path / "run" / "records.jsonl", time.monotonic() + 60
    while not (records.exists() and records.read_bytes().count(b"\n") >= 4):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = records.read_bytes().count(b"\n")
    out, _ = _start(tmp_path, "second").communicate(timeout=120)
    assert out.strip() == "12"
    assert len((tmp_path / "second").read_text().splitlines()) == 12 - kept


def test_two_processes_share_one_directory(tmp_path):
    both = [_start(tmp_path, "log"), _start(tmp_path, "log")]
    assert [p.communicate(timeout=120)[0].strip() for p in both] == ["12", "12"]
    seeds = (tmp_path / "log").read_text().split()
    assert len(seeds) == len(set(seeds)) == 12
    lines = (tmp_path / "run" / "verdicts.jsonl").read_text().splitlines()
    assert len(lines) == len({json.loads(line)["key"] for line in lines}) == 12


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_load_and_deal(name):
    suite = load_suite(name)
    items = suite.items()
    assert len({i.id for i in items}) == len({i.seed for i in items}) == len(items)
    assert suite.about


def test_a_suite_may_ask_in_its_own_words(tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text(
        "name: words\nversion: 1\nentries:\n  - {task: maze, items: 3}\n"
        "  - {task: maze, items: 3, prompts: [get me across, navigate]}\n"
    )
    suite = load_suite(path)
    plain, said = suite.cells()
    assert (plain.id, said.id, said.title) == ("maze", "maze-said", "maze in other words")
    asked: list[str] = []

    def player(request):
        asked.append(request.prompt)
        return request.first_frame[None].repeat(9, 0)

    bench(suite, player, out=tmp_path / "run")
    assert asked[3:] == ["get me across", "navigate", "get me across"]
    assert not set(asked[:3]) & set(asked[3:])
    own, other = (item.deal()[1] for item in suite.items() if item.number == 0)
    assert own.state == other.state


def test_suite_files_say_what_is_wrong(tmp_path):
    def refuse(text, match):
        path = tmp_path / "suite.yaml"
        path.write_text(text)
        with pytest.raises(PhospheneError, match=match):
            load_suite(path)

    refuse("name: a\nversion: 1\nentries: [mase]", "did you mean maze")
    refuse("name: a\nversion: 1\nentries: []", "at least one task")
    refuse("name: a\nversion: 1\nentries: [{task: symmetry, rungs: [77]}]", r"rungs 0\.\.")
    refuse("name: a\nversion: 1\nentries: [{task: symmetry, fields: {cell: 4}}]", "cells")
    refuse("name: a\nversion: 1\nentries: [symmetry, symmetry]", "twice")
    refuse("name: a\nversion: 1\nentries: [{task: symmetry, items: 0}]", "at least 1")
    with pytest.raises(PhospheneError, match="did you mean quick"):
        load_suite("quik")


def test_any_callable_plays_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "held.py").write_text("def still(request):\n    return request.first_frame\n")
    found = bench(SMALL, "held:still", "run")
    assert headlines(found) == ["failed"] * 3
    assert all(r.verdicts["last"].givens == "passed" for r in found.results)
    assert all(r.verdicts["last"].process == "not judged" for r in found.results)
    with pytest.raises(PhospheneError, match="MODULE:FUNCTION"):
        bench(SMALL, "held:missing", "run2")
