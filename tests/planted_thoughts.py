"""Minds whose thoughts hold what a test puts there: random weights, planted states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from phosphene.minds.mind import Mind
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.task import TextProblem, TextTask
from phosphene.testing.minds import tiny_mind

# The words that a place holds, in equal parts; None leaves what the weights make.
Plan = Callable[[TextProblem, int], Sequence[str] | None]


def planted(
    task: TextTask,
    plan: Plan,
    says: Callable[[TextProblem], str] | None = None,
    thoughts: int = 4,
    items: int = 64,
) -> MindSubject:
    """A subject whose residual stream behind the last layer holds, at each place, planned words.

    Args:
        plan: problem and place (0 ... thoughts) -> words.
        says: problem -> what is answered; what the weights say if None.
    """
    mind = tiny_mind("gpt2", task, thoughts=thoughts, width=64)
    subject = MindSubject(mind, MindSetup(items=items, batch=32))
    known: dict[tuple[int, ...], TextProblem] = {}
    begin = mind.mark("begin")

    def problem_of(ids: tuple[int, ...]) -> TextProblem:
        if not known:
            for split in ("test", "train"):
                for seed in range(1_000_000, 1_000_160):
                    dealt = task.sample(seed, split)
                    known[(*mind.ids(dealt.question), *begin)] = dealt
        return known[ids]

    here: dict[str, Any] = {"call": 0, "problems": []}

    def before(module: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        if kwargs.get("past_key_values") is not None:
            here["call"] += 1
            return
        rows = zip(kwargs["input_ids"].tolist(), kwargs["attention_mask"].tolist(), strict=True)
        told = [tuple(i for i, m in zip(*row, strict=True) if m) for row in rows]
        here.update(call=0, problems=[problem_of(ids) for ids in told])

    def after(module: Any, args: tuple, out: Any) -> Any:
        value = (out[0] if isinstance(out, tuple) else out).clone()
        for row, problem in enumerate(here["problems"]):
            words = _words(mind, problem, here["call"], thoughts, plan, says)
            if words is not None:
                ids = [mind.ids(word)[0] for word in words]
                value[row, -1] = 50 * mind.model.get_output_embeddings().weight[ids].mean(0)
        return (value, *out[1:]) if isinstance(out, tuple) else value

    mind.model.register_forward_pre_hook(before, with_kwargs=True)
    mind.model.transformer.h[-1].register_forward_hook(after)
    return subject


def _words(
    mind: Mind, problem: TextProblem, call: int, thoughts: int, plan: Plan, says: Any
) -> Sequence[str] | None:
    if call <= thoughts:
        return plan(problem, call)
    if says is None:
        return None
    spoken = [mind.manner.answer, says(problem), mind.tokenizer.eos_token]
    return [spoken[min(call - thoughts - 1, 2)]]


def hop(problem: TextProblem, place: int) -> list[str] | None:
    """The value that is due at a place: hop k at place k - 1, nothing behind the last."""
    values = list(problem.values.values())
    return [values[place]] if place < len(values) else None
