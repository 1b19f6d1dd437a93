"""The world Ember learns from: its order, its curriculum, what examples show, and its shards."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phosphene.assets import asset
from phosphene.cli import train as train_cli
from phosphene.config import build, read_yaml
from phosphene.ember.data import Batches, Drawn
from phosphene.ember.settings import TrainConfig
from phosphene.ember.shards import Shards, Shelf, write_shards
from phosphene.ember.words import word_ids
from phosphene.ember.world import LEVELS, Family, World
from phosphene.errors import PhospheneError

CONFIGS = sorted((Path(__file__).parents[1] / "configs/train").glob("ember-*.yaml"))
SUITE = [path for path in CONFIGS if not path.stem.endswith("-cpu")]


def _world(families=None, **fields):
    mixed = {"equations": Family(), "walls": Family(task="maze", fields={"largest": 5})}
    return World(families or mixed, **fields)


def _same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_example_depends_on_seed_and_index_alone():
    world = _world(frames=4, both_ends=0.5)
    dealt = world.tasks()
    straight = [world.example(7, i, dealt) for i in range(20)]
    assert _same(world.example(7, 17, world.tasks()), straight[17])
    assert not np.array_equal(world.example(8, 17, dealt)["video"], straight[17]["video"])
    for example in straight:
        assert example["given"][0]
        assert example["frame_ids"][0] == 0
        assert (np.diff(example["frame_ids"]) > 0).all()


@pytest.mark.parametrize("path", SUITE, ids=lambda path: path.stem)
def test_some_frames_of_a_clip_are_those_of_the_whole_clip(path):
    """Frames drawn alone must be the film's, and the film the oracle's, for every family."""
    world = build(TrainConfig, read_yaml(path), str(path)).stages[-1].world
    for name, family in world.families.items():
        alone = replace(world, families={name: replace(family, share=1.0)})
        dealt = alone.tasks()
        whole = alone.clip(3, 1, dealt)
        ids = np.array([0, 3, 8])
        part = alone.clip(3, 1, dealt, ids)
        assert np.array_equal(part["frames"], whole["frames"][ids]), name
        assert np.array_equal(part["sound"], whole["sound"][ids]), name
        _, problem = alone.deal(3, 1, dealt)
        solved: Any = dealt[name].solve(problem, alone.canvas)
        assert np.array_equal(whole["frames"], solved.frames), name


def test_shares_and_words_come_out_as_asked():
    world = _world(frames=3, text_only=0.2, captioned=0.3, wordless=0.25, both_ends=0.1)
    world = replace(world, families={"equations": Family(3.0), "never": Family(0.0, "maze")})
    views = [world.view(0, i) for i in range(4000)]
    hidden = np.array([not v.given[0] for v in views])
    silent = np.array([v.wording is None for v in views])
    told = np.array([v.wording == world.wordings for v in views])
    both = np.array([v.given[-1] for v in views])
    assert abs(hidden.mean() - 0.2) < 0.03
    assert abs(silent.mean() - 0.8 * 0.25) < 0.03
    assert told[hidden].all(), "a scene that isn't shown must be told"
    assert abs(told[~hidden & ~silent].mean() - 0.3) < 0.03
    assert abs(both.mean() - 0.8 * 0.1) < 0.02
    assert all(v.frame_ids[-1] == 8 for v in views if v.given[-1])
    seen = np.bincount([k for v in views for k in v.frame_ids], minlength=9)
    assert seen[0] == 4000
    assert seen[1:].min() > 600, "every frame gets its turn"
    dealt = world.tasks()
    assert {world.deal(0, i, dealt)[0] for i in range(200)} == {"equations"}


def test_continued_examples_give_several_first_frames_and_some_of_their_sound():
    world = _world(frames=5, continued=1.0)
    views = [world.view(0, i) for i in range(200)]
    counts = [int(v.given.sum()) for v in views]
    assert set(counts) == {2, 3, 4}
    for v in views:
        assert v.given[: v.given.sum()].all()
        assert not v.given[-1]
        assert not (v.heard & ~v.given).any()
    heard = np.mean([v.heard.any() for v in views])
    assert 0.35 < heard < 0.65
    assert not any(v.heard.any() for v in (_world(frames=5).view(0, i) for i in range(50)))


def test_stepwise_examples_ask_for_the_frame_after_those_given():
    world = _world(frames=3, stepwise=1.0)
    views = [world.view(0, i) for i in range(400)]
    for v in views:
        assert v.given.tolist() == [True, True, False]
        assert v.frame_ids[0] == 0
        assert v.frame_ids[2] == v.frame_ids[1] + 1
    assert {int(v.frame_ids[1]) for v in views} == set(range(1, 8))
    assert 0.4 < np.mean([v.heard[0] for v in views]) < 0.6
    assert all(v.heard.tolist() == [v.heard[0], v.heard[0], False] for v in views)
    families = {"equations": Family(stepwise=1.0), "maze": Family()}
    mixed = replace(world, families=families, stepwise=0.0)
    dealt = mixed.tasks()
    for i in range(60):
        family, _ = mixed.deal(0, i, dealt)
        assert mixed.view(0, i).given[1] == (family == "equations")
        assert mixed.view(0, i, "maze").given.sum() == 1


def test_begun_examples_show_the_clips_first_frames_and_change_no_others():
    plain = _world(frames=3, stepwise=0.3, both_ends=0.2)
    begun = replace(plain, begun=0.5)
    shares = []
    for i in range(400):
        was, now = plain.view(0, i), begun.view(0, i)
        assert (was.given == now.given).all()
        first = now.frame_ids.tolist() == [0, 1, 2]
        if was.given.sum() > 1:
            assert (was.frame_ids == now.frame_ids).all(), "stepwise and both ends stay"
        else:
            assert first or (was.frame_ids == now.frame_ids).all()
            shares.append(first)
    assert 0.42 < np.mean(shares) < 0.6


def test_a_family_may_have_its_own_frames_asked_for():
    families = {"equations": Family(asked=[8, 4]), "maze": Family()}
    world = _world(frames=3, stepwise=1.0, families=families)
    asked = {n: {int(world.view(0, i, n).frame_ids[-1]) for i in range(90)} for n in families}
    assert asked == {"equations": {8, 4}, "maze": set(range(2, 9))}
    assert all(np.diff(world.view(0, i, "equations").frame_ids)[1] == 1 for i in range(20))
    with pytest.raises(PhospheneError, match=r"maze\.asked takes frames from 2 to 8; got \[1\]"):
        _world(frames=3, families={"maze": Family(asked=[1])})


def test_wordings_go_by_the_name_of_those_that_travel_with_ember():
    written = read_yaml(asset("ember/wordings.yaml"))["maze"]
    assert Family(said="maze").said == tuple(written)
    named, told = (_world({"maze": Family(said=said)}, wordings=16) for said in ("maze", written))
    assert named.digest() == told.digest()
    assert _same(named.example(0, 5, named.tasks()), told.example(0, 5, told.tasks()))
    with pytest.raises(PhospheneError, match="unknown wordings 'mase'; did you mean maze"):
        Family(said="mase")


def test_misheard_words_are_others_and_as_many_as_asked():
    world = _world(frames=2, misheard=0.3, wordless=0.0)
    plain = replace(world, misheard=0.0)
    dealt = world.tasks()
    changed = said = 0
    for i in range(200):
        heard, told = (w.example(0, i, dealt)["words"] for w in (world, plain))
        assert ((heard > 0) == (told > 0)).all(), "nothing is heard where nothing is said"
        changed, said = changed + (heard != told).sum(), said + (told > 0).sum()
    assert abs(changed / said - 0.3) < 0.05


def test_example_says_a_prompt_or_the_caption_of_its_own_problem():
    world = _world(frames=2, captioned=0.5, wordless=0.0, text_length=20)
    dealt = world.tasks()
    for i in range(20):
        example, (_, problem) = world.example(1, i, dealt), world.deal(1, i, dealt)
        texts = [*problem.prompts[: world.wordings], problem.caption]
        said = word_ids(texts, 20, world.vocabulary).numpy()[world.view(1, i).wording]
        assert np.array_equal(example["words"], said)


def test_a_familys_own_wordings_are_heard_beside_its_tasks():
    families = {"equations": Family(said=["add up please"])}
    world = _world(frames=2, wordings=5, wordless=0.0, text_length=20)
    world = replace(world, families=families)
    dealt = world.tasks()
    heard = {tuple(world.example(1, i, dealt)["words"]) for i in range(80)}
    _, problem = world.deal(1, 0, dealt)
    texts = [*problem.prompts, "add up please"]
    assert heard == {tuple(ids.tolist()) for ids in word_ids(texts, 20, world.vocabulary)}
    assert len(texts) == 5


def test_a_family_may_be_heard_rightly_in_a_world_that_mishears():
    families = {"equations": Family(wordless=0.0, misheard=0.0), "maze": Family()}
    world = replace(_world(frames=2, wordless=0.5, misheard=0.5), families=families)
    for i in range(60):
        own, other = world.view(0, i, "equations"), world.view(0, i, "maze")
        assert own.wording is not None
        assert not own.misheard.any()
        assert other.misheard.any()
    assert 20 < sum(world.view(0, i, "maze").wording is None for i in range(60)) < 40


def test_a_range_moves_over_the_stage_and_whole_numbers_stay_whole():
    family = Family(fields={"largest": [4, 9]})
    world = World({"equations": family}, fields={"variety": [0.0, 0.6]})
    assert world.levels == LEVELS
    assert _world().levels == 1
    ladder: list[Any] = [world.tasks(level)["equations"] for level in range(LEVELS)]
    assert (ladder[0].largest, ladder[0].variety) == (4, 0.0)
    assert (ladder[-1].largest, ladder[-1].variety) == (9, 0.6)
    assert world.tasks()["equations"] == ladder[-1]
    assert [t.largest for t in ladder] == sorted(t.largest for t in ladder)
    source = Drawn(world, 0, 100, 164)
    papers = [source.example(i)["video"][0, 0, 0].tolist() for i in range(100, 164)]
    assert papers[:4] == [[255, 255, 255]] * 4, "the paper is white at first"
    assert len({tuple(paper) for paper in papers[-16:]}) > 4, "and tinted at last"


def test_wrong_worlds_are_refused():
    with pytest.raises(PhospheneError, match="shares >= 0"):
        World({"maze": Family(0.0)})
    with pytest.raises(PhospheneError, match=r"continued wants world\.frames >= 3"):
        _world(frames=2, continued=0.1)
    with pytest.raises(PhospheneError, match="a range wants two numbers"):
        World({"maze": Family(fields={"largest": [3, 4, 5]})}).tasks()


@pytest.mark.parametrize("path", SUITE, ids=lambda path: path.stem)
def test_the_suites_worlds_have_families_enough_and_hold_rules_out(path):
    for stage in build(TrainConfig, read_yaml(path), str(path)).stages:
        world, dealt = stage.world, stage.world.tasks()
        shown = {n: dealt[n] for n, f in world.families.items() if f.share}
        assert len({type(task) for task in shown.values()}) >= 10
        for task in shown.values():
            kind, fields = type(task).__name__, vars(task)
            assert not (kind == "Symmetry" and "d" in fields["axes"])
            assert not (kind == "Counting" and fields["differ"] == "both")
            assert not (kind == "Equations" and "x" in fields["operators"])
            assert not (kind == "Maze" and fields["largest"] > 7)
            assert not (kind == "Bounce" and fields["fastest"] > 1.2)
            assert not (kind == "Sequence" and fields["rules"] > 1)


def _no_news(there, total):
    pass


def test_shards_hold_the_clips_that_are_drawn_now(tmp_path):
    world = _world(frames=3, continued=0.3)
    write_shards(Shelf(tmp_path, world, 5, 20, per_shard=8), 1, _no_news)
    source, dealt = Shards(tmp_path, world, 5, 0, 60), world.tasks()
    for index in (0, 7, 31, 59):
        view, clip = world.view(5, index), world.clip(5, source.clip(index), dealt)
        example = source.example(index)
        assert np.array_equal(example["video"], clip["frames"][view.frame_ids])
        assert np.allclose(example["audio"], clip["sound"][view.frame_ids], atol=1e-3)
        assert np.array_equal(example["given"], view.given)
        assert int(example["family"]) == clip["family"]
    turns = [[source.clip(i) for i in range(k, k + 20)] for k in (0, 20, 40)]
    assert all(sorted(turn) == list(range(20)) for turn in turns), "each clip once a turn"
    assert turns[0] != turns[1]
    again = Shards(tmp_path, world, 5, 0, 60)
    assert [again.clip(i) for i in range(20, 40)] == turns[1]


def test_shards_keep_a_curriculum(tmp_path):
    world = World({"equations": Family(fields={"largest": [1, 9], "variety": 0.0})})
    write_shards(Shelf(tmp_path, world, 0, 50, per_shard=8), 1, _no_news)
    source = Shards(tmp_path, world, 0, 200, 400)
    step = [source.clip(i) * LEVELS // 50 for i in range(200, 400)]
    assert step == [i * LEVELS // 200 for i in range(200)]


def test_what_is_shown_may_change_over_the_same_shards_but_not_what_is_drawn(tmp_path):
    world = _world()
    write_shards(Shelf(tmp_path, world, 0, 8, per_shard=8), 1, _no_news)
    other = replace(world, frames=2, captioned=1.0, wordless=0.0)
    assert Shards(tmp_path, other, 0, 0, 8).example(3)["video"].shape[0] == 2
    with pytest.raises(PhospheneError, match="train shards"):
        Shards(tmp_path, replace(world, text_length=9), 0, 0, 8)
    with pytest.raises(PhospheneError, match="holds a set of 8 clips"):
        write_shards(Shelf(tmp_path, world, 0, 9, per_shard=8), 1, _no_news)
    next(Shelf(tmp_path, world, 0, 8, per_shard=8).folder.glob("*.safetensors")).unlink()
    with pytest.raises(PhospheneError, match="lacks 1 of its shards"):
        Shards(tmp_path, world, 0, 0, 8)


def test_batches_hold_neighbours_and_their_numbers():
    world = _world(frames=2)
    ready = Batches(Drawn(world, 0, 0, 40), range(8, 40, 16), 4)
    assert len(ready) == 2
    batch = ready[1]
    assert batch["index"].tolist() == [24, 25, 26, 27]
    lone = world.example(0, 26, world.tasks())
    assert np.array_equal(batch["video"][2].numpy(), lone["video"])


DRAW = """
import sys
from pathlib import Path
from phosphene.ember.shards import Shelf, write_shards
from phosphene.ember.world import Family, World
if __name__ == "__main__":
    world = World({"equations": Family(fields={"variety": 0.0})})
    shelf = Shelf(Path(sys.argv[1]), world, 0, 2000, 100)
    write_shards(shelf, int(sys.argv[2]), lambda there, total: None)
