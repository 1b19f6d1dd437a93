"""How fast continuous thought is: batched against one by one, and against the reference's method.

    python benchmarks/minds.py [--backbone mind] [--repeats 7] [--questions 64] [--threads 1]
    python benchmarks/minds.py --random

One model, the same held-out questions, one process, the ways in turns in every repeat. Prints
questions a second and, as ratios of times within a repeat, the geometric mean with its 95 %
interval (Student's t of the logarithms). All ways must give the same answers, or it fails. On the
CPU seconds are the process's own, which other processes disturb least.

The reference's method is that of the authors' code (https://github.com/facebookresearch/coconut,
`Coconut.generate`), written anew: one question at a time, keys and values kept from thought to
thought, but the whole sequence read again for every token of the answer.

With --random: a decoder of random weights (llama, 2 layers of width 128), which never stops by
itself and says 8 tokens.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from math import exp, log, sqrt
from statistics import mean, stdev

import torch
from scipy.stats import t as student

from phosphene.minds.mind import Mind
from phosphene.minds.opening import open_mind
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.tasks.prosqa import ProsQA
from phosphene.minds.thinking import answer
from phosphene.testing.minds import tiny_mind

LIMIT = 8
BOUND = 5.0
Said = list[str]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def batched(mind: Mind, questions: Sequence[str], thoughts: int) -> Said:
    return answer(mind, mind.inputs(questions), "thoughts", thoughts, LIMIT).said


def one_by_one(mind: Mind, questions: Sequence[str], thoughts: int) -> Said:
    return [batched(mind, [q], thoughts)[0] for q in questions]


def reference(mind: Mind, questions: Sequence[str], thoughts: int) -> Said:
    return [_reference(mind, q, thoughts) for q in questions]


@torch.no_grad()
def _reference(mind: Mind, question: str, thoughts: int) -> str:
    table, head, decoder = (
        mind.model.get_input_embeddings(),
        mind.model.get_output_embeddings(),
        mind.model.base_model,
    )

    def embed(ids: list[int]) -> torch.Tensor:
        return table(torch.tensor([ids], device=mind.device))

    sequence = piece = embed([*mind.ids(question), *mind.mark("begin")])
    cache = None
    for _ in range(thoughts):
        out = decoder(inputs_embeds=piece, past_key_values=cache, use_cache=True)
        cache, piece = out.past_key_values, out.last_hidden_state[:, -1:]
        sequence = torch.cat([sequence, piece], 1)
    sequence = torch.cat([sequence, embed(mind.mark("end"))], 1)
    said: list[int] = []
    while len(said) < LIMIT:
        hidden = decoder(inputs_embeds=sequence, use_cache=False).last_hidden_state
        token = int(head(hidden)[0, -1].argmax())
        if token == mind.stop:
            break
        said.append(token)
        sequence = torch.cat([sequence, embed([token])], 1)
    return mind.tokenizer.decode(said)


def seconds(work: Callable[[], Said]) -> tuple[float, Said]:
    on_gpu = torch.cuda.is_available()
    clock = time.perf_counter if on_gpu else time.process_time
    begun = clock()
    said = work()
    if on_gpu:
        torch.cuda.synchronize()
    return clock() - begun, said


def interval(ratios: Sequence[float]) -> tuple[float, float, float]:
    """Geometric mean and its 95 % interval."""
    logs = [log(r) for r in ratios]
    reach = float(student.ppf(0.975, len(logs) - 1)) * stdev(logs) / sqrt(len(logs))
    return exp(mean(logs)), exp(mean(logs) - reach), exp(mean(logs) + reach)


def measure(mind: Mind, questions: Sequence[str], thoughts: int, repeats: int) -> int:
    """Print all ratios; returns 1 where answers differ or the batch is too slow."""
    ways = {"batched": batched, "one by one": one_by_one, "reference": reference}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, Said] = {}
    for repeat in range(repeats + 1):
        # Whichever comes later finds warmer caches, so they change places.
        for name in list(ways)[:: -1 if repeat % 2 else 1]:
            spent, said = seconds(lambda way=ways[name]: way(mind, questions, thoughts))
            answers[name] = said
            if repeat:  # the first warms up
                taken[name].append(spent)
    for name, spent in taken.items():
        value, low, high = interval([len(questions) / s for s in spent])
        say(f"  {name}: {value:.0f} [{low:.0f}, {high:.0f}] questions a second")
    slow = False
    for name in ("one by one", "reference"):
        value, low, high = interval(
            [b / a for a, b in zip(taken["batched"], taken[name], strict=True)]
        )
        slow |= low < BOUND
        say(
            f"  batched against {name}: {value:.1f} [{low:.1f}, {high:.1f}] times as fast, "
            f"n = {repeats} repeats; wanted at least {BOUND:.0f}"
        )
    same = [len({said[i] for said in answers.values()}) == 1 for i in range(len(questions))]
    say(f"  the same answers three times: {sum(same)} of {len(same)} questions")
    return int(slow or not all(same))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backbone", default="mind")
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    if told.repeats < 2:
        parser.error("an interval needs --repeats 2 or more")
    torch.set_num_threads(told.threads)
    task = ProsQA()
    mind = tiny_mind("llama", task, 2, 128, 4) if told.random else open_mind(told.backbone)
    subject = MindSubject(mind, MindSetup(items=told.questions))
    questions = [p.question for p in subject.problems]
    size = sum(p.numel() for p in mind.model.parameters())
    say(
        f"{mind.id}: {size / 1e6:.1f} million weights, {subject.thoughts} thoughts, "
        f"{subject.task.name}, batch {len(questions)}, {told.threads} thread(s)"
    )
    return measure(mind, questions, subject.thoughts, told.repeats)


if __name__ == "__main__":
    sys.exit(main())
