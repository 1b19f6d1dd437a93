"""Modes: a generator with known truth, for tests of search. No weights; a thousand clips a second.

What it draws follows from its noise x, 1,024 numbers: x's part in one hidden subspace (12 numbers)
picks one of 200 modes, its part in another (24 numbers) says how good the clip is.

    mode     the j that minimises |u - c_j|^2 - w_j      u = U x + a shift by the prompt
    quality  the share of all white noise that lies farther from a hidden ideal than v = V x

The w are fitted so that white noise falls into the modes by Zipf's law, and quality is uniform in
0..1 under white noise, by construction: |v - ideal|^2 has a noncentral chi-squared distribution.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from phosphene.backbone import BackboneSpec, Capabilities, Preview, Previewing
from phosphene.clip import Clip
from phosphene.embedding import Embedding
from phosphene.errors import PhospheneError
from phosphene.noise import Noise
from phosphene.quality import Quality
from phosphene.request import Request

LENGTH = 1024  # numbers of noise, drawn as (1, 4, 16, 16)
_PLACE, _MERIT = 12, 24  # dimensions of the two subspaces
_OFF = 0.25  # how far the length of the noise may be from white noise's, as a share
_ZIPF = 1.5
_SHIFT = 0.5  # length of what a prompt adds to u, whose own standard deviation is 1
BROKEN = -1


@dataclass(frozen=True, eq=False)
class Modes(Previewing):
    """Draws 16x16 pictures whose pixels hold mode, quality, u and v.

    A picture is a grey or coloured field with numbers of 16 bits, high byte first, in its first
    bytes: mode + 1, quality * 65535, and u and v from -8..8. `read` gets them back.

    Args:
        seed: of the hidden truth.
        modes: how many there are.
        steps: denoising steps where a request doesn't say.
        spec: part of the key, as with any backbone.
    """

    seed: int = 0
    modes: int = 200
    steps: int = 8
    spec: BackboneSpec = field(default_factory=lambda: BackboneSpec("modes"))

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def fingerprint(self) -> str:
        return f"modes:{self.seed}:{self.modes}"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            produces=frozenset({"image"}),
            accepts=frozenset({"prompt", "steps", "noise", "steering", "seed", "index"}),
            defaults={"steps": self.steps},
        )

    def check(self, request: Request) -> None:
        for name in ("negative", "first_frame", "last_frame", "width", "height", "guidance"):
            if getattr(request, name) is not None:
                raise PhospheneError(f"{name} can't be honoured: Modes takes none; leave it out")
        if set(request.noise) - {"video"}:
            raise PhospheneError("Modes has noise for the stream 'video' alone")
        for steer in request.steering:
            if steer.get("op") != "renoise":
                raise PhospheneError(f"Modes can be steered by renoise alone; got {steer}")

    def like(self, request: Request) -> tuple:
        return (request.steps, bool(request.steering))

    def noise(self, request: Request, steps: int | None = None) -> np.ndarray:
        """The noise behind a sample, float32 `(1024,)`, each `renoise` included.

        A step of renoising counts by the noise that is left then: the later, the less it changes.

        Args:
            steps: leave out what is done to the sample after so many steps.
        """
        whole = request.steps or self.steps
        held = request.noise.get("video")
        x = _draw(Noise.fresh(request.stream("video")) if held is None else Noise.of(held))
        for steer in request.steering:
            if steps is None or steer["step"] < steps:
                b = steer["b"] * max(0.0, 1 - steer["step"] / whole)
                x = np.sqrt(1 - b * b) * x + b * _draw(Noise.fresh(steer["seed"]))
        return x.astype(np.float32)

    def truth(self, noise: np.ndarray, prompts: Sequence[str]) -> tuple[np.ndarray, ...]:
        """What noise `(n, 1024)` leads to: mode int `(n,)`, quality `(n,)`, u and v.

        Noise whose length is far from white noise's breaks: mode -1, quality 0.
        """
        from scipy.stats import ncx2

        hidden = _hidden(self.seed, self.modes)
        u = noise @ hidden.place + np.stack([_shift(p) for p in prompts])
        v = noise @ hidden.merit
        mode = (2 * u @ hidden.centres.T + hidden.offsets).argmax(1)
        far = ((v - hidden.ideal) ** 2).sum(1)
        quality = ncx2.sf(far, _MERIT, (hidden.ideal**2).sum())
        broken = abs(np.linalg.norm(noise, axis=1) / np.sqrt(LENGTH) - 1) > _OFF
        return np.where(broken, BROKEN, mode), np.where(broken, 0.0, quality), u, v

    def drawn(self, noise: np.ndarray, prompts: Sequence[str]) -> list[Clip]:
        """The clips that noise `(n, 1024)` leads to."""
        mode, quality, u, v = self.truth(noise, prompts)
        numbers = np.concatenate(
            [
                np.stack([mode + 1, np.round(quality * 65535)], 1),
                np.round((np.concatenate([u, v], 1).clip(-8, 8) + 8) / 16 * 65535),
            ],
            1,
        )
        pixels = np.repeat(_colours(mode)[:, None], 256, 1).reshape(len(mode), -1)
        head = numbers.astype(">u2").view(np.uint8)
        pixels[:, : head.shape[1]] = head
        return [Clip(p.reshape(1, 16, 16, 3)) for p in pixels]

    def generate(self, requests: Sequence[Request]) -> list[Clip]:
        for request in requests:
            self.check(request)
        noise = np.stack([self.noise(r) for r in requests])
        return self.drawn(noise, [r.prompt for r in requests])

    def advance(
        self, requests: Sequence[Request], to: int | None, given: Sequence[Preview | None]
    ) -> list[Preview]:
        """A preview after k of n steps is what x + (1 - k/n) e leads to, e white and x's own."""
        out = []
        for request in requests:
            self.check(request)
            whole = request.steps or self.steps
            steps = whole if to is None else to
            if not 0 < steps <= whole:
                raise PhospheneError(f"a preview after {steps} steps: there are {whole}")
            x = self.noise(request, None if steps == whole else steps)
            if steps < whole:
                level = 1 - steps / whole
                words = json.dumps(request.record().get("noise", request.stream("video")))
                own = int.from_bytes(hashlib.sha256(words.encode()).digest()[:7], "big")
                x = (x + level * _draw(Noise.fresh(own))) / np.sqrt(1 + level**2)
            clip = self.drawn(x[None], [request.prompt])[0]
            out.append(Preview(request, clip, steps, steps == whole))
        return out

    @property
    def shares(self) -> np.ndarray:
        """The share of white noise that each mode is meant to get: Zipf's law, `(modes,)`."""
        return _zipf(self.modes)

    @staticmethod
    def count(clips: Sequence[Clip]) -> int:
        """How many modes are among the clips."""
        return len(set(read(clips)["mode"].tolist()) - {BROKEN})


