"""`phosphene think` as a user types it, on a tiny mind of random weights."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch

from phosphene.cli import main
from phosphene.minds.asking import ask
from phosphene.minds.mind import Manner, Mind
from phosphene.minds.opening import open_mind
from phosphene.minds.tasks.prosqa import ProsQA
from phosphene.minds.thinking import start, think
from phosphene.testing.minds import tiny_mind

TASK = ProsQA(nouns=14, hops=3)
QUESTION = "Every bolpus is a darpus. Tom is a bolpus. Is Tom a darpus or a felpus?"
Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("minds") / "tiny"
    mind = tiny_mind("gpt2", TASK, thoughts=2)
    mind.model.save_pretrained(path)
    mind.tokenizer.save_pretrained(path)
    mind.manner.save(path)
    return str(path)


@pytest.fixture
def speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is asked, the mind goes one step and names the first candidate."""

    def say(mind: Mind, state: object, limit: int) -> list[list[int]]:
        rows = len(state.hidden)  # type: ignore[attr-defined]
        return [mind.ids("bolpus darpus. ### darpus")[:limit]] * rows

    monkeypatch.setattr("phosphene.minds.thinking.say", say)


def refused(argv: list[str], capsys: Out) -> str:
    assert main(argv) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


@pytest.mark.usefixtures("speaks")
def test_the_answer_alone_is_said(tiny: str, capsys: Out) -> None:
    assert main(["think", QUESTION, "--backbone", tiny, "--thoughts", "6"]) == 0
    assert capsys.readouterr().out == "darpus\n"


@pytest.mark.usefixtures("speaks")
def test_show_prints_a_row_a_thought_with_what_the_head_reads(tiny: str, capsys: Out) -> None:
    assert main(["think", QUESTION, "--backbone", tiny, "--thoughts", "4", "--show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["thought", "reads", "1", "reads", "2", "reads", "3"]
    assert [line.split()[0] for line in lines[1:5]] == ["1", "2", "3", "4"]
    assert lines[5:] == ["bolpus darpus.", "darpus"]


@pytest.mark.usefixtures("speaks")
@pytest.mark.parametrize(("way", "said"), [("cot", "bolpus darpus."), ("pause", "no words")])
def test_show_of_other_ways(tiny: str, way: str, said: str, capsys: Out) -> None:
    assert main(["think", QUESTION, "--backbone", tiny, "--way", way, "--show"]) == 0
    assert said in capsys.readouterr().out


def test_what_is_read_is_the_head_on_each_thought(tiny: str) -> None:
    mind = open_mind(tiny)
    reply = ask(mind, [QUESTION], "thoughts", 2, limit=1)[0]
    with torch.no_grad():
        state = start(mind, mind.inputs([QUESTION]))
        # What is fed as a thought is the state whose logits were just read.
        for read in reply.thoughts:
            shares = state.logits[0].softmax(-1)
            best = shares.topk(3)
            assert [r.share for r in read] == pytest.approx(best.values.tolist(), abs=1e-5)
            assert [mind.ids(r.word)[0] for r in read] == best.indices.tolist()
            state = think(mind, state)


def test_batches_change_no_answer(tiny: str) -> None:
    mind = open_mind(tiny)
    questions = [TASK.sample(i).question for i in range(5)]
    whole = ask(mind, questions, "thoughts", 2, limit=4)
    assert [r.answer for r in ask(mind, questions, "thoughts", 2, limit=4, batch=2)] == [
        r.answer for r in whole
    ]
    assert [r.question for r in whole] == questions


@pytest.mark.usefixtures("speaks")
def test_a_dealt_question_is_judged(tiny: str, capsys: Out) -> None:
    seeds = {TASK.sample(s, "test").answer == "darpus": s for s in range(200)}
    for right, seed in seeds.items():
        assert main(["think", "--task", "prosqa", "--seed", str(seed), "--backbone", tiny]) == 0
        lines = capsys.readouterr().out.splitlines()
        problem = TASK.sample(seed, "test")
        assert lines[0] == problem.question
        assert lines[-1] == ("right" if right else f"wrong: it is {problem.answer}")
        assert main(["think", "--seed", str(seed), "--backbone", tiny, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)["answers"][0]
        assert (told["right"], told["wanted"]) == (right, problem.answer)
    assert len(seeds) == 2


@pytest.mark.usefixtures("speaks")
def test_questions_from_stdin_and_a_file(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{QUESTION}\n\nTom is a felpus.\n"))
    lines = tmp_path / "asked.txt"
    lines.write_text("Tom is a darpus.\n")
    argv = ["think", "-", "--file", str(lines), "--backbone", tiny, "--json"]
    assert main(argv) == 0
    told = json.loads(capsys.readouterr().out)
    asked = [a["question"] for a in told["answers"]]
    assert asked == [QUESTION, "Tom is a felpus.", "Tom is a darpus."]
    assert (told["way"], told["thoughts"]) == ("thoughts", 2)
    assert all(len(a["thoughts"]) == 2 for a in told["answers"])
    assert all(a["answer"] == "darpus" for a in told["answers"])


def test_mistakes_are_told_in_one_line(tiny: str, tmp_path: Path, capsys: Out) -> None:
    own = ["--backbone", tiny]
    err = refused(["think", "Is Tom a banana or a felpus?", *own], capsys)
    assert "'banana'" in err
    assert "felpus" in err
    assert "0 or more; got -1" in refused(["think", "tom?", "--thoughts", "-1", *own], capsys)
    assert "--way cot" not in refused(["think", *own], capsys)
    assert "not both" in refused(["think", "tom?", "--seed", "1", *own], capsys)
    assert "does nothing" in refused(
        ["think", "tom?", "--way", "cot", "--thoughts", "3", *own], capsys
    )
    assert "server" in refused(["think", "tom?", "--backbone", "openai:x"], capsys)
    assert "unknown text task" in refused(["think", "--task", "prosq", *own], capsys)
    assert "unknown option --thougths" in refused(["think", "tom?", "--thougths", *own], capsys)
    assert "--seed must be" in refused(["think", "--seed", "-4", *own], capsys)
    assert "--limit" in refused(["think", "tom?", "--limit", "0", *own], capsys)
    assert "none.txt" in refused(["think", "--file", str(tmp_path / "none.txt"), *own], capsys)
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    assert "no questions" in refused(["think", "--file", str(empty), *own], capsys)
    assert "empty" in refused(["think", " ", *own], capsys)


def test_a_mind_that_was_taught_nothing_needs_a_number_and_has_no_pause(
    tiny: str, tmp_path: Path, capsys: Out
) -> None:
    mind = open_mind(tiny)
    bare = tmp_path / "bare"
    mind.model.save_pretrained(bare)
    mind.tokenizer.save_pretrained(bare)
    Manner().save(bare)
    capsys.readouterr()
    own = ["--backbone", str(bare)]
    assert "add --thoughts N" in refused(["think", "tom?", "--way", "thoughts", *own], capsys)
    argv = ["think", "tom?", "--way", "pause", "--thoughts", "2", *own]
    assert "no pause mark" in refused(argv, capsys)
    assert "was taught no task" in refused(["think", "--seed", "1", *own], capsys)
    argv = ["think", "tom?", "--way", "thoughts", "--thoughts", "2", "--limit", "3", *own]
    assert main([*argv, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["answers"][0]
    assert (len(told["thoughts"]), told["steps"], told["tokens"]) == (2, "", 5)
