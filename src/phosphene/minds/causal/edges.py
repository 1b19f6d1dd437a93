"""Edges: how one thought acts on a later one, and on the answer, in all and directly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.causal.chain import Chain, decide, follow, opened, put
from phosphene.minds.causal.changes import jolted
from phosphene.minds.causal.stakes import stakes, value_stakes
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.thinking import State, fork, think

ARMS = ("twin", "random")
WAYS = ("in all", "directly")


def graft(into: State, source: State, position: int) -> State:
    """A state whose keys and values at one position are another's: what is read from there changes,
    and nothing else.

    Args:
        position: in the columns of the masks.

    Raises:
        PhospheneError: a layer that doesn't keep keys and values of every position.
    """
    out = fork(into)
    for mine, other in zip(out.cache.layers, source.cache.layers, strict=True):
        for name in ("keys", "values"):
            held, given = getattr(mine, name, None), getattr(other, name, None)
            if held is None or given is None or held.shape[2] != into.mask.shape[1]:
                raise PhospheneError(
                    "a layer of this model keeps no keys and values of all positions, so that "
                    "direct influence can't be told; ask bad_step instead"
                )
            held = held.clone()
            held[:, :, position] = given[:, :, position]
            setattr(mine, name, held)
    return out


@torch.no_grad()
def edges(subject: MindSubject, problems: Sequence[TextProblem]) -> dict[str, np.ndarray]:
    """W_ij for a batch: what do(thought i) does at thought j > i, and at the answer.

    The direct way feeds all other thoughts as they were and changes the keys and values of thought
    i for that one reader.

    Returns:
        `right` `(b,)`, undisturbed;
        `kl` (nats, of the clean next-word distribution from the changed one) and `lost` (lead of
        the intermediate that thought j stands for, or of the answer), each
        `(b, arms, ways, thoughts, thoughts + 1)`, nan where there is no edge; the last column is
        the answer.
    """
    count = subject.thoughts
    begin = opened(subject, problems)
    clean = follow(subject, begin)
    twin = follow(subject, opened(subject, [subject.task.twin(p) for p in problems]))
    states = _states(subject, begin, clean)
    measures = [value_stakes(subject, problems, j)[0] for j in range(count)]
    measures.append(stakes(subject, problems))
    plain = [*clean.read, clean.answer]
    shape = (len(problems), len(ARMS), len(WAYS), count, count + 1)
    out = {name: np.full(shape, np.nan) for name in ("kl", "lost")}
    out["right"] = measures[-1].right(clean.answer).cpu().numpy()
    changes = (twin.fed, jolted(clean.fed, twin.fed, problems))
    for a, values in enumerate(changes):
        for i in range(count):
            whole = follow(subject, begin, put({i: values[i]}))
            one = think(subject.mind, fork(states[i]), values[i])
            ways = (
                [*whole.read, whole.answer],
                _directly(subject, states, clean, one, i),
            )
            for w, seen in enumerate(ways):
                for j in range(i + 1, count + 1):
                    at = (slice(None), a, w, i, j)
                    out["kl"][at] = _divergence(plain[j], seen[j])
                    gap = measures[j].lead(plain[j]) - measures[j].lead(seen[j])
                    out["lost"][at] = gap.float().cpu().numpy()
    return out


def _states(subject: MindSubject, begin: State, clean: Chain) -> list[State]:
    """The undisturbed run before each thought, and after the last."""
    states = [begin]
    for fed in clean.fed:
        states.append(think(subject.mind, fork(states[-1]), fed))
    return states


def _directly(
    subject: MindSubject, states: Sequence[State], clean: Chain, one: State, i: int
) -> list[torch.Tensor]:
    """Logits that each later thought is taken from, and the answer's, by the direct way alone.

    Args:
        one: the state behind the changed thought i.
    """
    place = one.mask.shape[1] - 1
    out = [s.logits for s in states[: i + 1]]
    for j in range(i + 1, len(clean.fed)):
        if j == i + 1:
            out.append(one.logits)
            continue
        changed = graft(states[j - 1], one, place)
        out.append(think(subject.mind, changed, clean.fed[j - 1]).logits)
    return [*out, decide(subject.mind, graft(states[-1], one, place))]


def _divergence(clean: torch.Tensor, changed: torch.Tensor) -> np.ndarray:
    """KL(clean || changed) of next words, nats, `(b,)`."""
    p, q = clean.float().log_softmax(-1), changed.float().log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).cpu().numpy()
