"""Standing: a model before the word that decides; its states there, and what happens when they are
moved. All but the prompt's last token is read once, so that a move costs one position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from phosphene.minds.compliance.asking import SPELLED
from phosphene.minds.compliance.prompts import Prompt
from phosphene.minds.mind import Mind
from phosphene.minds.talking import Talking, likelihood
from phosphene.minds.thinking import State, fork, hear, start
from phosphene.minds.wires import Site, Wires
from phosphene.notebook import batches


@dataclass(frozen=True, eq=False)
class Standing:
    """A batch of prompts, read up to their last token.

    Args:
        state: after all but that.
        last: its ids, `(b, 1)`.
        words: token ids of each spelling of either answer.
    """

    mind: Mind
    wires: Wires
    state: State
    last: torch.Tensor
    words: tuple[tuple[int, ...], ...]

    @torch.no_grad()
    def odds(self, site: Site | None = None, move: np.ndarray | None = None) -> np.ndarray:
        """Log-odds (nats) of accept against decline `(b,)`, with a vector `(b, width)` added."""
        if site is None or move is None:
            state, _ = hear(self.mind, fork(self.state), self.last)
            return self._odds(state)
        added = torch.as_tensor(move, device=self.mind.device)

        def change(value: torch.Tensor, call: int) -> torch.Tensor:
            return value + added[:, None].to(value.dtype) if call == 0 else value

        with self.wires.editing({site: change}):
            state, _ = hear(self.mind, fork(self.state), self.last)
        return self._odds(state)

    @torch.no_grad()
    def states(self, sites: Sequence[Site]) -> list[np.ndarray]:
        """Values at the last position, `(b, width)` each."""
        with self.wires.reading(sites) as taken:
            hear(self.mind, fork(self.state), self.last)
        return [taken.last(site, 0).float().cpu().numpy() for site in sites]

    def _odds(self, state: State) -> np.ndarray:
        found = torch.stack([likelihood(self.mind, state, ids) for ids in self.words], 1)
        half = found.shape[1] // 2
        return (found[:, :half].logsumexp(1) - found[:, half:].logsumexp(1)).cpu().double().numpy()


@torch.no_grad()
def stand(talking: Talking, prompts: Sequence[Prompt], batch: int) -> list[Standing]:
    """Read prompts, in batches."""
    mind = talking.mind
    wires = Wires(mind.model)
    lead = "" if talking.templated else " "
    words = tuple(tuple(mind.ids(lead + word)) for word in SPELLED)
    out = []
    for some in batches(prompts, batch):
        rows = [mind.ids(talking.text(prompt.chat)) for prompt in some]
        state = start(mind, mind.padded([row[:-1] for row in rows]), begin=False)
        last = torch.tensor([row[-1:] for row in rows], device=mind.device)
        out.append(Standing(mind, wires, state, last, words))
    return out


@torch.no_grad()
def embedded(talking: Talking, prompts: Sequence[Prompt], batch: int) -> np.ndarray:
    """Mean of the token embeddings of each prompt, `(n, width)`: what was written, in no order."""
    table = talking.mind.model.get_input_embeddings()
    out = []
    for some in batches(prompts, batch):
        given = talking.inputs([prompt.chat for prompt in some])
        mask = given["attention_mask"][..., None]
        values = table(given["input_ids"]).float() * mask
        out.append((values.sum(1) / mask.sum(1)).cpu().numpy())
    return np.concatenate(out)


def counted(prompts: Sequence[Prompt]) -> np.ndarray:
    """Bag of words: how often each is in a prompt, `(n, words)`."""
    texts = [" ".join(turn.content for turn in p.chat).lower() for p in prompts]
    split = [text.replace(".", " ").replace(",", " ").replace(":", " ").split() for text in texts]
    known = {word: i for i, word in enumerate(sorted({w for words in split for w in words}))}
    out = np.zeros((len(prompts), len(known)))
    for row, words in zip(out, split, strict=True):
        for word in words:
            row[known[word]] += 1
    return out


def untaught(mind: Mind, seed: int = 0) -> Mind:
    """The same decoder with random weights."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(mind.model.config).eval().to(mind.device)
    return Mind(model, mind.tokenizer, mind.manner, f"{mind.id}, untaught")
