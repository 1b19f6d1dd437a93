"""Planted mixture of experts: what each expert does under a condition is known by construction.

A decoder whose weights are set by hand on a few coordinates of the residual stream, and random
elsewhere. The word `free` or `paid` somewhere in a prompt is the condition. The attention of layer
0 writes it into every later token; routers can see it there. Whether `yes` or `no` is said hangs on
one coordinate, which one expert writes, or that attention, or nobody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.contrast import Pair
from phosphene.minds.mind import Manner, Mind
from phosphene.minds.tasks.chase import NAMES, Chase
from phosphene.minds.words import word_tokenizer

WIDTH, INNER = 64, 16
TOLD, CONDITION, ANSWER, ALWAYS, FREE = range(5)  # coordinates; from FREE on all is random
COMMON = 2.0  # of the coordinate that every token has


@dataclass(frozen=True)
class PlantedMoe:
    """How a planted model is made.

    Args:
        by: who makes it say `yes` under the condition: an expert, attention (which routing has no
            part in), or nobody.
        place: layer and number of that expert.
        decoy: layer and number of an expert that is chosen by the condition and puts out nothing,
            as the next expert is and does without the condition; None for none.
        layers, experts: how many, and experts a layer, two of which a token gets.
        seed: of everything random.
    """

    by: Literal["expert", "attention", "nobody"] = "expert"
    place: tuple[int, int] = (1, 5)
    decoy: tuple[int, int] | None = (2, 3)
    layers: int = 3
    experts: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        for place in (self.place, self.decoy):
            if place and not (0 <= place[0] < self.layers and 0 <= place[1] < self.experts):
                raise PhospheneError(f"there is no layer {place[0]} expert {place[1]}")
        if self.decoy == self.place:
            raise PhospheneError(f"planted and decoy can't both be expert {self.place}")

    def build(self) -> Mind:
        """The model, float32, answering at once."""
        import torch
        from transformers import MixtralConfig, MixtralForCausalLM

        task = Chase()
        tokenizer = word_tokenizer([*task.words(), "free", "paid", "yes", "no"])
        config = MixtralConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=INNER,
            num_hidden_layers=self.layers,
            num_attention_heads=4,
            num_key_value_heads=4,
            num_local_experts=self.experts,
            num_experts_per_tok=2,
            initializer_range=0.05,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        torch.manual_seed(self.seed)
        model = MixtralForCausalLM(config).eval()
        with torch.no_grad():
            self._set(
                model, {w: tokenizer(w)["input_ids"][0] for w in ("free", "paid", "yes", "no")}
            )
        manner = Manner(task=task.name, fields=vars(task))
        return Mind(model, tokenizer, manner, f"planted-{self.by}")

    def _set(self, model: Any, ids: dict[str, int]) -> None:
        words = model.model.embed_tokens.weight
        words.normal_(0, 0.5)
        words[:, :FREE] = 0
        words[:, ALWAYS] = COMMON
        words[ids["free"]] = words[ids["paid"]]
        words[ids["free"], TOLD], words[ids["paid"], TOLD] = 4, -4
        for layer in model.model.layers:
            # What is not planted neither reads nor writes the coordinates that are.
            layer.self_attn.v_proj.weight[:, :FREE] = 0
            layer.self_attn.o_proj.weight[:FREE] = 0
            layer.mlp.experts.gate_up_proj.normal_(0, 0.2)[:, :, :FREE] = 0
            layer.mlp.experts.down_proj.normal_(0, 0.2)[:, :FREE] = 0
            layer.mlp.gate.weight.normal_(0, WIDTH**-0.5)
            layer.mlp.gate.weight[:, :FREE] = 0
        self._tell(model.model.layers[0].self_attn)
        if self.by == "expert":
            self._plant(model.model.layers[self.place[0]].mlp, self.place[1], 1, 1.0)
        if self.decoy is not None:
            block = model.model.layers[self.decoy[0]].mlp
            self._plant(block, self.decoy[1], 1, 0.0)
            # Else the decoy's emptiness would itself tell the conditions apart.
            self._plant(block, (self.decoy[1] + 1) % self.experts, -1, 0.0)
        head = model.lm_head.weight
        head[:, :FREE] = 0
        head[ids["yes"], ANSWER], head[ids["no"], ANSWER] = 0.5, -0.5
        head[ids["no"], ALWAYS] = 1.0

    def _tell(self, attention: Any) -> None:
        """Head 0 looks at all tokens alike and carries the condition to each of them."""
        size = attention.head_dim
        for part in (attention.q_proj, attention.k_proj, attention.v_proj):
            part.weight[:size] = 0
        attention.v_proj.weight[0, TOLD] = 1
        attention.o_proj.weight[:, :size] = 0
        attention.o_proj.weight[CONDITION, 0] = 8
        if self.by == "attention":
            attention.o_proj.weight[ANSWER, 0] = 8

    def _plant(self, block: Any, expert: int, sign: int, output: float) -> None:
        """An expert chosen under one condition, which writes the answer, so much of it."""
        block.gate.weight[expert] = 0
        block.gate.weight[expert, CONDITION] = sign
        block.experts.gate_up_proj[expert] = 0
        block.experts.gate_up_proj[expert, [0, INNER], ALWAYS] = 1
        block.experts.down_proj[expert] = 0
        block.experts.down_proj[expert, ANSWER, 0] = output

    def pairs(self, count: int = 48, labels: bool = True) -> list[Pair]:
        """Prompts of random names with `free` against `paid` at the same place.

        Args:
            labels: False for the null: which of the two prompts is called a is left to a coin.
        """
        rng = np.random.default_rng([self.seed, count])
        out = []
        for _ in range(count):
            words = [NAMES[i] for i in rng.integers(0, Chase().names, rng.integers(8, 12))]
            at = int(rng.integers(0, 4))
            a, b = (" ".join([*words[:at], tag, *words[at:]]) for tag in ("free", "paid"))
            if not labels and rng.random() < 0.5:
                a, b = b, a
            out.append(Pair(a, b, "yes", "no"))
        return out


def write_pairs(pairs: Sequence[Pair], path: Path) -> Path:
    """Pairs as the file of JSON lines that the probes `gates` and `experts` take."""
    path.write_text("".join(json.dumps(asdict(p)) + "\n" for p in pairs), encoding="utf-8")
    return path
