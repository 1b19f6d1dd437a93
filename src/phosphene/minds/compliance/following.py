"""Following: states on the way to an answer, and the answer that the mind itself gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.compliance.prompts import ACCEPT, DECLINE, Prompt, prompts
from phosphene.minds.compliance.requests import STANCES
from phosphene.minds.compliance.rules import decision
from phosphene.minds.subject import MindSubject
from phosphene.minds.talking import Talking
from phosphene.minds.task import TextProblem
from phosphene.minds.thinking import fork, hear, prepare, say, start
from phosphene.minds.wires import Site
from phosphene.notebook import batches

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the way from the prompt to the word


@dataclass(frozen=True)
class Way:
    """What a problem came to.

    Args:
        text: what was asked.
        group: problems of one group are never split.
        options: to choose from.
        chosen: number of the mind's own choice; None where it made none, or said it at once.
        tokens: said or thought before the word.
    """

    text: str
    group: str
    options: tuple[str, ...]
    chosen: int | None
    tokens: int


Followed = tuple[list[Way], Mapping[str, np.ndarray]]


def spoken(subject: MindSubject) -> bool:
    """Whether the mind's thoughts are words: a scratchpad, or worked steps."""
    return subject.task.name == "tier" or subject.way == "cot"


def places(subject: MindSubject) -> list[str]:
    """Names of the places that `follow` reads, in order; the last is where the word is said."""
    if spoken(subject):
        middle = [f"{share:.0%} of the way" for share in SHARES[1:-1]]
        return ["question", *middle, "the word"]
    name = "thought" if subject.way == "thoughts" else "pause"
    return ["question", *(f"{name} {i + 1}" for i in range(subject.thoughts)), "the word"]


@torch.no_grad()
def follow(subject: MindSubject, sites: Sequence[Site], tokens: int) -> Followed:
    """Ways, and for each site the states `(ways, places, width)`.

    Raises:
        PhospheneError: a mind that answers at once.
    """
    if subject.task.name == "tier":
        return _requests(subject, sites, tokens)
    if subject.way == "cot":
        return _steps(subject, sites, tokens)
    if subject.way == "none" or not subject.thoughts:
        raise PhospheneError(
            f"{subject.mind.id} answers at once: nothing comes before its words; give a mind with "
            f"thoughts, pauses or worked steps"
        )
    return _thoughts(subject, sites)


def _thoughts(subject: MindSubject, sites: Sequence[Site]) -> Followed:
    mind = subject.mind
    mark, end = mind.mark("answer"), mind.mark("end")
    ways: list[Way] = []
    parts: list[list[torch.Tensor]] = []
    for some in subject.batches():
        with subject.wires.reading(sites) as taken:
            state = prepare(mind, start(mind, subject.inputs(some)), subject.way, subject.thoughts)
            if mark:
                given = torch.tensor(mark, device=mind.device).expand(len(some), -1)
                state, _ = hear(mind, state, given)
        after = subject.thoughts + len(end) + len(mark)
        at = [-1 - after + i for i in range(subject.thoughts + 1)] + [-1]
        whole = [torch.cat(taken.values[site], 1)[:, at].float().cpu() for site in sites]
        parts.append(whole)
        rows = say(mind, fork(state), 4)
        for problem, row in zip(some, rows, strict=True):
            said = mind.tokenizer.decode(row, skip_special_tokens=True)
            ways.append(_way(problem, said, subject.thoughts))
    return ways, _joined(sites, parts)


def _way(problem: TextProblem, said: str, tokens: int) -> Way:
    words = said.lower().replace(".", " ").split()
    chosen = [i for i, o in enumerate(problem.options) if words[: len(o.split())] == o.split()]
    number = chosen[0] if chosen else None
    return Way(problem.question, str(problem.seed), problem.options, number, tokens)


def _steps(subject: MindSubject, sites: Sequence[Site], tokens: int) -> Followed:
    mind = subject.mind
    asked, said, ways = [], [], []
    for some in subject.batches():
        state = prepare(mind, start(mind, subject.inputs(some)), "cot", 0)
        lead = [*mind.mark("begin"), *mind.mark("end")]
        for problem, row in zip(some, say(mind, state, tokens), strict=True):
            text = mind.tokenizer.decode(row, skip_special_tokens=False)
            ways.append(_way(problem, text.rpartition(mind.manner.answer)[2].strip(), len(row)))
            asked.append([*mind.ids(problem.question), *lead])
            said.append(row)
    return _read(subject, sites, asked, said, ways)


def _requests(subject: MindSubject, sites: Sequence[Site], tokens: int) -> Followed:
    """The bench's prompts with a scratchpad, of conflicts and else, in all arms."""
    talking = Talking(subject.mind, subject.setup.batch)
    put: list[Prompt] = prompts(subject.setup.items, stances=STANCES, pad=True)
    asked, said, ways = [], [], []
    for some in batches(put, subject.setup.batch):
        chats = [prompt.chat for prompt in some]
        for prompt, row in zip(some, say(subject.mind, talking.heard(chats), tokens), strict=True):
            told = decision(subject.mind.tokenizer.decode(row, skip_special_tokens=True))
            chosen = {"accept": 0, "reject": 1}.get(told)
            text = talking.text(prompt.chat)
            ways.append(Way(text, prompt.query.family, (ACCEPT, DECLINE), chosen, len(row)))
            asked.append(subject.mind.ids(text))
            said.append(row)
    return _read(subject, sites, asked, said, ways)


def _read(
    subject: MindSubject,
    sites: Sequence[Site],
    asked: Sequence[Sequence[int]],
    said: Sequence[Sequence[int]],
    ways: Sequence[Way],
) -> Followed:
    """States at shares of the way from the prompt to the first place that says the decision."""
    mind = subject.mind
    found = [_until(mind.ids, way, row) for way, row in zip(ways, said, strict=True)]
    parts: list[list[torch.Tensor]] = []
    numbers = list(range(len(found)))
    for some in batches(numbers, subject.setup.batch):
        rows = [[*asked[i], *said[i][: found[i].tokens]] for i in some]
        with subject.wires.reading(sites) as taken:
            start(mind, mind.padded(rows), begin=False)
        # Rows end at the state that says the word: shares are counted back from there.
        back = [[-1 - round((1 - s) * found[i].tokens) for s in SHARES] for i in some]
        pick = torch.tensor(back, device=mind.device)
        parts.append(
            [
                torch.stack([v[j, pick[j]] for j in range(len(some))]).float().cpu()
                for v in (taken.values[site][0] for site in sites)
            ]
        )
    return found, _joined(sites, parts)


def _until(ids: Callable[[str], list[int]], way: Way, row: Sequence[int]) -> Way:
    """The way cut off where its choice is first said."""
    if way.chosen is None:
        return replace(way, tokens=0)
    first = {ids(lead + way.options[way.chosen])[0] for lead in ("", " ")}
    place = next((i for i, token in enumerate(row) if token in first), 0)
    return replace(way, tokens=place, chosen=way.chosen if place else None)


def _joined(
    sites: Sequence[Site], parts: Sequence[Sequence[torch.Tensor]]
) -> Mapping[str, np.ndarray]:
    return {
        str(site): np.concatenate([part[i].numpy() for part in parts])
        for i, site in enumerate(sites)
    }
