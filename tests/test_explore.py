"""The loop of exploration: what is written down, resumed, steered and made again."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
from phosphene.backbone import BackboneSpec
from phosphene.errors import PhospheneError
from phosphene.explore import explore, resume
from phosphene.exploring.control import control
from phosphene.exploring.index import index
from phosphene.exploring.opening import suited
from phosphene.exploring.replay import replay
from phosphene.search import Search
from phosphene.session import Session
from phosphene.testing.modes import Modes

MODES = "phosphene.testing.modes:"
SEARCH = Search(
    explorer="screened",
    budget=48,
    warmup=16,
    batch=8,
    seed=3,
    prompt="a {colour} {thing}",
    words={"colour": ("red", "blue", "green"), "thing": ("ball", "cube")},
    embeddings=(MODES + "ModesEmbedding",),
    qualities=(MODES + "ModesQuality", {"name": MODES + "ModesQuality", "as": "again"}),
)


def facts(session: Session) -> dict:
    """Everything that two equal sessions have in common."""
    return {
        "asked": {
            n: {i: p.record() for i, p in a.proposals.items()} for n, a in session.rounds.items()
        },
        "made": {i: (m.digest, m.media, m.calls, m.scores) for i, m in session.made.items()},
        "told": {n: {k: v for k, v in t.items() if k != "time"} for n, t in session.told.items()},
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Session:
    return explore(Modes(), tmp_path_factory.mktemp("whole") / "s", SEARCH)


def test_the_budget_is_spent_and_everything_is_written_down(whole):
    spent = [t["calls"] for t in whole.told.values()]
    assert spent == sorted(spent)
    assert SEARCH.budget * 8 <= spent[-1] < (SEARCH.budget + 2 * SEARCH.batch) * 8
    assert sum(m.calls for m in whole.made.values()) == spent[-1]
    finished = [i for i in whole.made if whole.proposal(i).stop is None]
    assert all((whole.root / str(whole.made[i].media)).exists() for i in finished)
    assert not list((whole.root / "media").glob("new-*"))
    assert not any(Path(str(m.media or "x")).is_absolute() for m in whole.made.values())


def test_the_same_settings_give_the_same_session(whole, tmp_path):
    assert facts(explore(Modes(), tmp_path / "s", SEARCH)) == facts(whole)


def test_another_seed_gives_another(whole, tmp_path):
    other = explore(Modes(), tmp_path / "s", replace(SEARCH, seed=4, budget=16))
    assert not {m.digest for m in other.made.values()} & {m.digest for m in whole.made.values()}


@pytest.mark.parametrize("share", [0.1, 0.37, 0.5, 0.77, 0.93])
def test_a_log_cut_anywhere_is_finished_to_the_same(whole, tmp_path, share):
    cut = tmp_path / "s"
    shutil.copytree(whole.root, cut)
    log = cut / "events.jsonl"
    data = log.read_bytes()
    log.write_bytes(data[: int(len(data) * share)])
    shutil.rmtree(cut / "media")
    assert facts(resume(cut, backbone=Modes())) == facts(whole)


def test_a_finished_session_goes_on_to_a_larger_budget(whole, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(whole.root, moved)
    longer = explore(Modes(), moved, replace(SEARCH, budget=64))
    before, after = facts(whole), facts(longer)
    last = max(before["asked"])
    assert {n: a for n, a in after["asked"].items() if n < last} == {
        n: a for n, a in before["asked"].items() if n < last
    }
    assert max(t["calls"] for t in longer.told.values()) >= 64 * 8


def test_another_search_is_not_mixed_in(whole):
    with pytest.raises(PhospheneError, match="holds a session with search"):
        explore(Modes(), whole.root, replace(SEARCH, warmup=12))
    with pytest.raises(PhospheneError, match="holds a session with fingerprint"):
        explore(Modes(seed=5), whole.root, SEARCH)


def test_two_processes_do_not_explore_one_session(whole):
    with whole.exploring(), pytest.raises(PhospheneError, match="by another process"):
        explore(Modes(), whole.root, SEARCH)


def test_a_proposal_that_is_not_asked_again_stops_the_session(whole, tmp_path):
    other = tmp_path / "s"
    shutil.copytree(whole.root, other)
    log = other / "events.jsonl"
    lines = log.read_text().splitlines()
    place = next(i for i, t in enumerate(lines) if '"kind":"asked","round":2' in t)
    event = json.loads(lines[place])
    event["proposals"][0]["genome"]["prompt"] = "something else"
    lines[place] = json.dumps(event)
    log.write_text("\n".join(lines) + "\n")
    with pytest.raises(PhospheneError, match="round 2 was proposed by another version"):
        explore(Modes(), other, SEARCH)


def test_every_kind_of_candidate_is_made_again_to_the_bit(whole):
    kinds = {}
    for id in whole.made:
        proposal = whole.proposal(id)
        kinds.setdefault((proposal.operator, proposal.stop is None, proposal.after is None), id)
    assert len(kinds) > 3
    for id in kinds.values():
        assert replay(whole.root, id, Modes()).exact, id


def test_what_people_ask_for_is_made_in_the_next_round(whole, tmp_path):
    steered = tmp_path / "s"
    shutil.copytree(whole.root, steered)
    session = Session.load(steered)
    first, second = list(session.made)[:2]
    for event in (
        {"kind": "more", "id": first},
        {"kind": "blend", "ids": [first, second]},
        {"kind": "prompt", "id": second, "prompt": "a violet sphere"},
        {"kind": "like", "id": "9999-99"},
        {"kind": "more", "id": "../../etc/passwd"},
    ):
        session.append({**event, "by": "a person"})
    longer = explore(Modes(), steered, replace(SEARCH, budget=64))
    asked = longer.rounds[max(whole.rounds) + 1]
    operators = [p.operator for p in asked.proposals.values()]
    assert operators[:3] == ["asked-more"] * 3
    assert operators.count("asked-blend") == 2
    spoken = [p for p in asked.proposals.values() if p.operator == "asked-prompt"]
    assert {p.genome.prompt for p in spoken} == {"a violet sphere"}
    assert all(p.parents == (second,) for p in spoken)
    assert facts(resume(steered, backbone=Modes())) == facts(longer)


def test_stop_ends_the_session_and_it_can_go_on(whole, tmp_path):
    stopped = tmp_path / "s"
    shutil.copytree(whole.root, stopped)
    Session.load(stopped).append({"kind": "stop"})
    longer = replace(SEARCH, budget=96)
    once = explore(Modes(), stopped, longer)
    rounds = len(once.rounds)
    assert rounds == len(whole.rounds) + 1
    assert len(explore(Modes(), stopped, longer).rounds) > rounds


def test_the_control_shares_the_warm_up_and_costs_as_much(whole):
    beside = control(Modes(), whole, suited(Modes(), SEARCH), lambda event: None)
    assert beside is not None
    assert {i: m.digest for i, m in beside.made.items() if i.startswith("0000")} == {
        i: m.digest for i, m in whole.made.items() if i.startswith("0000")
    }
    assert {p.operator for a in beside.rounds.values() for p in a.proposals.values()} == {"fresh"}
    spent = [max(t["calls"] for t in s.told.values()) for s in (whole, beside)]
    assert abs(spent[0] - spent[1]) < 8 * SEARCH.batch
    assert (beside.root / str(next(iter(beside.made.values())).media)).exists()


def test_the_index_answers_in_sql(whole):
    import sqlite3

    with sqlite3.connect(index(whole)) as database:
        (count,) = database.execute("select count(*) from candidates").fetchone()
        best = database.execute("select max(quality) from candidates").fetchone()[0]
    assert count == len(whole.made)
    assert best == max(q for t in whole.told.values() for q in t["quality"].values())


def test_damaged_lines_are_told_and_cost_nothing_else(whole, tmp_path, caplog):
    damaged = tmp_path / "s"
    shutil.copytree(whole.root, damaged)
    with (damaged / "events.jsonl").open("a") as log:
        log.write('{"kind":"like"\nnot json\n{"no":"kind"}\n')
    session = Session.load(damaged)
    assert len(session.errors) == 3
    assert facts(session) == facts(whole)


class Broken(Modes):
    """Fails whenever the prompt is blue."""

    def generate(self, requests):
        if any("blue" in r.prompt for r in requests):
            raise PhospheneError("no blue today")
        return super().generate(requests)

    def advance(self, requests, to, given):
        if any("blue" in r.prompt for r in requests):
            raise PhospheneError("no blue today")
        return super().advance(requests, to, given)


def test_samples_that_fail_are_survived_and_told(tmp_path):
    session = explore(Broken(), tmp_path / "s", SEARCH)
    failed = [i for i, m in session.made.items() if m.failed]
    assert failed
    assert all("blue" in session.proposal(i).genome.prompt for i in failed)
    assert {session.made[i].failed for i in failed} == {"no blue today"}
    admitted = {i for t in session.told.values() for i in t["admitted"]}
    assert not admitted & set(failed)
    assert facts(resume(tmp_path / "s", backbone=Broken())) == facts(session)


class Mute(Modes):
    def generate(self, requests):
        raise PhospheneError("the model is gone")


def test_a_warm_up_of_which_nothing_comes_says_why(tmp_path):
    with pytest.raises(PhospheneError, match="the warm-up failed: the model is gone"):
        explore(Mute(), tmp_path / "s", replace(SEARCH, explorer="random"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qualities": (MODES + "ModesQuality",)}, "one quality alone is soon exploited"),
        ({"explorer": "porfolio"}, "did you mean portfolio"),
        ({"explorer": {"name": "random", "speed": 3}}, "explorer random: .*speed"),
        ({"embeddings": ("nowhere:Eyes",)}, "can't be imported"),
        ({"targets": ("a cat",)}, "targets want an embedding that reads words"),
        ({"words": {"colour": ("red",)}}, "slot {thing} of the grammar has no choices"),
        ({"operators": ("streams",)}, "operator streams has nothing to vary here"),
        ({"pictures": ("task:maze",)}, "takes no first frame"),
        ({"judge": "again"}, "the judge again must not be one of the qualities"),
    ],
)
def test_settings_that_cannot_be_honoured_say_so_in_one_line(tmp_path, changes, message):
    with pytest.raises(PhospheneError, match=message) as caught:
        explore(Modes(), tmp_path / "s", replace(SEARCH, **changes))
    assert "\n" not in str(caught.value)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(PhospheneError, match="is not empty and holds no session"):
        explore(Modes(), tmp_path, SEARCH)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


CHILD = """
import sys
from phosphene.testing.modes import Modes
sys.path.insert(0, {tests!r})
from test_explore import SEARCH
from phosphene.explore import explore
print("ready", flush=True)
explore(Modes(), sys.argv[1], SEARCH)
"""


def killed(root: Path, times: int, rng: random.Random) -> int:
    """Run the search in processes that are killed at random moments; returns how many were."""
    text = CHILD.format(tests=str(Path(__file__).parent))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    deaths = 0
    for _ in range(times):
        child = subprocess.Popen(
            [sys.executable, "-c", text, str(root)], stdout=subprocess.PIPE, env=environment
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(rng.uniform(0.0, 1.2))
        deaths += child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
    return deaths


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_kill_9_at_random_moments_changes_nothing(whole, tmp_path, times):
    root = tmp_path / "s"
    assert killed(root, times, random.Random(times)) > 0
    assert facts(explore(Modes(), root, SEARCH)) == facts(whole)


def test_a_spec_names_the_backbone_of_a_session(whole):
    from phosphene.exploring.replay import spec_of

    assert spec_of(whole) == BackboneSpec("modes")


def test_numbers_of_the_log_are_finite(whole):
    for told in whole.told.values():
        assert np.isfinite(list(told["quality"].values())).all()
        assert np.isfinite(list(told["novelty"].values())).all()
