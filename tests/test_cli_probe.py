"""`phosphene probe` and `ls probes` as a user types them, with a probe that counts its work."""

from __future__ import annotations

import json
import shlex
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import phosphene
import phosphene.probes
from phosphene.cli import main
from phosphene.cli.ls import _question
from phosphene.probe import Probe, probes

COUNTING = '''
"""Counting: a probe for tests."""
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from phosphene.errors import PhospheneError
from phosphene.probe import Finding, Probe, Result

@dataclass(frozen=True)
class Counting(Probe):
    """Args:
        stop: dies before this unit.
        word: anything.
    """
    stop: int = -1
    word: str = "a"
    name: ClassVar[str] = "counting"
    ASKS = "How many " "units are done?"
    CONTROLS = "none"

    def run(self, subject, book):
        book.plan(len(subject.problems))
        for i, problem in enumerate(subject.problems):
            if (Path("stop").exists() and i == 1):
                raise PhospheneError("stopped here; go on")
            book.once(f"problem {problem.seed}", lambda: self._work(), f"problem {i}")
        n = len(subject.problems)
        return Result([{"n": n, "steps": subject.setup.steps}],
                      [Finding("count", f"{n} units", True, n, n, n, 0, 0.01, n, "units")])

    def _work(self):
        with Path("work.log").open("a") as log:
            log.write("x")
        return 1

COMPONENT = Counting
'''


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "counting.py").write_text(COUNTING)
    monkeypatch.setattr(phosphene.probes, "__path__", [*phosphene.probes.__path__, str(folder)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def done(here: Path) -> int:
    return len((here / "work.log").read_text())


def test_it_prints_findings_and_where_the_page_lies(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert main(["probe", "counting", "--items", "3", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert "count    holds  3 units" in out
    assert err == ""
    (page,) = here.glob("runs/counting-ember-*/report.html")
    assert str(page.relative_to(here)) in out


def test_json_is_one_object(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert main(["probe", "counting", "--items", "2", "--out", "run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["findings"][0] | {"value": 2, "holds": True} == told["findings"][0]
    assert Path(told["report"]).exists()


def test_an_interrupted_run_goes_on(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    asked = ["probe", "counting", "--items", "3", "--out", "run", "--quiet"]
    (here / "stop").write_text("")
    assert main(asked) == 2
    assert not (here / "run" / "report.html").exists()
    (here / "stop").unlink()
    assert main(asked) == 0
    assert done(here) == 3
    assert main(asked) == 0
    assert done(here) == 3


def test_the_page_s_command_makes_the_same_run(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    asked = ["probe", "counting", "--items", "2", "--out", "run", "--split", "test", "--steps", "3"]
    asked += [
        "--field",
        "largest=4",
        "--field",
        "variety=0",
        "--with",
        "word='1'",
        "--dtype",
        "fp32",
    ]
    asked += ["--with", "stop=7", "--first-seed", "5", "--guidance", "1.5", "--size", "64"]
    assert main([*asked, "--quiet"]) == 0
    record = json.loads((here / "run" / "findings.json").read_text())
    before = (here / "run" / "work.json").read_text()
    assert record["settings"] == {"stop": 7, "word": "1"}
    program, *words = shlex.split(record["command"])
    assert program == "phosphene"
    assert main([*words, "--quiet"]) == 0
    assert done(here) == 2
    # Were a value lost on the way, the directory would be refused as another's.
    assert (here / "run" / "work.json").read_text() == before


def test_other_questions_get_other_directories(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    base = ["probe", "counting", "--items", "1", "--quiet"]
    extra = ([], ["--with", "word=b"], ["--steps", "2"], ["--field", "largest=4"], ["--batch", "2"])
    for more in extra:
        assert main([*base, *more]) == 0
    # The batch changes nothing.
    assert len(list(here.glob("runs/counting-ember-*"))) == len(extra) - 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["probe", "countin"], "did you mean counting"),
        (["probe", "counting", "--task", "equation"], "did you mean equations"),
        (["probe", "counting", "--field", "largst=4"], "did you mean largest"),
        (["probe", "counting", "--field", "largest"], "--field takes KEY=VALUE"),
        (["probe", "counting", "--with", "stp=1"], "did you mean stop"),
        (["probe", "counting", "--with", "stop=x"], "stop"),
        (["probe", "counting", "--with", "stop"], "--with takes KEY=VALUE"),
        (["probe", "counting", "--split", "val"], "train or test"),
        (["probe", "counting", "--items", "0"], "items must be at least 1"),
        (["probe", "counting", "--backbone", "embr"], "ember"),
        (["probe", "counting", "--dtype", "fp8"], "unknown dtype"),
        (["probe"], "NAME"),
    ],
)
def test_bad_input_gets_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    before = sorted(here.iterdir())
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert sorted(here.iterdir()) == before


def test_a_directory_of_other_work_is_refused(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    asked = ["probe", "counting", "--out", "run", "--quiet", "--items"]
    assert main([*asked, "1"]) == 0
    assert main([*asked, "2"]) == 2
    assert "choose another --out" in capsys.readouterr().err


def test_probes_are_listed_with_question_controls_and_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["ls", "probes", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert found["counting"]["asks"] == "How many units are done?"
    assert found["counting"]["settings"] == {"stop": "-1", "word": "'a'"}
    assert main(["ls", "probes"]) == 0
    out = capsys.readouterr().out
    assert all(row["asks"] in out and row["controls"] in out for row in found.values())


def test_what_is_listed_is_what_the_probes_say() -> None:
    for name in probes.names():
        kind = probes.get(name)
        assert issubclass(kind, Probe)
        assert is_dataclass(kind)
        row = _question(probes, name)
        assert (row["name"], row["asks"], row["controls"]) == (kind.name, kind.ASKS, kind.CONTROLS)
        assert list(row["settings"]) == [field.name for field in fields(kind)]
        assert row["asks"].endswith("?")
        assert row["controls"]


def test_python_says_the_same_and_writes_only_where_told(here: Path) -> None:
    setup = phosphene.Setup("equations", {"largest": 4}, items=2)
    found = phosphene.observe("counting", "ember", setup, {"word": "b"})
    assert found.table == [{"n": 2, "steps": None}]
    assert sorted(p.name for p in here.iterdir()) == ["plugins", "work.log"]
    again = phosphene.observe("counting", "ember", "equations", out=here / "run")
    assert again.table[0]["n"] == phosphene.Setup("equations").items
    assert (here / "run" / "report.html").exists()