def read(clips: Sequence[Clip]) -> dict[str, np.ndarray]:
    """What the pixels of clips hold: `mode` int, `quality`, `u` `(n, 12)` and `v` `(n, 24)`.

    Raises:
        PhospheneError: clips that `Modes` didn't draw.
    """
    if any(c.frames is None or c.frames.shape != (1, 16, 16, 3) for c in clips):
        raise PhospheneError("these clips are none that Modes drew")
    width = 2 * (2 + _PLACE + _MERIT)
    rows = np.stack([np.asarray(c.frames).reshape(-1)[:width] for c in clips])
    numbers = rows.view(">u2").astype(np.float64)
    parts = numbers[:, 2:] / 65535 * 16 - 8
    return {
        "mode": numbers[:, 0].astype(int) - 1,
        "quality": numbers[:, 1] / 65535,
        "u": parts[:, :_PLACE],
        "v": parts[:, _PLACE:],
    }


@dataclass(frozen=True)
class ModesEmbedding(Embedding):
    """Unit vectors in which clips of one mode lie together: 80 % of a vector's square is the
    mode's own, half of that from where the mode lies; the rest tells clips of a mode apart.

    Args:
        seed, modes: as in `Modes`.
    """

    seed: int = 0
    modes: int = 200
    name: ClassVar[str] = "modes"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        """Float32 `(n, 128)`."""
        if not clips:
            return np.zeros((0, 128), np.float32)
        seen = read(clips)
        codes, inside = _codes(self.seed, self.modes)
        own = np.concatenate([seen["u"], seen["v"]], 1) @ inside
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        # The last code is that of what is broken.
        vectors = np.sqrt(0.8) * codes[seen["mode"]] + np.sqrt(0.2) * own
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class ModesQuality(Quality):
    """The quality that is written in the pixels, 0..1."""

    name: ClassVar[str] = "modes"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        return read(clips)["quality"].tolist() if clips else []


