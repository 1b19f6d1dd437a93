"""Speaker: a language model that can only be spoken to, whether its weights are here or not."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Message:
    """One turn: who speaks, and what."""

    role: Literal["system", "user", "assistant"]
    content: str


Chat = tuple[Message, ...]


class Speaker(abc.ABC):
    """A language model in conversation. `Talking` wraps a mind, `Endpoint` a server.

    Class attributes:
        scores: whether `score` can be asked.
    """

    id: str
    fingerprint: str
    scores: bool

    @abc.abstractmethod
    def reply(
        self, chats: Sequence[Chat], limit: int = 256, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """What is said to each chat.

        Args:
            chats: conversations that end with a user's turn, or with the beginning of an answer.
            limit: most tokens.
            temperature: 0 for the likeliest words.
            seed: of sampling; an answer depends on (seed, chat) alone where the model allows it.

        Raises:
            PhospheneError: a server that fails or refuses; says what it answered.
        """

    @abc.abstractmethod
    def score(self, chats: Sequence[Chat], options: Sequence[str]) -> np.ndarray:
        """Log-probability (nats) of each option as the answer: `(chats, options)`.

        Raises:
            PhospheneError: a server that tells no probabilities.
        """
