"""Talking: a mind in conversation, by its tokenizer's chat template or in plain lines."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.mind import Mind
from phosphene.minds.speaker import Chat, Speaker
from phosphene.minds.thinking import State, fork, hear, say, start
from phosphene.notebook import batches


class Talking(Speaker):
    """A mind that is spoken to.

    Args:
        mind: the model.
        batch: most conversations in one pass.
    """

    scores = True

    def __init__(self, mind: Mind, batch: int = 32) -> None:
        self.mind = mind
        self.batch = batch
        self.id = mind.id
        self.fingerprint = mind.fingerprint

    @torch.no_grad()
    def reply(
        self, chats: Sequence[Chat], limit: int = 256, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        out: list[str] = []
        for some in batches(chats, self.batch):
            state = self.heard(some)
            if temperature > 0:
                draws = [_generator(chat, seed) for chat in some]
                rows = self._drawn(state, limit, temperature, draws)
            else:
                rows = say(self.mind, state, limit)
            out += [self._words(row) for row in rows]
        return out

    @torch.no_grad()
    def score(self, chats: Sequence[Chat], options: Sequence[str]) -> np.ndarray:
        lead = "" if self.templated else " "
        wanted = [self.mind.ids(lead + option) for option in options]
        if not all(wanted):
            raise PhospheneError(f"an option has no words: {list(options)}")
        found = [
            torch.stack([likelihood(self.mind, state, ids) for ids in wanted], 1)
            for state in map(self.heard, batches(chats, self.batch))
        ]
        return torch.cat(found).double().cpu().numpy()

    @property
    def templated(self) -> bool:
        """Whether the tokenizer has a chat template."""
        return bool(getattr(self.mind.tokenizer, "chat_template", None))

    def heard(self, chats: Sequence[Chat]) -> State:
        """The state after reading conversations, where the answer's next word is predicted."""
        return start(self.mind, self.inputs(chats), begin=False)

    def inputs(self, chats: Sequence[Chat]) -> dict[str, torch.Tensor]:
        """Conversations as a batch, padded on the left: what `heard` reads."""
        return self.mind.padded([self.mind.ids(self.text(chat)) for chat in chats])

    def text(self, chat: Chat) -> str:
        """A conversation as the model reads it, up to where it goes on.

        Raises:
            PhospheneError: the tokenizer's template refuses it.
        """
        if not chat:
            raise PhospheneError("a conversation needs a turn; say something")
        begun = chat[-1].role == "assistant"
        if not self.templated:
            lines = [f"{turn.role}: {turn.content}" for turn in chat]
            return "\n".join(lines if begun else [*lines, "assistant:"])
        turns: list[Any] = [{"role": turn.role, "content": turn.content} for turn in chat]
        way = {"continue_final_message": True} if begun else {"add_generation_prompt": True}
        try:
            return self.mind.tokenizer.apply_chat_template(turns, tokenize=False, **way)
        except Exception as error:  # templates are programs: they raise what they like
            raise PhospheneError(
                f"the chat template of {self.id} refuses this conversation: {error}"
            ) from error

    def _drawn(
        self, state: State, limit: int, temperature: float, draws: Sequence[torch.Generator]
    ) -> list[list[int]]:
        """As `say`, by chance; a row's draws are its own."""
        rows: list[list[int]] = [[] for _ in draws]
        going = set(range(len(rows)))
        for place in range(limit):
            odds = (state.logits.float() / temperature).softmax(-1).cpu()
            chosen = [int(p.multinomial(1, generator=g)) for p, g in zip(odds, draws, strict=True)]
            going -= {i for i in going if chosen[i] == self.mind.stop}
            for i in going:
                rows[i].append(chosen[i])
            if not going or place == limit - 1:
                break
            step = torch.tensor(chosen, device=self.mind.device)[:, None]
            state, _ = hear(self.mind, state, step)
        return rows

    def _words(self, row: Sequence[int]) -> str:
        return self.mind.tokenizer.decode(row, skip_special_tokens=True).strip()


def likelihood(mind: Mind, state: State, ids: Sequence[int]) -> torch.Tensor:
    """Log-probability (nats) that exactly these tokens follow, `(b,)`."""
    total = state.logits.float().log_softmax(-1)[:, ids[0]]
    if len(ids) == 1:
        return total
    given = torch.tensor(ids, device=mind.device).expand(len(total), -1)
    _, logits = hear(mind, fork(state), given[:, :-1])
    found = logits.float().log_softmax(-1).gather(-1, given[:, 1:, None])[..., 0]
    return total + found.sum(-1)


def _generator(chat: Chat, seed: int) -> torch.Generator:
    told = "\0".join(f"{turn.role}\0{turn.content}" for turn in chat)
    digest = hashlib.sha256(f"{seed}\0{told}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
