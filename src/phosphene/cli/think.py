"""`phosphene think`: put questions to a language model that may think before it speaks."""

from __future__ import annotations

import dataclasses
import re
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from phosphene.cli.console import say, say_json, say_table
from phosphene.cli.loading import Loading
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.minds.asking import Reply
    from phosphene.minds.mind import Mind
    from phosphene.minds.task import TextProblem, TextTask

_THINK = Parameter(group=Group("How to think", sort_key=1))
_DEAL = Parameter(group=Group("A dealt question", sort_key=1))
Way = Literal["thoughts", "cot", "pause", "none"]


@dataclass(frozen=True)
class ThinkOptions(Loading):
    """Flags of `phosphene think`.

    Args:
        backbone: mind, mind/NAME, a directory or hf:ID_OR_DIR; mind if not given.
        way: thoughts, continuous ones; cot, steps in words; pause, marks without content in the
            places of thoughts; none, the answer at once. What the mind was taught if not given.
        thoughts: number of thoughts or pauses; the mind's own if not given.
        limit: most words said; 64 if not given.
        task: deal a question of this text task; the one the mind was taught if not given.
        seed: deal the question of this seed.
        split: train, questions like those trained on, or test, held-out ones; test if not given.
    """

    backbone: Annotated[str | None, _THINK] = None
    way: Annotated[Way | None, _THINK] = None
    thoughts: Annotated[int | None, _THINK] = None
    limit: Annotated[int, _THINK] = 64
    task: Annotated[str | None, _DEAL] = None
    seed: Annotated[int | None, _DEAL] = None
    split: Annotated[Literal["train", "test"], _DEAL] = "test"

    def open(self) -> Mind:
        """The mind.

        Raises:
            PhospheneError: an endpoint, no such mind, a limit below 1.
        """
        from phosphene.minds.opening import open_mind

        if self.limit < 1:
            raise PhospheneError(f"--limit must be at least 1; got {self.limit}")
        return open_mind(dataclasses.replace(self, backbone=self.backbone or "mind").spec())


def think(
    # Else `-`, which stands for stdin, would be taken for a flag without a name.
    *question: Annotated[str, Parameter(allow_leading_hyphen=True)],
    options: Annotated[ThinkOptions, Parameter(name="*")] = ThinkOptions(),
    fields: Annotated[tuple[str, ...], _DEAL, Parameter(name="--field")] = (),
    file: Path | None = None,
    show: bool = False,
    json: bool = False,
) -> int:
    """Ask a language model, let it think in vectors, in words or not at all, and say its answer.

    Args:
        question: what is asked; several are answered together; - reads them from stdin, one a line.
        fields: KEY=VALUE, a field of the task; may be repeated.
        file: reads questions from a file, one a line.
        show: what was thought: the steps said, or the words that the language-model head reads in
            each thought, with their probabilities.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.config import assignments

    changes = assignments(fields, "--field")
    asked = _asked(question, file)
    dealing = options.task is not None or options.seed is not None
    if asked and (dealing or changes):
        raise PhospheneError("give questions, or --task and --seed to deal one; not both")
    if not asked and not dealing:
        raise PhospheneError("nothing is asked; write a question, or deal one with --seed 3")

    from phosphene.minds.asking import ask, manner_of

    # Some models print when they load; stdout is for the answers alone.
    with redirect_stdout(sys.stderr):
        mind = options.open()
        way, thoughts = manner_of(mind, options.way, options.thoughts)
        task, problem = _dealt(mind, options, changes) if dealing else (None, None)
        asked = asked if problem is None else [problem.question]
        replies = ask(mind, asked, way, thoughts, limit=options.limit)
    right = None if task is None or problem is None else task.right(problem, replies[0].answer)
    if json:
        say_json(_record(mind, way, thoughts, replies, problem, right))
        return 0
    for reply in replies:
        _tell(reply, way, show, problem is not None or len(replies) > 1)
    if problem is not None:
        say("right" if right else f"wrong: it is {problem.answer}")
    return 0


def _asked(question: tuple[str, ...], file: Path | None) -> list[str]:
    """All questions, those of files in the place of `-` and at the end."""
    asked: list[str] = []
    for one in question:
        if re.fullmatch(r"--?[a-zA-Z][\w-]*", one):
            raise PhospheneError(f"unknown option {one}; see phosphene think --help")
        asked += _lines(sys.stdin.read(), "stdin") if one == "-" else [one]
    if file is not None:
        try:
            asked += _lines(file.read_text(encoding="utf-8"), str(file))
        except (OSError, UnicodeDecodeError) as error:
            raise PhospheneError(f"can't read questions from {file}: {error}") from error
    return asked


def _lines(text: str, where: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise PhospheneError(f"{where} holds no questions; write one a line")
    return lines


def _dealt(
    mind: Mind, options: ThinkOptions, fields: dict[str, Any]
) -> tuple[TextTask, TextProblem]:
    from phosphene.minds.subject import MindSetup, MindSubject

    seed = options.seed or 0
    if seed < 0:
        raise PhospheneError(f"--seed must be 0 or more; got {seed}")
    setup = MindSetup(options.task or "", fields, 1, options.split, seed)
    subject = MindSubject(mind, setup)
    return subject.task, subject.problems[0]


def _record(
    mind: Mind,
    way: str,
    thoughts: int,
    replies: list[Reply],
    problem: TextProblem | None,
    right: bool | None,
) -> dict[str, Any]:
    answers = [asdict(reply) for reply in replies]
    if problem is not None:
        answers[0] |= {"task": problem.task, "wanted": problem.answer, "right": right}
    return {"backbone": mind.id, "way": way, "thoughts": thoughts, "answers": answers}


def _tell(reply: Reply, way: str, show: bool, name: bool) -> None:
    """The answer, below its question where that isn't plain."""
    if name:
        say(reply.question)
    if show:
        _show(reply, way)
    say(reply.answer)


def _show(reply: Reply, way: str) -> None:
    if reply.thoughts:
        width = len(reply.thoughts[0])
        say_table(
            [
                ("thought", *(f"reads {i}" for i in range(1, width + 1))),
                *(
                    (number, *(f"{r.word} {r.share:.2f}" for r in read))
                    for number, read in enumerate(reply.thoughts, 1)
                ),
            ]
        )
    elif way in ("pause", "none"):
        say("(nothing to show: " + ("pauses hold no words)" if way == "pause" else "no thoughts)"))
    if reply.steps:
        say(reply.steps)
