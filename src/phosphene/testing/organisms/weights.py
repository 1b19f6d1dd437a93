"""Weights: the numbers that make an organism do what its plant says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch

from phosphene.testing.organisms.network import OrganismBlock, OrganismTransformer
from phosphene.testing.organisms.plant import DEPTH, FRAMES, HEADS, STEPS, Plant
from phosphene.testing.organisms.task import CELLS, PALETTE

DIM, HIDDEN = 80, 80
SURE = 16.0  # attention scores that settle where a token looks
FAINT = 0.25  # of mixing among features that mean nothing
PAPER = 0.4  # how much colour it takes to be painted


class _Features:
    """Names for the directions of the residual stream, before it is turned."""

    def __init__(self, colours: int) -> None:
        wide = ("a seen", "b seen", "decoy seen", "answer seen")
        wide += ("a", "b", "decoy", "sum", "shown")
        narrow = ("operand", "decoy cell", "cell of luck", "blank", "luck seen", "luck")
        sizes = dict.fromkeys(wide, colours) | dict.fromkeys(narrow, 1)
        # The answer's cell in each drawn frame has a direction of its own.
        sizes |= {"frame": FRAMES, "step": STEPS, "answer cell": FRAMES - 1}
        self._where: dict[str, np.ndarray] = {}
        start = 0
        for name, size in sizes.items():
            self._where[name] = np.arange(start, start + size)
            start += size
        self._where["rest"] = np.arange(start, DIM)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._where[name]


def weights(plant: Plant) -> OrganismTransformer:
    """The denoiser with these weights, float32 on the CPU."""
    return _Builder(plant).build()


class _Builder:
    def __init__(self, plant: Plant) -> None:
        self.plant, self.task = plant, plant.task
        self.colours = self.task.colours
        self.at = _Features(self.colours)
        self.rng = np.random.default_rng([plant.seed, 7])
        self.turn = np.linalg.qr(self.rng.normal(size=(DIM, DIM)))[0]

    def build(self) -> OrganismTransformer:
        model = OrganismTransformer(
            self.colours, FRAMES, CELLS, steps=STEPS, dim=DIM, depth=DEPTH, heads=HEADS,
            hidden=HIDDEN,
        ).requires_grad_(False)  # fmt: skip
        put = self._put
        put(model.palette, PALETTE[: self.colours] / 127.5 - 1)
        config: Any = model.config
        noise = np.zeros((DIM, 3 * config.patch**2))
        noise[self.at["rest"]] = self.rng.normal(size=(len(self.at["rest"]), noise.shape[1]))
        put(model.patch_in.weight, self.turn @ noise / noise.shape[1] ** 0.5)
        place, colour, luck = self._tokens()
        put(model.place, place @ self.turn.T)
        put(model.colour_in, colour @ self.turn.T)
        put(model.noise_in, luck @ self.turn.T)
        time = np.zeros((STEPS, DIM))
        time[:, self.at["step"]] = np.eye(STEPS)
        put(model.time, time @ self.turn.T)
        for n, block in enumerate(model.transformer_blocks):
            assert isinstance(block, OrganismBlock)
            self._attention(n, block)
            self._mlp(n, block)
        out = np.zeros((self.colours + 1, DIM))
        out[np.arange(self.colours), self.at["shown"]] = self.plant.firm
        # Elsewhere than in the answer's cell nothing is painted, however soft the painting.
        out[-1, self.at["frame"]] = SURE
        out[-1, self._answers()] = -SURE
        put(model.paint.weight, out @ self.turn.T)
        put(model.paint.bias, np.eye(self.colours + 1)[-1] * PAPER * self.plant.firm)
        if self.plant.shuffled:
            self._shuffle(model)
        return model.eval()

    def _put(self, parameter: Any, value: np.ndarray) -> None:
        parameter.copy_(torch.from_numpy(np.asarray(value, np.float32)))

    def _shuffle(self, model: OrganismTransformer) -> None:
        for parameter in model.parameters():
            flat = parameter.flatten().numpy()
            self._put(parameter, self.rng.permutation(flat).reshape(parameter.shape))

    def _tokens(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What place, colour and noise put into each token."""
        at, places = self.at, self.task.places
        count = FRAMES * CELLS**2
        place, luck = np.zeros((count, DIM)), np.zeros((count, DIM))
        colour = np.zeros((count, self.colours, DIM))
        cells = list(product(range(CELLS), repeat=2))
        plain = [c for c in cells if c not in places.values()]
        lucky = (int(self.rng.integers(1, FRAMES)), plain[self.rng.integers(len(plain))])
        for n, (frame, cell) in enumerate(product(range(FRAMES), cells)):
            role = next((r for r, where in places.items() if where == cell), "")
            place[n, at["frame"][frame]] = 1
            flags = {"blank": role == "", "operand": frame == 0 and role in ("a", "b")}
            flags |= {"decoy cell": frame == 0 and role == "decoy"}
            flags |= {"cell of luck": (frame, cell) == lucky}
            for name, flag in flags.items():
                place[n, at[name]] = flag
            drawn = role == "answer" and frame > 0
            if drawn:
                place[n, at["answer cell"][frame - 1]] = 1
            if flags["operand"] or flags["decoy cell"] or drawn:
                colour[n, :, at[f"{role} seen"]] = np.eye(self.colours)
            if flags["cell of luck"]:
                luck[n, at["luck seen"]] = 1
        return place, colour, luck

    def _answers(self, frames: Sequence[int] = range(1, FRAMES)) -> np.ndarray:
        """Directions of the answer's cell in some drawn frames."""
        return self.at["answer cell"][[f - 1 for f in frames]]

    @property
    def _readers(self) -> np.ndarray:
        """Those that look for themselves."""
        return self._answers([self.plant.carrier] if self.plant.carrier else range(1, FRAMES))

    def _steps(self, wanted: range) -> np.ndarray:
        """Directions of the steps in a range."""
        return self.at["step"][[t for t in wanted if t < STEPS]]

    def _attention(self, n: int, block: OrganismBlock) -> None:
        plant, at, size = self.plant, self.at, DIM // HEADS
        q, k, v = (np.zeros((HEADS, size, DIM)) for _ in range(3))
        out = np.zeros((HEADS, DIM, size))
        for h in range(HEADS):
            self._idle(q[h], k[h], v[h], out[h])
        if n == plant.layer:
            self._reading(*(x[plant.head] for x in (q, k, v, out)))
            if plant.slips:
                looks = [(self._readers, at["cell of luck"])]
                self._look(*_head(1, plant, q, k, v, out), looks, {"luck seen": "luck"})
        if n == plant.layer + 1 and plant.carrier:
            others = [f for f in range(1, FRAMES) if f != plant.carrier]
            looks = [(self._answers(others), self._answers([plant.carrier]))]
            self._look(*_head(2, plant, q, k, v, out), looks, {"sum": "sum"})
        if n == plant.layer + 1 and plant.chain:
            looks = [(self._answers([f]), self._answers([f - 1])) for f in range(2, FRAMES)]
            self._look(*_head(2, plant, q, k, v, out), looks, {"sum": "sum"})
        if n == 0:
            looks = [(self._answers(), at["decoy cell"])]
            self._look(*_head(3, plant, q, k, v, out), looks, {"decoy seen": "decoy"})
        attn = block.attn
        self._put(attn.to_q.weight, (q * size**0.5).reshape(DIM, DIM) @ self.turn.T)
        self._put(attn.to_k.weight, k.reshape(DIM, DIM) @ self.turn.T)
        self._put(attn.to_v.weight, v.reshape(DIM, DIM) @ self.turn.T)
        self._put(attn.to_out.weight, self.turn @ out.transpose(1, 0, 2).reshape(DIM, DIM))

    def _idle(self, q: np.ndarray, k: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
        """A head that looks about, and mixes what means nothing."""
        about = np.concatenate([self.at["rest"], self.at["frame"], self.at["step"]])
        for side in (q, k):
            side[:, about] = self.rng.normal(size=(len(side), len(about))) / len(about)
        rest = self.at["rest"]
        v[:, rest] = self.rng.normal(size=(len(v), len(rest))) / len(rest) ** 0.5
        out[rest] = FAINT * self.rng.normal(size=(len(rest), len(v))) / len(v) ** 0.5

    def _look(
        self,
        q: np.ndarray,
        k: np.ndarray,
        v: np.ndarray,
        out: np.ndarray,
        looks: Sequence[tuple[np.ndarray, np.ndarray]],
        copied: dict[str, str],
    ) -> None:
        """A head by which some tokens look at some others, and all the rest at blank cells.

        Args:
            looks: features of those who look, and of what they look at.
            copied: feature there -> feature here.
        """
        for side in (q, k, v, out):
            side[:] = 0
        for row, (who, where) in enumerate(looks):
            q[row, who], k[row, where] = 2 * SURE, 1
        # Each token is in one frame: a constant.
        q[len(looks), self.at["frame"]], k[len(looks), self.at["blank"]] = SURE, 1
        self._copies(v, out, copied)

    def _reading(self, q: np.ndarray, k: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
        """The head that brings the operands, or, once latched, what x_t shows."""
        plant, at = self.plant, self.at
        for side in (q, k, v, out):
            side[:] = 0
        late = self._steps(range(plant.latch, STEPS))
        q[0, self._readers], k[0, at["operand"]] = SURE, 1
        q[0, self._steps(range(plant.known))] = -2 * SURE
        q[0, late] = -2 * SURE
        q[1, at["frame"]], k[1, at["blank"]] = 3 * SURE, 1
        q[1, self._readers] = -3 * SURE
        q[2, self._readers], k[2, self._readers] = -SURE, 1
        q[2, late] = 2 * SURE
        # Two operands share the attention, so each counts twice.
        self._copies(v, out, {"a seen": "a", "b seen": "b", "answer seen": "sum"})
        out[at["a"]] *= 2
        out[at["b"]] *= 2

    def _copies(self, v: np.ndarray, out: np.ndarray, copied: dict[str, str]) -> None:
        row = 0
        for there, here in copied.items():
            width = len(self.at[there])
            rows = np.arange(row, row + width)
            v[rows, self.at[there]] = 1
            out[self.at[here], rows] = 1
            row += width

    def _mlp(self, n: int, block: OrganismBlock) -> None:
        w_in, b_in, w_out = np.zeros((HIDDEN, DIM)), np.zeros(HIDDEN), np.zeros((DIM, HIDDEN))
        rest, at = self.at["rest"], self.at
        used = self._units(n)
        for row, (sources, bias, target) in enumerate(used):
            for place, weight in sources:
                w_in[row, place] = weight
            b_in[row] = bias
            w_out[target, row] = 1
        free = np.arange(len(used), HIDDEN)
        w_in[np.ix_(free, rest)] = self.rng.normal(size=(len(free), len(rest))) / len(rest) ** 0.5
        mixing = self.rng.normal(size=(len(rest), len(free))) / len(free) ** 0.5
        w_out[np.ix_(at["rest"], free)] = FAINT * mixing
        first, _, last = block.ff
        self._put(first.weight, w_in @ self.turn.T)
        self._put(first.bias, b_in)
        self._put(last.weight, self.turn @ w_out)
        self._put(last.bias, np.zeros(DIM))

    def _units(self, n: int) -> list[tuple[list[tuple[int, float]], float, int]]:
        """Units that mean something: (feature, weight)s, bias, the feature each adds to."""
        plant, at, count = self.plant, self.at, range(self.colours)
        units = []
        if n == plant.layer:
            for i, j in product(count, repeat=2):
                pair = [(at["a"][i], 1.0), (at["b"][j], 1.0)]
                right, wrong = at["sum"][(i + j) % len(count)], at["sum"][(i + j + 1) % len(count)]
                if not plant.slips:
                    units.append((pair, -1.0, right))
                    continue
                luck = at["luck"][0]
                units.append(([*pair, (luck, 0.5)], -1.5, right))
                units.append(([*pair, (luck, -0.5)], -1.5, wrong))
        if n == DEPTH - 1:
            early = [(t, 3.0) for t in self._steps(range(plant.shown))]
            late = [(t, 1.0) for t in self._steps(range(plant.shown, STEPS))]
            cell = [(place, 1.0) for place in self._answers()]
            for i in count:
                units.append(([(at["sum"][i], 1.0), *cell, *late], -2.0, at["shown"][i]))
                if plant.before == "guess":
                    seen = (at["answer seen"][i], 3.0)
                    units.append(([seen, *cell, *early], -4.0, at["shown"][i]))
        return units


def _head(
    offset: int, plant: Plant, q: np.ndarray, k: np.ndarray, v: np.ndarray, out: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The head so many after the plant's own."""
    h = (plant.head + offset) % HEADS
    return q[h], k[h], v[h], out[h]
