"""Continuous thought: the last hidden state fed back as the next input embedding.

    h_0 = f(question <begin>),   e_{t+1} = h_t,   h_{t+1} = f(question <begin> e_1 .. e_{t+1})

with h the state that the language-model head reads, after the final norm. Batched, with one
key-value cache: a thought costs one position, not the whole sequence again. `start`, `think`,
`hear` and `say` extend the cache of the state they are given, which must not be used afterwards;
`fork` first to go on from it twice.

References:
    Training Large Language Models to Reason in a Continuous Latent Space (Hao et al., 2024),
    https://arxiv.org/abs/2412.06769
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from phosphene.errors import PhospheneError
from phosphene.minds.mind import Mind, Way
from phosphene.minds.positions import picture_positions

Edit = Callable[[int, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class State:
    """Where a batch stands: all that was read and thought so far is in the cache.

    Args:
        cache: keys and values of every layer.
        mask: `(b, n)`, 1 where a position holds something.
        hidden: `(b, d)`, the state that the head reads at the last position: the next thought.
        logits: `(b, vocabulary)`, what would be said next.
        thoughts: the inputs fed back so far, `(b, d)` each.
        shift: `(b, 1)`, what is added to the count of positions behind a picture; None for 0.
    """

    cache: Any
    mask: torch.Tensor
    hidden: torch.Tensor
    logits: torch.Tensor
    thoughts: tuple[torch.Tensor, ...] = ()
    shift: torch.Tensor | None = None


def start(mind: Mind, inputs: Mapping[str, torch.Tensor], begin: bool = True) -> State:
    """Read the questions, and the mark that thoughts begin after.

    Args:
        inputs: as `Mind.inputs` or `Mind.padded` make them: padded on the left.
        begin: whether the mark is added; models that know none get none.
    """
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    extra = {k: v for k, v in inputs.items() if k not in ("input_ids", "attention_mask")}
    mark = mind.mark("begin") if begin else []
    if mark:
        # What a processor says of each token, e.g. which ones are a picture's, it says of marks.
        told = {k: v for k, v in extra.items() if v.shape == ids.shape}
        extra |= {k: torch.cat([v, v.new_zeros(len(v), len(mark))], 1) for k, v in told.items()}
        ids = torch.cat([ids, ids.new_tensor(mark).expand(len(ids), -1)], 1)
        mask = torch.cat([mask, mask.new_ones(len(mask), len(mark))], 1)
    placed = picture_positions(mind.model, {"input_ids": ids, "attention_mask": mask, **extra})
    if placed is None:
        return _forward(mind, None, mask, mask, last=True, input_ids=ids, **extra)[0]
    extra["position_ids"] = placed[0]
    state = _forward(mind, None, mask, mask, last=True, input_ids=ids, **extra)[0]
    return replace(state, shift=placed[1])


def think(mind: Mind, state: State, thought: torch.Tensor | None = None) -> State:
    """One thought more.

    Args:
        thought: `(b, d)` fed in place of the state's own; what a do-intervention sets.
    """
    given = state.hidden if thought is None else thought
    held = torch.cat([state.mask, state.mask.new_ones(len(given), 1)], 1)
    new = _forward(mind, state, held, held[:, -1:], last=True, inputs_embeds=given[:, None])[0]
    return replace(new, thoughts=(*state.thoughts, given))


def hear(
    mind: Mind, state: State, ids: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[State, torch.Tensor]:
    """Read given tokens; returns also the logits `(b, m, vocabulary)` after each of them.

    Args:
        ids: `(b, m)`, padded on the right.
        mask: `(b, m)`; all ones if None. The returned state goes on from the last column.
    """
    here = torch.ones_like(ids) if mask is None else mask
    held = torch.cat([state.mask, here], 1)
    return _forward(mind, state, held, here, last=False, input_ids=ids)


@torch.no_grad()
def say(mind: Mind, state: State, limit: int) -> list[list[int]]:
    """Greedy decoding: token ids said from here on, without the one that stops.

    Args:
        limit: most tokens.
    """
    said: list[list[int]] = [[] for _ in range(len(state.hidden))]
    going = torch.ones(len(said), dtype=torch.bool, device=state.hidden.device)
    for place in range(limit):
        chosen = state.logits.argmax(-1)
        if mind.stop is not None:
            going = going & (chosen != mind.stop)
        for i in going.nonzero().flatten().tolist():
            said[i].append(int(chosen[i]))
        if not going.any() or place == limit - 1:
            break
        state, _ = hear(mind, state, chosen[:, None])
    return said


def fork(state: State) -> State:
    """A state that can be gone on from while the first one stays."""
    return replace(state, cache=copy.deepcopy(state.cache))


def think_through(mind: Mind, state: State, thoughts: int, edit: Edit | None = None) -> State:
    """`thoughts` thoughts one after the other.

    Args:
        edit: handed each thought's number (0 ...) and value `(b, d)`; gives what is fed instead.
    """
    for number in range(thoughts):
        given = state.hidden if edit is None else edit(number, state.hidden)
        state = think(mind, state, given)
    return state


def prepare(mind: Mind, state: State, way: Way, count: int, edit: Edit | None = None) -> State:
    """All that comes between the question and what is said: thoughts or pauses, and the end mark.

    Raises:
        PhospheneError: pauses asked of a model that knows no mark for them.
    """
    rows = len(state.hidden)
    if way == "thoughts":
        state = think_through(mind, state, count, edit)
    elif way == "pause":
        mark = mind.mark("pause")
        if not mark:
            raise PhospheneError(f"{mind.id} knows no pause mark; use --way thoughts, cot or none")
        if count:
            state, _ = hear(mind, state, _rows(mind, mark * count, rows))
    end = mind.mark("end")
    if end:
        state, _ = hear(mind, state, _rows(mind, end, rows))
    return state


@dataclass(frozen=True)
class Answered:
    """What came of a batch.

    Args:
        said: everything said after the thoughts, in words.
        answers: what was said after the answer mark; all that was said where there is no mark.
        tokens: how many tokens and thoughts each answer took.
        state: after the thoughts, before anything was said.
    """

    said: list[str]
    answers: list[str]
    tokens: list[int]
    state: State


@torch.no_grad()
def answer(
    mind: Mind,
    inputs: Mapping[str, torch.Tensor],
    way: Way | None = None,
    thoughts: int | None = None,
    limit: int = 64,
    edit: Edit | None = None,
) -> Answered:
    """Think, then say: the whole way from questions to answers.

    Args:
        way: of thinking; the mind's own if None.
        thoughts: how many thoughts or pauses; the mind's own number if None.
        limit: most tokens said.
        edit: as in `think_through`.
    """
    way = mind.manner.way if way is None else way
    count = mind.manner.thoughts if thoughts is None else thoughts
    state = prepare(mind, start(mind, inputs), way, count, edit)
    rows = say(mind, fork(state), limit)
    said = [mind.tokenizer.decode(row, skip_special_tokens=False) for row in rows]
    mark = mind.manner.answer
    answers = [text.rpartition(mark)[2].strip() if mark else text.strip() for text in said]
    extra = count if way in ("thoughts", "pause") else 0
    return Answered(said, answers, [len(row) + extra for row in rows], state)


def _rows(mind: Mind, ids: Sequence[int], rows: int) -> torch.Tensor:
    return torch.tensor(list(ids), device=mind.device).expand(rows, -1)


def _forward(
    mind: Mind,
    state: State | None,
    held: torch.Tensor,
    here: torch.Tensor,
    last: bool,
    **inputs: Any,
) -> tuple[State, torch.Tensor]:
    """One pass over new positions; `held` masks all positions, `here` the new ones."""
    positions = (held.cumsum(1) - 1).clamp(min=0)[:, -here.shape[1] :]
    shift = None if state is None else state.shift
    if shift is not None:
        positions = positions + shift
    keep = {"logits_to_keep": 1} if last and _trims(mind.model) else {}
    with _read_by_head(mind.model) as seen:
        out = mind.model(
            **{"position_ids": positions, **inputs},
            attention_mask=held,
            past_key_values=None if state is None else state.cache,
            use_cache=True,
            **keep,
        )
    logits = out.logits
    thoughts = () if state is None else state.thoughts
    new = State(out.past_key_values, held, seen[-1][:, -1], logits[:, -1], thoughts, shift)
    return new, logits


@contextmanager
def _read_by_head(model: Any) -> Iterator[list[torch.Tensor]]:
    """What the language-model head is given: the last state after the final norm, in any family."""
    seen: list[torch.Tensor] = []
    handle = model.get_output_embeddings().register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    try:
        yield seen
    finally:
        handle.remove()


def _trims(model: Any) -> bool:
    return "logits_to_keep" in inspect.signature(model.forward).parameters
