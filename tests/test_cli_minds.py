"""Verbs that take language models and generators alike, as a user types them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

import phosphene
import phosphene.minds.probes
from phosphene.cli import main
from phosphene.minds.probe import mind_probes
from phosphene.minds.task import text_tasks
from phosphene.probe import probes
from phosphene.testing.minds import tiny_mind

COUNTING = '''
"""Counting: a probe of minds, for tests."""
from dataclasses import dataclass
from typing import ClassVar
from phosphene.errors import PhospheneError
from phosphene.minds.probe import MindProbe
from phosphene.probe import Finding, Result

@dataclass(frozen=True)
class Counting(MindProbe):
    """Args:
        most: refuses more problems.
    """
    most: int = 99
    name: ClassVar[str] = "thought_count"
    ASKS = "How many thoughts are there?"
    CONTROLS = "none"

    def run(self, subject, book):
        n = len(subject.problems)
        if n > self.most:
            raise PhospheneError(f"{n} problems are too many")
        if not subject.thoughts:
            raise PhospheneError("has no thoughts; give --thoughts")
        book.plan(n)
        got = [book.once(str(p.seed), lambda: subject.thoughts, "") for p in subject.problems]
        found = Finding("thoughts", f"{got[0]} thoughts", True, got[0], got[0], got[0], 0, 0.01, n)
        return Result([{"seed": p.seed} for p in subject.problems], [found])

COMPONENT = Counting
'''


@pytest.fixture(scope="module")
def mind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("minds") / "tiny"
    made = tiny_mind()
    made.model.save_pretrained(folder)
    made.tokenizer.save_pretrained(folder)
    made.manner.save(folder)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "thought_count.py").write_text(COUNTING)
    where = phosphene.minds.probes
    monkeypatch.setattr(where, "__path__", [*where.__path__, str(folder)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(mind: Path, *more: str) -> list[str]:
    return ["probe", "thought_count", "--backbone", str(mind), "--items", "2", *more]


def test_a_probe_of_a_mind_prints_findings_and_its_page(
    mind: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(ask(mind, "--quiet", "--thoughts", "2")) == 0
    out, err = capsys.readouterr()
    assert "2 thoughts" in out
    assert err == ""
    (page,) = here.glob("runs/thought_count-*/report.html")
    assert str(page.relative_to(here)) in out


def test_the_page_s_command_makes_the_same_run(
    mind: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--task", "chase", "--field", "names=5", "--field", "hops=3", "--split", "train"]
    more += ["--first-seed", "7", "--way", "pause", "--thoughts", "1", "--batch", "1"]
    asked = ask(mind, *more, "--with", "most=50", "--dtype", "fp32", "--out", "run", "--json")
    assert main(asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["findings"][0]["value"] == 1
    record = json.loads((here / "run" / "findings.json").read_text())
    setup = record["subject"]["setup"]
    assert setup["way"] == "pause"
    assert setup["fields"] | {"names": 5, "hops": 3} == setup["fields"]
    before = (here / "run" / "work.json").read_text()
    program, *words = shlex.split(record["command"])
    assert program == "phosphene"
    assert main([*words, "--quiet"]) == 0
    assert (here / "run" / "work.json").read_text() == before


GIVEN = ["probe", "thought_count", "--backbone", "MIND"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([*GIVEN, "--size", "32"], "--size is for generators"),
        ([*GIVEN, "--frames", "3"], "--frames is for generators"),
        ([*GIVEN, "--steps", "3"], "--steps is for generators"),
        ([*GIVEN, "--guidance", "1"], "--guidance is for generators"),
        ([*GIVEN, "--set", "a=1"], "--set is for generators"),
        ([*GIVEN, "--cache", "first-block"], "--cache first-block can't be honoured"),
        ([*GIVEN, "--way", "aloud"], "--way takes thoughts, cot, pause, none"),
        ([*GIVEN, "--thoughts", "-1"], "--thoughts must be 0 or more"),
        ([*GIVEN, "--items", "0"], "items must be at least 1"),
        ([*GIVEN, "--split", "val"], "train or test"),
        ([*GIVEN, "--task", "chas"], "did you mean chase"),
        ([*GIVEN, "--field", "name=5"], "did you mean names"),
        ([*GIVEN, "--with", "mst=5"], "did you mean most"),
        (["probe", "switch", "--backbone", "MIND"], "asks generators, and"),
        (["probe", "switch", "--backbone", "MIND"], "thought_count"),
        (["probe", "thought_count", "--backbone", "ember"], "ember is a generator"),
        (["probe", "thought_count", "--backbone", "ember"], "dominance"),
        (["probe", "thought_cont", "--backbone", "MIND"], "did you mean thought_count"),
        (["probe", "thought_cont"], "did you mean thought_count"),
        (["probe", "switch", "--way", "cot"], "--way is for language models"),
        (["probe", "switch", "--thoughts", "2"], "--thoughts is for language models"),
        (["findings", "--thoughts", "2"], "--thoughts is for language models"),
        (["findings", "--backbone", "MIND", "--steps", "2"], "--steps is for generators"),
        (["findings", "--backbone", "MIND", "--probe", "switch"], "no probe 'switch' of minds"),
        (["probe", "thought_count", "--backbone", "hf:org/none"], "can't be reached"),
        (["doctor", "--backbone", "hf:org/none"], "can't be reached"),
        (["doctor", "--backbone", "mind/none"], "unknown mind"),
    ],
)
def test_bad_input_gets_one_line(
    argv: list[str], said: str, mind: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.iterdir())
    assert main([str(mind) if word == "MIND" else word for word in argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert sorted(here.iterdir()) == before


def test_a_probe_s_name_alone_says_which_kind_of_model_is_meant(
    mind: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from phosphene.minds import opening

    monkeypatch.setattr(opening, "embedded", lambda: ["mind/prosqa"])
    monkeypatch.setattr(opening, "asset", lambda name: mind)
    assert main(["probe", "thought_count", "--items", "1", "--quiet", "--json"]) == 0
    assert "thought_count-mind-" in json.loads(capsys.readouterr().out)["run"]


def test_findings_put_every_probe_and_say_what_was_refused(
    mind: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["findings", "--backbone", str(mind), "--items", "2", "--probe", "thought_count"]
    assert main([*asked, "--out", "all", "--quiet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [f["name"] for f in told["findings"]] == ["thoughts"]
    assert told["refused"] == {}
    page = (here / "all" / "report.html").read_text()
    assert "3 thoughts" in page
    assert main([*asked, "--thoughts", "0", "--out", "none", "--quiet"]) == 0
    assert "has no thoughts" in capsys.readouterr().out
    page = (here / "none" / "report.html").read_text()
    assert "Could not be asked: has no thoughts; give --thoughts" in page
    assert "has no thoughts" in (here / "none" / "README.md").read_text()


def test_names_are_unique_over_both_kinds_of_probe() -> None:
    assert not set(probes.names()) & set(mind_probes.names())


def test_probes_are_listed_with_the_models_they_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "probes", "--json"]) == 0
    fits = {row["name"]: row["fits"] for row in json.loads(capsys.readouterr().out)}
    assert fits["switch"] == "generators"
    assert fits["thought_count"] == "language models"
    assert set(fits) == {*probes.names(), *mind_probes.names()}


def test_text_tasks_and_minds_are_listed(
    mind: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ls", "text-tasks", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == text_tasks.names()
    assert all(row["about"] for row in rows)

    from phosphene.minds import opening, shelf

    monkeypatch.setattr(opening, "embedded", lambda: ["mind/tiny"])
    monkeypatch.setattr(shelf, "embedded", lambda: ["mind/tiny"])
    monkeypatch.setattr(opening, "asset", lambda name: mind)
    assert main(["ls", "minds", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    whole = sum(p.numel() for p in tiny_mind().model.parameters())
    assert row | {"name": "mind/tiny", "task": "chase", "thoughts": 3} == row
    assert row["parameters"] == whole
    assert main(["ls", "minds"]) == 0
    assert "mind/tiny" in capsys.readouterr().out


def test_doctor_says_what_can_be_done_with_a_mind(
    mind: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--backbone", str(mind), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    whole = sum(p.numel() for p in tiny_mind().model.parameters())
    assert (told["parameters"], told["layers"], told["heads"]) == (whole, 2, 4)
    assert told["sites"] == ["embedding", "layer", "attention", "mlp", "heads"]
    assert (told["experts"], told["task"], told["thoughts"]) == (0, "chase", 3)
    assert any("no routers" in note for note in told["notes"])
    assert main(["doctor", "--backbone", str(mind)]) == 0
    assert "thought_count" in capsys.readouterr().out
    assert main(["doctor", "--backbone", "openai:http://localhost:1/v1#m"]) == 0
    assert "not looked into" in capsys.readouterr().out


def test_python_says_the_same(mind: Path, here: Path) -> None:
    found = phosphene.observe_mind("thought_count", str(mind), phosphene.MindSetup(items=2))
    assert found.findings[0].value == 3
    assert phosphene.open_mind(str(mind)).manner.task == "chase"
    assert [path.name for path in here.iterdir()] == ["plugins"]