@dataclass(frozen=True, eq=False)
class _Hidden:
    place: np.ndarray
    merit: np.ndarray
    centres: np.ndarray
    offsets: np.ndarray
    ideal: np.ndarray


@functools.cache
def _hidden(seed: int, modes: int) -> _Hidden:
    """The truth: projections with orthonormal columns, centres, offsets, and the ideal."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((LENGTH, _PLACE + _MERIT)))[0]
    centres = rng.standard_normal((modes, _PLACE))
    ideal = rng.standard_normal(_MERIT)
    squares = (centres**2).sum(1)
    scores = (2 * rng.standard_normal((8192, _PLACE)) @ centres.T - squares).astype(np.float32)
    offsets = np.zeros(modes, np.float32)
    few = 0.2 / len(scores)
    for i in range(80):
        found = np.bincount((scores + offsets).argmax(1), minlength=modes) / len(scores)
        offsets += np.log((_zipf(modes) + few) / (found + few)).astype(np.float32) / (1 + i / 20)
    ideal *= np.sqrt(_MERIT) / np.linalg.norm(ideal)
    return _Hidden(
        basis[:, :_PLACE], basis[:, _PLACE:], centres, offsets.astype(float) - squares, ideal
    )


@functools.cache
def _codes(seed: int, modes: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of the modes and of what is broken `(modes + 1, 128)`; and a projection."""
    rng = np.random.default_rng([seed, 1])
    near = _hidden(seed, modes).centres @ rng.standard_normal((_PLACE, 128))
    own = rng.standard_normal((modes, 128))
    parts = [p / np.linalg.norm(p, axis=1, keepdims=True) for p in (near, own)]
    codes = np.concatenate([sum(parts), rng.standard_normal((1, 128))])
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    return codes, rng.standard_normal((_PLACE + _MERIT, 128))


def _zipf(modes: int) -> np.ndarray:
    shares = np.arange(1, modes + 1) ** -_ZIPF
    return shares / shares.sum()


def _draw(noise: Noise) -> np.ndarray:
    import torch

    draws = [
        torch.randn((1, 4, 16, 16), generator=torch.Generator().manual_seed(seed))
        for seed, _, _ in noise.terms
    ]
    return noise.mix(draws).flatten().numpy()


@functools.lru_cache(maxsize=4096)
def _shift(prompt: str) -> np.ndarray:
    """What a prompt adds to u; nothing if it is empty."""
    if not prompt:
        return np.zeros(_PLACE)
    digest = hashlib.sha256(prompt.encode()).digest()
    way = np.random.default_rng(list(digest)).standard_normal(_PLACE)
    return _SHIFT * way / np.linalg.norm(way)


def _colours(mode: np.ndarray) -> np.ndarray:
    """A colour a mode, uint8 `(n, 3)`; black for what is broken."""
    turns = np.outer(mode + 1, (0.618, 0.382, 0.271)) % 1
    return np.where(mode[:, None] == BROKEN, 0, 55 + 200 * turns).astype(np.uint8)
