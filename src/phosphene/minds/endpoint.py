"""Endpoint: a language model behind a server that speaks OpenAI's protocol of completions."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.speaker import Chat, Speaker

PREFIX = "openai:"
AGAIN = (408, 409, 425, 429, 500, 502, 503, 504)  # statuses that pass
TOP = 20  # alternatives that a server is asked for at a place
FLOOR = 1e-6  # probability of an option that is not among them, at most


@dataclass(eq=False)
class Endpoint(Speaker):
    """A model on a server.

    Args:
        base: address up to and with the version, e.g. `http://localhost:8000/v1`.
        model: as the server calls it.
        key: sent as bearer token; that of the environment's `OPENAI_API_KEY` if None.
        timeout: seconds of one request.
        attempts: most requests for one answer.
        wait: seconds before the second, doubled each time.
        together: requests on their way at once.
        sleep: how to wait.
    """

    base: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 120.0
    attempts: int = 5
    wait: float = 1.0
    together: int = 8
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if min(self.attempts, self.together) < 1 or self.timeout <= 0 or self.wait < 0:
            raise PhospheneError(
                "an endpoint needs attempts and together >= 1, timeout > 0 and wait >= 0"
            )
        self.base = self.base.rstrip("/")
        self.id = f"{PREFIX}{self.base}#{self.model}"
        # The weights can't be seen: a server may change them under the same name.
        self.fingerprint = hashlib.sha256(self.id.encode()).hexdigest()[:12]

    @classmethod
    def named(cls, id: str) -> Endpoint:
        """The endpoint of `openai:http://HOST:PORT/v1#MODEL`.

        Raises:
            PhospheneError: an address that can't be read.
        """
        base, _, model = id.removeprefix(PREFIX).partition("#")
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.netloc or not model:
            raise PhospheneError(f"can't read {id!r}; write openai:http://HOST:PORT/v1#MODEL")
        return cls(base, model)

    @cached_property
    def scores(self) -> bool:  # type: ignore[override]
        """Whether the server tells probabilities; asked once.

        Raises:
            PhospheneError: the server can't be reached, or knows no such model.
        """
        try:
            return bool(_places(self._call([{"role": "user", "content": "hi"}], 1, top=TOP)))
        except _Refused:
            return False

    def reply(
        self, chats: Sequence[Chat], limit: int = 256, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        return [_text(a) for a in self._calls(chats, limit, temperature, seed)]

    def score(self, chats: Sequence[Chat], options: Sequence[str]) -> np.ndarray:
        """Log-probability of each option's beginning as the first word of an answer.

        A server tells the likeliest tokens of a place only: an option is given the sum over those
        that begin it, and one that none begins the least that was told, or less.
        """
        if not self.scores:
            raise PhospheneError(
                f"{self.id} tells no probabilities; read its answers by rule, or open the model "
                f"with hf:ID_OR_DIR"
            )
        rows = []
        for answer in self._calls(chats, 1, top=TOP):
            told = _places(answer)
            if not told:
                raise PhospheneError(f"{self.id} told no probabilities for an answer; ask again")
            rows.append([_first(told[0], option) for option in options])
        return np.array(rows)

    def _calls(self, chats: Sequence[Chat], *args: Any, **more: Any) -> list[dict[str, Any]]:
        """Answers in the order of the chats, several asked for at once."""
        with ThreadPoolExecutor(self.together) as pool:
            return list(pool.map(lambda chat: self._call(_turns(chat), *args, **more), chats))

    def _call(
        self,
        turns: list[dict[str, str]],
        limit: int,
        temperature: float = 0.0,
        seed: int = 0,
        top: int = 0,
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": turns,
            "max_tokens": limit,
            "temperature": temperature,
            "seed": seed,
        }
        if turns[-1]["role"] == "assistant":
            # vLLM's names for going on with an answer that has begun.
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        if top:
            body |= {"logprobs": True, "top_logprobs": top}
        return self._post(body)

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        """One answer; tried again where the trouble may pass."""
        why = ""
        for attempt in range(self.attempts):
            if attempt:
                self.sleep(self.wait * 2 ** (attempt - 1))
            try:
                return self._once(body)
            except _Passing as error:
                why = str(error)
        raise PhospheneError(
            f"{self.id} failed {self.attempts} times: {why}; run the same command again to go on"
        )

    def _once(self, body: dict[str, Any]) -> dict[str, Any]:
        key = os.environ.get("OPENAI_API_KEY") if self.key is None else self.key
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        request = urllib.request.Request(
            f"{self.base}/chat/completions", json.dumps(body).encode(), headers
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                raw = answer.read()
        except urllib.error.HTTPError as error:
            said = _said(error.read(2000))
            if error.code in AGAIN:
                raise _Passing(f"status {error.code}, {said}") from error
            if error.code in (401, 403):
                raise PhospheneError(
                    f"{self.id} wants another key (status {error.code}); set OPENAI_API_KEY"
                ) from error
            raise _Refused(f"{self.id} refuses (status {error.code}): {said}") from error
        except (OSError, HTTPException) as error:  # no server, a time-out, a line cut
            raise _Passing(str(getattr(error, "reason", error)) or type(error).__name__) from error
        try:
            found = json.loads(raw)
        except ValueError as error:
            raise _Passing(f"no JSON but {raw[:80]!r}") from error
        if not isinstance(found, dict) or not found.get("choices"):
            raise PhospheneError(f"{self.id} gave no choices: {_said(raw)}")
        return found


class _Passing(Exception):
    """A trouble that may be gone the next time."""


class _Refused(PhospheneError):
    """The server understood, and will not."""


def _turns(chat: Chat) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in chat]


def _text(answer: dict[str, Any]) -> str:
    message = answer["choices"][0].get("message") or {}
    return str(message.get("content") or "").strip()


def _said(raw: bytes) -> str:
    """What a server says of an error, on one line."""
    text = raw.decode("utf-8", "replace")
    try:
        found = json.loads(text)
        error = found.get("error", found) if isinstance(found, dict) else found
        text = error.get("message", text) if isinstance(error, dict) else str(error)
    except ValueError:
        pass
    return " ".join(str(text).split())[:200] or "no reason given"


def _places(answer: dict[str, Any]) -> list[list[tuple[str, float]]]:
    """The alternatives told at each place: token and log-probability."""
    content = (answer["choices"][0].get("logprobs") or {}).get("content") or []
    return [
        [(str(x["token"]), float(x["logprob"])) for x in place.get("top_logprobs") or [place]]
        for place in content
    ]


def _first(told: Sequence[tuple[str, float]], option: str) -> float:
    """Log of the summed probability of the tokens that begin an option, letter by letter."""
    here = [p for token, p in told if len(token.strip()) > 1 and option.startswith(token.strip())]
    if here:
        return float(np.logaddexp.reduce(here))
    return min(math.log(FLOOR), min(p for _, p in told))
