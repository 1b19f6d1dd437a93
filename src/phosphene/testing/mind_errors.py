"""A mind whose every step is known, and which can be made to err at a known one.

`chaser` follows arrows by weights set by hand, in three layers:

    1  two heads copy the token before, and the name that an arrow leaves, to slots of their own;
    2  at <think> the name after `from` is fetched;
    3  head 0, `lookup`, finds the arrow that leaves the name thought of and takes the name it leads
       to; head 1, `answer`, copies the last thought at `###`.

So thought t holds hop t and nothing else, it is made from thought t-1 and one sentence of the
question, and the answer reads the last thought alone. The MLPs give nought. Where `blind`, the
first sentence of a question is not seen: a chain that needs it breaks at the step that does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from phosphene.minds.mind import Manner, Mind
from phosphene.minds.task import TextProblem
from phosphene.minds.tasks.chase import Chase
from phosphene.minds.words import ANSWER, BEGIN, END, PAUSE, word_tokenizer

SHARP = 12.0  # scale of attention scores: how nearly all or nothing they are
GAIN = 10.0  # of the head: logit of a name that is fully there
HEADS = 2


def chaser(names: int = 8, hops: int = 4, blind: bool = False) -> Mind:
    """A mind that solves `Chase(names, hops, hops)` by known steps, with as many thoughts as hops.

    Args:
        blind: it does not see the first sentence of a question.
    """
    task = Chase(names, hops, hops)
    tokenizer = word_tokenizer(task.words())
    model = _Chaser(tokenizer, task, blind).eval()
    manner = Manner("thoughts", hops, task.name, vars(task), BEGIN, END, PAUSE, ANSWER)
    return Mind(model, tokenizer, manner, "chaser-blind" if blind else "chaser")


def breaks_at(problem: TextProblem) -> int | None:
    """The thought, from 0, at which a blind chaser errs; None where it needs no unseen sentence."""
    ring = list(problem.state["ring"])
    unseen = sorted(ring)[int(problem.state["order"][0])]
    way = ring[: int(problem.state["hops"])]
    return way.index(unseen) if unseen in way else None


class _Slots:
    """Where things stand in the residual stream: five slots of one place a word, and two flags."""

    def __init__(self, words: int) -> None:
        self.words = words
        names = ("token", "before", "subject", "at", "out")
        self.of = {n: slice(i * words, (i + 1) * words) for i, n in enumerate(names)}
        self.one, self.first = 5 * words, 5 * words + 1
        self.width = 5 * words + 2

    def move(self, source: str, to: str) -> torch.Tensor:
        out = torch.zeros(self.width, self.width)
        out[self.of[source], self.of[to]] = torch.eye(self.words)
        return out


class _Attention(nn.Module):
    """Two heads with scores SHARP * (q . k + reach[distance] - need), and nothing as a choice."""

    def __init__(self, heads: list[dict[str, Any]], width: int, layer: int) -> None:
        super().__init__()
        blank = torch.zeros(width, width)
        for name in ("query", "key", "value"):
            made = torch.stack([h.get(name, blank) for h in heads])
            self.register_buffer(name, made)
        self.reach = [dict(h.get("reach", {})) for h in heads]
        self.register_buffer("need", torch.tensor([float(h.get("need", 99.0)) for h in heads]))
        self.o_proj = nn.Linear(HEADS * width, width, bias=False)
        self.o_proj.weight = nn.Parameter(torch.cat([torch.eye(width)] * HEADS, 1))
        self.layer = layer

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor, cache: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v = (torch.einsum("bnd,hde->bhne", x, w) for w in (self.query, self.key, self.value))
        k, v = cache.update(k, v, self.layer)
        total, new = k.shape[2], q.shape[2]
        distance = torch.arange(total - new, total)[:, None] - torch.arange(total)[None]
        score = q @ k.transpose(-1, -2) - self.get_buffer("need")[None, :, None, None]
        for head, reach in enumerate(self.reach):
            for far, bonus in reach.items():
                score[:, head] = score[:, head] + bonus * (distance == far)
        seen = (distance >= 0)[None, None] & mask[:, None, None].bool()
        score = (SHARP * score).masked_fill(~seen, -1e4)
        nothing = torch.zeros_like(score[..., :1])
        weights = torch.cat([score, nothing], -1).softmax(-1)[..., :-1]
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        return self.o_proj(mixed), weights


class _Block(nn.Module):
    def __init__(self, heads: list[dict[str, Any]], width: int, layer: int) -> None:
        super().__init__()
        self.self_attn = _Attention(heads, width, layer)
        self.mlp = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.mlp.weight)

    def forward(self, x: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
        x = x + self.self_attn(x, mask, cache)[0]
        return x + self.mlp(x)


class _Chaser(nn.Module):
    """Takes and gives what a transformers decoder does."""

    def __init__(self, tokenizer: Any, task: Chase, blind: bool) -> None:
        super().__init__()
        from transformers import PretrainedConfig

        words = len(tokenizer)
        slots = _Slots(words)
        self.slots, self.blind = slots, blind
        self.sentence = len(tokenizer("ash to bay.", add_special_tokens=False)["input_ids"])
        values: dict[str, Any] = {
            "hidden_size": slots.width,
            "num_attention_heads": HEADS,
            "num_hidden_layers": 3,
        }
        self.config = PretrainedConfig(**values)
        ids = {w: tokenizer.convert_tokens_to_ids(w) for w in ("from", BEGIN, END, ANSWER)}
        named = [tokenizer.convert_tokens_to_ids(n) for n in task.words()[: task.names]]
        self.embedding = nn.Embedding(words, slots.width)
        table = torch.zeros(words, slots.width)
        table[:, slots.of["token"]] = torch.eye(words)
        table[:, slots.one] = 1.0
        # What is said after a word, a thought's aside: the mark of the answer, and the stop.
        out = slots.of["out"].start
        table[ids[END], out + ids[ANSWER]] = 1.0
        table[named, out + tokenizer.eos_token_id] = 2.0
        self.embedding.weight = nn.Parameter(table)
        layers = _heads(slots, ids, named, self.sentence - 2)
        self.layers = nn.ModuleList(_Block(h, slots.width, i) for i, h in enumerate(layers))
        self.register_buffer("norm", slots.move("out", "token"))
        self.lm_head = nn.Linear(slots.width, words, bias=False)
        head = torch.zeros(words, slots.width)
        head[:, slots.of["token"]] = GAIN * torch.eye(words)
        self.lm_head.weight = nn.Parameter(head)

    def get_input_embeddings(self) -> nn.Module:
        return self.embedding

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def get_decoder(self) -> nn.Module:
        return self

    def set_attn_implementation(self, name: str) -> None:
        """There is one, and it tells its weights."""

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool = True,
    ) -> Any:
        from transformers import DynamicCache
        from transformers.modeling_outputs import CausalLMOutputWithPast

        cache = DynamicCache() if past_key_values is None else past_key_values
        x = self.embedding(input_ids) if inputs_embeds is None else inputs_embeds
        assert attention_mask is not None
        assert position_ids is not None
        if self.blind:
            flag = torch.zeros_like(x)
            flag[..., self.slots.first] = (position_ids < self.sentence).float()
            x = x + flag
        for layer in self.layers:
            x = layer(x, attention_mask, cache)
        x = x @ self.get_buffer("norm")
        one = torch.zeros_like(x)
        one[..., self.slots.one] = 1.0
        return CausalLMOutputWithPast(logits=self.lm_head(x + one), past_key_values=cache)


def _heads(
    slots: _Slots, ids: Mapping[str, int], named: list[int], far: int
) -> list[list[dict[str, Any]]]:
    """The two heads of each layer.

    Args:
        far: from the name that an arrow leads to, back to the one it leaves.
    """
    of = slots.of

    def when(slot: str, word: str) -> torch.Tensor:
        """Reads whether a word stands in a slot."""
        out = torch.zeros(slots.width, slots.width)
        out[of[slot].start + ids[word], slots.one] = 1.0
        return out

    def always() -> torch.Tensor:
        out = torch.zeros(slots.width, slots.width)
        out[slots.one, slots.one] = 1.0
        return out

    copies = [
        {"reach": {1: 1.0}, "need": 0.5, "value": slots.move("token", "before")},
        {"reach": {far: 1.0}, "need": 0.5, "value": slots.move("token", "subject")},
    ]
    fetch = {
        "query": when("token", BEGIN),
        "key": when("before", "from"),
        "value": slots.move("token", "at"),
        "need": 0.5,
    }
    query, is_name = slots.move("at", "token"), torch.zeros(slots.width, slots.width)
    for name in named:
        place = of["token"].start + name
        query[place, place] = is_name[place, slots.one] = 1.0
    unseen = torch.zeros(slots.width, slots.width)
    unseen[slots.first, slots.one] = -1.0
    lookup = {
        "query": query + always(),
        "key": slots.move("subject", "token") + is_name + unseen,
        "value": slots.move("token", "out"),
        "need": 1.5,
    }
    answer = {
        "query": when("token", ANSWER),
        "key": always(),
        "reach": {2: 1.0},
        "value": slots.move("token", "out"),
        "need": 1.5,
    }
    return [copies, [fetch, {}], [lookup, answer]]
