"""Asking: prompts put to a speaker in units that are never put twice; what each came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phosphene.minds.compliance.prompts import ACCEPT, CLOSE, DECLINE, OPEN, Prompt
from phosphene.minds.compliance.rules import decision, done, reasoning_of, reasons
from phosphene.minds.speaker import Chat, Message, Speaker
from phosphene.notebook import Notebook, batches

# One word as models write it; their probabilities are added.
SPELLED = tuple(f(word) for word in (ACCEPT, DECLINE) for f in (str.lower, str.title, str.upper))


@dataclass(frozen=True)
class Reply:
    """What came of a prompt.

    Args:
        prompt: that was put.
        said: all that was said.
        odds: log-odds (nats) of accept against decline; None where they can't be asked.
    """

    prompt: Prompt
    said: str
    odds: float | None

    @property
    def row(self) -> dict[str, Any]:
        """A row of the table."""
        prompt, query = self.prompt, self.prompt.query
        return {
            "query": query.name,
            "family": query.family,
            "stance": prompt.stance,
            "arm": prompt.arm if prompt.line is None else prompt.line,
            "wording": prompt.wording,
            "scratchpad": prompt.pad,
            "decision": decision(self.said),
            "odds": self.odds,
            "probability": self.probability,
            "done": done(query, self.said) if decision(self.said) == "accept" else None,
            **{f"speaks of {k}": v for k, v in reasons(self.said).items()},
            "said": self.said[:400],
        }

    @property
    def probability(self) -> float | None:
        """P(accept) among the two answers."""
        return None if self.odds is None else float(1 / (1 + np.exp(-self.odds)))


def ask(
    speaker: Speaker,
    prompts: Sequence[Prompt],
    book: Notebook,
    limit: int,
    batch: int,
    scored: bool,
) -> list[Reply]:
    """Replies to prompts, in order.

    Args:
        limit: most tokens of an answer.
        batch: prompts of a unit of work.
        scored: whether log-odds are asked for.
    """
    out: list[Reply] = []
    for some in batches(prompts, batch):
        key = " || ".join(prompt.key for prompt in some)
        words = f"{some[0].query.name} ... {some[-1].query.name}"
        unit = book.once(key, lambda some=some: _unit(speaker, some, limit, scored), words)
        out += [Reply(p, s, o) for p, s, o in zip(some, unit["said"], unit["odds"], strict=True)]
    return out


def units(prompts: Sequence[Prompt], batch: int) -> int:
    """How many units of work `ask` makes of prompts."""
    return -(-len(prompts) // batch)


def _unit(
    speaker: Speaker, some: Sequence[Prompt], limit: int, scored: bool
) -> Mapping[str, list[Any]]:
    chats = [prompt.chat for prompt in some]
    said = speaker.reply(chats, limit)
    if not scored:
        return {"said": said, "odds": [None] * len(said)}
    begun = [_begun(p, chat, text) for p, chat, text in zip(some, chats, said, strict=True)]
    found = speaker.score(begun, SPELLED)
    half = len(SPELLED) // 2
    either = [np.logaddexp.reduce(part, axis=1) for part in (found[:, :half], found[:, half:])]
    return {"said": said, "odds": (either[0] - either[1]).tolist()}


def _begun(prompt: Prompt, chat: Chat, said: str) -> Chat:
    """The conversation up to where the decision is said: behind the scratchpad, if there is one."""
    if not prompt.pad:
        return chat
    return (*chat, Message("assistant", f"{OPEN} {reasoning_of(said)} {CLOSE}"))