"""


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_drawing_shards_goes_on_after_a_kill(tmp_path, workers):
    """What is whole is kept, what was cut off is made again."""
    script, out = tmp_path / "draw.py", tmp_path / "shards"
    script.write_text(DRAW)
    killed = subprocess.Popen([sys.executable, str(script), str(out), str(workers)])
    deadline = time.monotonic() + 60
    while not list(out.glob("*/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    # The workers notice that they are alone.
    time.sleep(0.5)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*/*.safetensors")}
    assert 1 <= len(kept) < 20, "the kill came too late to try anything"
    world = World({"equations": Family(fields={"variety": 0.0})})
    shelf = Shelf(out, world, 0, 2000, 100)
    (shelf.folder / "000019-of-2000.1.partial").write_bytes(b"cut")
    told = []
    write_shards(shelf, 1, lambda there, total: told.append(there))
    assert len(told) == 20 - len(kept)
    assert told[-1] == 2000
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert not list(out.glob("*/*.partial"))
    source = Shards(out, world, 0, 0, 2000)
    for index in (3, 1900):
        clip, view = world.clip(0, source.clip(index), world.tasks()), world.view(0, index)
        assert np.array_equal(source.example(index)["video"], clip["frames"][view.frame_ids])


def test_the_command_draws_each_world_once(tmp_path, capsys):
    """Two stages that draw the same, and show it differently, share their clips."""
    config = tmp_path / "c.yaml"
    config.write_text("""
out: x
stages:
  - {samples: 1, world: &w {frames: 2, families: {equations: {fields: {variety: 0.0}}}}}
  - {samples: 1, world: {<<: *w, frames: 3}}
""")
    train_cli.shards(config=config, out=tmp_path / "s", clips=20, json=True)
    said = capsys.readouterr()
    (folder,) = json.loads(said.out)["shards"]
    assert "20 of 20 clips" in said.err
    assert [p.name for p in Path(folder).glob("*.safetensors")] == ["000000-of-20.safetensors"]
