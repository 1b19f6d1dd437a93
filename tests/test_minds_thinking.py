"""Continuous thought: the cached, batched way against the definition, in several families."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.mind import Manner, Mind
from phosphene.minds.tasks.chase import Chase
from phosphene.minds.thinking import answer, fork, hear, prepare, say, start, think, think_through
from phosphene.testing.minds import tiny_mind

FAMILIES = ("gpt2", "llama", "qwen3")
TASK = Chase(names=6, hops=3)
CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-5}


def whole(mind: Mind, embedded: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The last state after the final norm and its logits, of one sequence `(n, d)`, uncached."""
    decoder = mind.model.base_model
    hidden = decoder(inputs_embeds=embedded[None], use_cache=False).last_hidden_state[0, -1]
    return hidden, mind.model.get_output_embeddings()(hidden)


def by_hand(mind: Mind, question: str, thoughts: int, after: list[int]) -> list[torch.Tensor]:
    """Logits after the thoughts and each of the tokens `after`: the sequence again every time."""
    table = mind.model.get_input_embeddings()
    sequence = table(torch.tensor([*mind.ids(question), *mind.mark("begin")]))
    for _ in range(thoughts):
        sequence = torch.cat([sequence, whole(mind, sequence)[0][None]])
    seen = [whole(mind, sequence)[1]]
    for token in after:
        sequence = torch.cat([sequence, table(torch.tensor([token]))])
        seen.append(whole(mind, sequence)[1])
    return seen


@pytest.mark.parametrize("family", FAMILIES)
def test_thinking_is_what_its_definition_says(family: str) -> None:
    mind = tiny_mind(family, TASK)
    question = TASK.sample(1).question
    after = [*mind.mark("end"), *mind.mark("answer"), 9]
    with torch.no_grad():
        wanted = by_hand(mind, question, 4, after)
        state = think_through(mind, start(mind, mind.inputs([question])), 4)
        _, heard = hear(mind, fork(state), torch.tensor([after]))
    torch.testing.assert_close(state.logits[0], wanted[0], **CLOSE)
    torch.testing.assert_close(heard[0], torch.stack(wanted[1:]), **CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_padded_batch_thinks_what_each_would_alone(family: str) -> None:
    mind = tiny_mind(family, TASK)
    questions = [TASK.sample(2).question, "from ash 2 hops.", "ash to bay. from ash 1 hops."]
    alone = [answer(mind, mind.inputs([q]), limit=6) for q in questions]
    batch = answer(mind, mind.inputs(questions), limit=6)
    for i, one in enumerate(alone):
        torch.testing.assert_close(batch.state.logits[i], one.state.logits[0], **CLOSE)
        for a, b in zip(batch.state.thoughts, one.state.thoughts, strict=True):
            torch.testing.assert_close(a[i], b[0], **CLOSE)
    assert batch.said == [one.said[0] for one in alone]


def test_so_many_thoughts_are_so_many_passes_more_one_position_each() -> None:
    mind = tiny_mind("llama", TASK)
    inputs = mind.inputs([TASK.sample(0).question])
    lengths: list[int] = []
    handle = mind.model.register_forward_pre_hook(
        lambda module, args, kwargs: lengths.append(
            kwargs["inputs_embeds" if "inputs_embeds" in kwargs else "input_ids"].shape[1]
        ),
        with_kwargs=True,
    )
    state = think_through(mind, start(mind, inputs), 5)
    handle.remove()
    assert lengths == [inputs["input_ids"].shape[1] + 1, 1, 1, 1, 1, 1]
    assert len(state.thoughts) == 5
    assert state.mask.shape[1] == sum(lengths)


def test_what_an_edit_gives_is_fed_and_nothing_before_it_changes() -> None:
    mind = tiny_mind("gpt2", TASK)
    inputs = mind.inputs([TASK.sample(0).question, TASK.sample(1).question])
    put = torch.full((2, 32), 0.5)
    handed: list[int] = []

    def edit(number: int, thought: torch.Tensor) -> torch.Tensor:
        handed.append(number)
        return put if number == 1 else thought

    with torch.no_grad():
        clean = think_through(mind, start(mind, inputs), 3)
        edited = think_through(mind, start(mind, inputs), 3, edit)
        first = think(mind, start(mind, inputs))
        by_name = think(mind, first, put)
    assert handed == [0, 1, 2]
    torch.testing.assert_close(edited.thoughts[0], clean.thoughts[0], rtol=0, atol=0)
    assert torch.equal(edited.thoughts[1], put)
    torch.testing.assert_close(edited.thoughts[2], by_name.hidden, rtol=0, atol=0)
    assert (edited.logits - clean.logits).abs().max() > 1e-3


def test_a_fork_leaves_the_first_state_as_it_was() -> None:
    mind = tiny_mind("qwen3", TASK)
    with torch.no_grad():
        state = start(mind, mind.inputs([TASK.sample(0).question]))
        straight = think(mind, fork(state)).logits
        think_through(mind, fork(state), 4)
        again = think(mind, state).logits
    torch.testing.assert_close(straight, again, rtol=0, atol=0)


def test_pauses_are_the_mark_so_many_times_and_no_way_has_neither() -> None:
    mind = tiny_mind("gpt2", TASK)
    question = TASK.sample(0).question
    with torch.no_grad():
        paused = prepare(mind, start(mind, mind.inputs([question])), "pause", 3)
        written = start(
            mind, mind.inputs([question + " <think><pause><pause><pause></think>"]), False
        )
        none = prepare(mind, start(mind, mind.inputs([question])), "none", 3)
        plain = start(mind, mind.inputs([question + " <think></think>"]), False)
    torch.testing.assert_close(paused.logits, written.logits, **CLOSE)
    torch.testing.assert_close(none.logits, plain.logits, **CLOSE)
    assert paused.thoughts == none.thoughts == ()


def test_saying_stops_at_the_mark_each_row_for_itself() -> None:
    mind = tiny_mind("gpt2", TASK)
    with torch.no_grad():
        state = start(mind, mind.inputs([TASK.sample(i).question for i in range(3)]))
    free = say(mind, fork(state), 8)
    assert [len(row) for row in free] == [8, 8, 8]
    # What the first row says third becomes the mark that stops.
    mind.tokenizer.eos_token = mind.tokenizer.convert_ids_to_tokens(free[0][2])
    stopped = say(mind, fork(state), 8)
    for row, whole_row in zip(stopped, free, strict=True):
        at = whole_row.index(free[0][2]) if free[0][2] in whole_row else 8
        assert row == whole_row[:at]


class Says:
    """Patches what a mind would say: the parsing of answers alone is looked at."""

    def __init__(self, mind: Mind, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
        ids = mind.ids(words)
        monkeypatch.setattr("phosphene.minds.thinking.say", lambda *a: [ids])


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("### bay", "bay"),
        ("ash to bay. ### bay", "bay"),
        ("bay", "bay"),
        ("### ash ### cod", "cod"),
    ],
)
def test_the_answer_is_what_follows_the_last_mark(
    said: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mind = tiny_mind("gpt2", TASK)
    Says(mind, said, monkeypatch)
    got = answer(mind, mind.inputs(["from ash 1 hops."]))
    assert got.answers == [wanted]
    assert got.tokens == [len(mind.ids(said)) + 3]


def test_a_model_without_a_pause_mark_says_so() -> None:
    mind = tiny_mind("gpt2", TASK)
    bare = Mind(mind.model, mind.tokenizer, Manner(), "bare")
    with pytest.raises(PhospheneError, match="pause mark"):
        answer(bare, bare.inputs(["from ash 1 hops."]), "pause", 2)
