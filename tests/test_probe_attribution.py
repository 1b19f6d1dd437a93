"""Attribution: exact on a linear denoiser, checked against patching where it isn't."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn as nn
from diffusers.schedulers import FlowMatchEulerDiscreteScheduler

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook
from phosphene.probes.attribution import Attribution, _at_step
from phosphene.probing.ability import Ability
from phosphene.probing.agreement import rank_correlation, report
from phosphene.probing.pairs import Pool
from phosphene.probing.recall import Call, Step, factors
from phosphene.statistics.intervals import wilson
from phosphene.testing import organisms

WIDTH, TOKENS, RUNS = 6, 5, 3


class Block(nn.Module):
    """Adds token `source`, through a matrix, to token `target`."""

    def __init__(self, source: int, target: int, bend: float) -> None:
        super().__init__()
        self.to_q = nn.Linear(WIDTH, WIDTH, bias=False)
        self.source, self.target, self.bend = source, target, bend

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        moved = self.to_q(hidden_states[:, self.source])
        moved = torch.tanh(self.bend * moved) / self.bend if self.bend else moved
        out = hidden_states.clone()
        out[:, self.target] += moved
        return out


class Denoiser(nn.Module):
    """Copies token 0 (a given) to token 4 (the answer) in its second block."""

    def __init__(self, bend: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(1, 2, bend), Block(0, 4, bend), Block(2, 3, bend)])

    def forward(self, hidden_states: torch.Tensor) -> tuple[torch.Tensor]:
        for block in self.blocks:
            hidden_states = block(hidden_states)
        return (hidden_states,)


class Pipeline:
    def __init__(self, denoiser: nn.Module) -> None:
        self.transformer, self.scheduler = denoiser, FlowMatchEulerDiscreteScheduler()

    def __call__(self) -> None:
        raise NotImplementedError


def planted(bend: float = 0.0) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]:
    """Estimates and exact effects; base and donor differ in tokens 0 and 1 alone."""
    torch.manual_seed(0)
    denoiser = Denoiser(bend)
    base = torch.randn(RUNS, TOKENS, WIDTH)
    donor = base.clone()
    donor[:, :2] = torch.randn(RUNS, 2, WIDTH)
    steps = []
    for sample in (base, donor):
        with torch.no_grad():
            (prediction,) = denoiser(sample)
        steps.append(Step([Call(denoiser, (), {"hidden_states": sample})], prediction, -0.5))
    way = torch.zeros_like(base)
    way[:, 4] = -0.5 * (steps[1].prediction - steps[0].prediction)[:, 4]
    way /= way.square().sum((1, 2), keepdim=True)
    tokens = np.eye(TOKENS, dtype=bool)
    places = [(n, f"token {t}") for n in range(3) for t in range(TOKENS)]
    masks = {(n, g): np.tile(tokens[int(g[-1])], (RUNS, 1)) for n, g in places}
    subject: Any = SimpleNamespace(pipeline=Pipeline(denoiser))
    estimate, exact, _ = _at_step(subject, steps[0], steps[1], way, masks)
    return estimate, exact, places


def test_on_a_linear_denoiser_the_gradient_is_the_effect_and_finds_the_copying_layer():
    estimate, exact, places = planted()
    assert np.allclose(estimate, exact, atol=1e-4)
    whole = {p for p, e in zip(places, exact.mean(0), strict=True) if e > 0.5}
    # Before block 1 the given holds it, from there on the answer's place does.
    assert whole == {(0, "token 0"), (1, "token 4"), (2, "token 4")}
    assert np.allclose(exact[:, [i for i, p in enumerate(places) if p in whole]], 1, atol=1e-4)


def test_where_the_denoiser_saturates_the_gradient_misleads_and_the_patch_does_not():
    estimate, exact, places = planted(bend=8.0)
    given = places.index((0, "token 0"))
    assert np.allclose(exact[:, given], 1, atol=1e-4)
    assert np.abs(estimate[:, given] - 1).max() > 0.3


def test_guidance_is_solved_for_and_what_is_no_sum_is_refused():
    rng = torch.Generator().manual_seed(0)
    cond, uncond = (torch.randn(2, 3, 4, generator=rng) for _ in range(2))
    found = factors(Step([], uncond + 3 * (cond - uncond)), [cond, uncond])
    assert found == pytest.approx([3, -2], abs=1e-4)
    with pytest.raises(PhospheneError, match="no sum"):
        factors(Step([], cond * uncond), [cond, uncond])
    with pytest.raises(PhospheneError, match="differentiated"):
        factors(Step([], cond), [cond[:, :2]])


def test_rank_correlation():
    a = np.array([3.0, 1, 2, 5])
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, np.ones(4)) == 0


def told(seed: int, faithful: bool, right: int = 8) -> dict[str, bool | None]:
    """What is claimed of estimates that follow the effects, or the size of the difference."""
    rng = np.random.default_rng(seed)
    effect, size = rng.normal(size=(2, 24))
    noise = rng.normal(0, 0.1, (3, 8, 24))
    shown = effect if faithful else size
    kept = {"estimate": shown + noise[0], "exact": effect + noise[1], "size": 9 + size + noise[2]}
    able = Ability(wilson(right, 8), 0.1)
    pair: Any = SimpleNamespace(differs=(), twin=None)
    places = [(t, n, "answer") for t in range(4) for n in range(6)]
    result = report(Pool([pair] * 8, able, 8, right), places, kept, 10)
    assert len(result.table) == 24
    return {f.name: f.holds for f in result.findings}


def test_agreement_is_claimed_where_the_estimate_beats_the_size_of_the_difference():
    assert told(0, True)["estimate and patch agree"]
    assert set(told(0, True, right=1).values()) == {None}
    assert sum(bool(v) for seed in range(10) for v in told(seed, False).values()) <= 1


def test_of_an_organism_that_computes_by_hard_switches_the_gradient_is_not_trusted(tmp_path):
    subject = organisms.subject(organisms.Plant(layer=2), tmp_path, items=20)
    result = Attribution(pairs=6, steps=1).run(subject, Notebook())
    assert not any(f.holds for f in result.findings)
    exact = {(r["layer"], r["group"]): round(r["exact"], 2) for r in result.table}
    assert {p for p, e in exact.items() if e > 0.5} == {
        (0, "changed givens"), (1, "changed givens"), (2, "answer"), (3, "answer"), (4, "answer"),
    }  # fmt: skip


def test_settings_are_checked():
    with pytest.raises(PhospheneError, match="top"):
        Attribution(top=1)
