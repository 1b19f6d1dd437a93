"""Asking: questions in, answers out, with the words that the head reads in every thought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from phosphene.errors import PhospheneError
from phosphene.minds.mind import Mind, Way
from phosphene.minds.thinking import Answered, answer
from phosphene.notebook import batches

WITH_THOUGHTS: tuple[Way, ...] = ("thoughts", "pause")


@dataclass(frozen=True)
class Reading:
    """A word and the probability (0..1) that the head gives it."""

    word: str
    share: float


@dataclass(frozen=True)
class Reply:
    """What came of one question.

    Args:
        question: as it was asked.
        answer: what was said after the answer mark.
        steps: what was said before it; empty where there is no mark.
        tokens: how many tokens and thoughts it took.
        thoughts: for each continuous thought the likeliest words, likeliest first.
    """

    question: str
    answer: str
    steps: str
    tokens: int
    thoughts: list[list[Reading]] = field(default_factory=list)


def manner_of(mind: Mind, way: Way | None, thoughts: int | None) -> tuple[Way, int]:
    """The way of thinking and the number of thoughts, those not given being the mind's own.

    Raises:
        PhospheneError: a negative number; thoughts for a way that has none; no number for a way
            that needs one, where the mind has none of its own.
    """
    own = mind.manner
    chosen: Way = own.way if way is None else way
    if thoughts is not None and thoughts < 0:
        raise PhospheneError(f"--thoughts must be 0 or more; got {thoughts}")
    if chosen in WITH_THOUGHTS:
        if thoughts is None and own.way not in WITH_THOUGHTS:
            raise PhospheneError(
                f"{mind.id} has no number of thoughts of its own; add --thoughts N"
            )
        return chosen, own.thoughts if thoughts is None else thoughts
    if thoughts:
        raise PhospheneError(
            f"--thoughts {thoughts} does nothing when {mind.id} answers by way of {chosen}; "
            f"add --way thoughts or --way pause, or leave it out"
        )
    return chosen, 0


def check_words(mind: Mind, questions: Sequence[str]) -> None:
    """Refuse what a mind of few words can't read.

    Raises:
        PhospheneError: a word outside the vocabulary; names it and the words known.
    """
    tokens = mind.tokenizer
    if tokens.unk_token_id is None:
        return
    for question in questions:
        ids = mind.ids(question)
        if tokens.unk_token_id not in ids:
            continue
        place = ids.index(tokens.unk_token_id)
        start, stop = tokens(question, add_special_tokens=False, return_offsets_mapping=True)[
            "offset_mapping"
        ][place]
        known = sorted(set(tokens.get_vocab()) - set(tokens.all_special_tokens))
        listed = f"{', '.join(known[:60])}{', ...' if len(known) > 60 else ''}"
        raise PhospheneError(
            f"{mind.id} doesn't know the word {question[start:stop]!r}; it knows {listed}"
        )


def ask(
    mind: Mind,
    questions: Sequence[str],
    way: Way,
    thoughts: int,
    *,
    limit: int = 64,
    top: int = 3,
    batch: int = 64,
) -> list[Reply]:
    """Answers to all questions, in order.

    Args:
        thoughts: how many thoughts or pauses.
        limit: most tokens said.
        top: how many words are read in a thought.
        batch: most questions in one pass.

    Raises:
        PhospheneError: an empty question, an unknown word, a way the mind doesn't know.
    """
    check_words(mind, questions)
    replies: list[Reply] = []
    for some in batches(questions, batch):
        got = answer(mind, mind.inputs(some), way, thoughts, limit)
        read = _read(mind, got, top)
        replies += [_reply(mind, q, got, i, read) for i, q in enumerate(some)]
    return replies


def _reply(
    mind: Mind, question: str, got: Answered, row: int, read: list[list[list[Reading]]]
) -> Reply:
    mark = mind.manner.answer
    steps = got.said[row].rpartition(mark)[0].strip() if mark else ""
    return Reply(question, got.answers[row], steps, got.tokens[row], [one[row] for one in read])


@torch.no_grad()
def _read(mind: Mind, got: Answered, top: int) -> list[list[list[Reading]]]:
    """Thought x question x likeliest words: each thought through the language-model head."""
    head, tokens = mind.model.get_output_embeddings(), mind.tokenizer
    out = []
    for thought in got.state.thoughts:
        shares = head(thought).float().softmax(-1).topk(top, -1)
        rows = zip(shares.indices.tolist(), shares.values.tolist(), strict=True)
        out.append(
            [
                [Reading(tokens.decode([i]).strip(), p) for i, p in zip(ids, ps, strict=True)]
                for ids, ps in rows
            ]
        )
    return out
