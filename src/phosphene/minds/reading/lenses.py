"""Lenses: ways to turn a state in the middle of a model into words.

    logit       W_U norm(x_l)             what the head would say of it as it is
    tuned       W_U (A_l x_l + b_l)       mapped on to what the head will be given, by an affine
                                          map that was fitted on other problems, to states alone
    neighbours  cos(x_l, e_w)             which word's input embedding it lies next to

References:
    Eliciting Latent Predictions from Transformers with the Tuned Lens (Belrose et al., 2023),
    https://arxiv.org/abs/2303.08112; its maps are trained on KL, these are ridges in closed form
    interpreting GPT: the logit lens (nostalgebraist, 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.mind import Mind
from phosphene.minds.reading.affine import fit_affine
from phosphene.minds.reading.record import Record

_NORMS = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "norm_f", "ln_out")
CLOSE = 1e-2  # of the size of a state that the norm found may leave unexplained

LENSES = ("logit", "tuned", "neighbours")
# A lens: states `(n, d)` behind a layer, its number -> scores `(n, vocabulary)`.
Lens = Callable[[np.ndarray, int], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Ranked:
    """How the candidates stand, `(items, layers * places, candidates)`, layer by layer.

    Args:
        ranks: 1 for the first word of the whole vocabulary; ties share their mean.
        weights: probability; the cosine for neighbours.
    """

    ranks: np.ndarray
    weights: np.ndarray


def lenses(mind: Mind, fitted: Record) -> dict[str, Lens]:
    """All three, the tuned one fitted on these problems.

    Raises:
        PhospheneError: the norm before the head isn't found.
    """
    norm = final_norm(mind, fitted)
    count, width = fitted.layers.shape[2:]
    goal = fitted.thoughts.reshape(-1, width)
    maps = [fit_affine(fitted.layers[:, :, n].reshape(-1, width), goal) for n in range(count)]
    table = mind.model.get_input_embeddings().weight.detach().float()
    unit = torch.nn.functional.normalize(table, dim=-1)

    def logit(states: np.ndarray, layer: int) -> torch.Tensor:
        return spoken(mind, norm(_tensor(mind, states)))

    def tuned(states: np.ndarray, layer: int) -> torch.Tensor:
        return spoken(mind, _tensor(mind, maps[layer](states)))

    def neighbours(states: np.ndarray, layer: int) -> torch.Tensor:
        # What is fed back has gone through the norm; embeddings lie where it lies.
        moved = norm(_tensor(mind, states)) if layer == count - 1 else _tensor(mind, states)
        return torch.nn.functional.normalize(moved.float(), dim=-1) @ unit.T

    return dict(zip(LENSES, (logit, tuned, neighbours), strict=True))


def final_norm(mind: Mind, seen: Record) -> Callable[[torch.Tensor], torch.Tensor]:
    """The module between the last layer and the head; checked on what was recorded.

    Raises:
        PhospheneError: none of the names that families give it leads there.
    """
    model = mind.model
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model.base_model
    found = [getattr(decoder, n) for n in _NORMS if callable(getattr(decoder, n, None))]
    states = _tensor(mind, seen.layers[:, :, -1])
    wanted = _tensor(mind, seen.thoughts).float()
    for norm in (*found, torch.nn.Identity()):
        with torch.no_grad():
            left = norm(states).float() - wanted
        if float(left.norm()) <= CLOSE * float(wanted.norm()):
            return torch.no_grad()(norm.__call__)
    raise PhospheneError(
        f"between the last layer of {mind.id} and its head there is something other than a norm "
        f"called {', '.join(_NORMS)}; use the probe decode, which reads at the head"
    )


@torch.no_grad()
def spoken(mind: Mind, hidden: torch.Tensor) -> torch.Tensor:
    """Logits `(n, vocabulary)` of what the head is given, `(n, d)`."""
    head = mind.model.get_output_embeddings()
    return head(hidden.to(head.weight.dtype)).float()


def ranked(lens: Lens, layers: np.ndarray, ids: np.ndarray, cosine: bool = False) -> Ranked:
    """How candidates stand in every cell.

    Args:
        lens: one of `lenses`.
        layers: `(items, places, layers, d)`.
        ids: `(candidates,)` tokens.
        cosine: the lens gives cosines, which are no logits.
    """
    cells = [(n, p) for n in range(layers.shape[2]) for p in range(layers.shape[1])]
    found = [_stand(lens(layers[:, p, n], n), ids, cosine) for n, p in cells]
    return Ranked(*(np.stack(part, 1) for part in zip(*found, strict=True)))


def _stand(scores: torch.Tensor, ids: np.ndarray, cosine: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ranks and weights of the candidates, `(items, candidates)` each."""
    wanted = scores[:, torch.as_tensor(ids, device=scores.device)].contiguous()
    sorted_, _ = scores.sort(-1)
    above = scores.shape[1] - torch.searchsorted(sorted_, wanted, right=True)
    level = scores.shape[1] - torch.searchsorted(sorted_, wanted) - above
    weights = wanted if cosine else scores.softmax(-1)[:, torch.as_tensor(ids)]
    return (above + (level + 1) / 2).cpu().numpy(), weights.cpu().numpy()


def bias(mind: Mind, lens: Lens, seen: Record) -> np.ndarray:
    """KL(model's own output || lens) in nats, `(items, layers)`: mean over places."""
    count = seen.layers.shape[2]
    out = np.zeros((len(seen.layers), count))
    for place in range(seen.thoughts.shape[1]):
        own = spoken(mind, _tensor(mind, seen.thoughts[:, place])).log_softmax(-1)
        for n in range(count):
            told = lens(seen.layers[:, place, n], n).log_softmax(-1)
            out[:, n] += (own.exp() * (own - told)).sum(-1).cpu().numpy()
    return np.maximum(out / seen.thoughts.shape[1], 0.0)


def _tensor(mind: Mind, values: np.ndarray) -> torch.Tensor:
    kind = mind.model.get_output_embeddings().weight.dtype
    return torch.as_tensor(np.asarray(values, np.float32), device=mind.device).to(kind)
