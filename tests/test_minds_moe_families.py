"""Every family of mixtures of experts: attaches, reads, is edited, claims nothing of nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.contrast import Contrast, Pair, in_tokens
from phosphene.minds.forcing import outcome, push
from phosphene.minds.mind import Mind
from phosphene.minds.observe import observe_mind
from phosphene.minds.routing import read_routing
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.thinking import prepare, start
from phosphene.minds.wires import Site, Wires
from phosphene.notebook import Notebook
from phosphene.testing.minds import tiny_mind
from phosphene.testing.moe import FAMILIES, tiny_moe
from phosphene.testing.planted_moe import write_pairs

TEXTS = ["ash to bay. cod to ash. from cod 2 hops.", "ash to bay."]


def logits(mind: Mind, rows: int = 2) -> torch.Tensor:
    with torch.no_grad():
        return prepare(mind, start(mind, mind.inputs(TEXTS[:rows])), "thoughts", 2).logits


@pytest.mark.parametrize("family", FAMILIES)
def test_reads_every_call_and_leaves_the_model_as_it_was(family: str) -> None:
    mind = tiny_moe(family)
    plain = logits(mind)
    routers = Wires(mind.model).routers()
    assert routers.layers == ((1, 2) if family.startswith("deepseek") else (0, 1, 2))
    with routers.reading() as taken:
        assert torch.equal(logits(mind), plain)
    assert torch.equal(logits(mind), plain)
    for layer, routed in taken.items():
        # The question with its mark, two thoughts, the end mark.
        assert [tuple(v.shape) for v in routed.logits[1:]] == [(2, 1, 8)] * 3
        for states, z, weights, chosen in zip(
            routed.inputs, routed.logits, routed.weights, routed.chosen, strict=True
        ):
            assert z.dtype == torch.float32
            assert set(chosen.sum(-1).flatten().tolist()) == {2}
            assert torch.equal(weights > 0, chosen)
            bias = getattr(mind.model.model.layers[layer].mlp, "router", None)
            own = states @ routers.rows(layer).T + (0 if bias is None else bias.bias)
            assert torch.allclose(z, own, atol=1e-5)
            assert not torch.allclose(z.sum(-1), torch.ones(z.shape[:-1]), atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_choice_is_made_anew_in_the_familys_own_way(family: str) -> None:
    """Logits exchanged for those of other inputs give what those inputs are routed by."""
    mind = tiny_moe(family)
    wires = Wires(mind.model)
    layer = wires.routers().layers[-1]
    other = torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(1)) * 2
    router = mind.model.model.layers[layer].mlp
    router = getattr(router, "gate", None) or router.router
    # A state that this router gives these logits to.
    bias = getattr(router, "bias", torch.zeros(8)).detach()
    states = (other[:, 0] - bias) @ torch.linalg.pinv(router.weight.detach()).T
    with torch.no_grad():
        _, weights, index = router(states)
    want = torch.zeros(2, 8).scatter(1, index, weights.float())
    sites = {Site("gate", layer): lambda value, call: other.expand_as(value)}
    with wires.editing(sites), wires.routers().reading() as taken:
        changed = logits(mind)
    got = taken[layer].weights
    assert all(torch.allclose(w, want[:, None].expand_as(w), atol=1e-4) for w in got)
    assert (changed - logits(mind)).abs().max() > 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_forces_an_expert_in_out_and_silences_it(family: str) -> None:
    mind = tiny_moe(family)
    subject = MindSubject(mind, MindSetup(items=2))
    prompts = in_tokens(mind, [Pair(TEXTS[0], TEXTS[1], "ash", "bay")])
    routers = subject.wires.routers()
    with routers.reading() as taken:
        logits(mind)
    layer = routers.layers[0]
    use = torch.cat([c.flatten(0, 1) for c in taken[layer].chosen]).float().mean(0)
    used = int(use.argmax())
    out = outcome(subject, routers, prompts, layer, used, "out")
    forced = outcome(subject, routers, prompts, layer, used, "in")
    silent = outcome(subject, routers, prompts, layer, used, "silence")
    assert out["took"] == 1
    # DeepSeek-V3 weighs groups by their two best, which one expert can't overrule everywhere.
    assert forced["took"] == 1 if family != "deepseek_v3" else forced["took"] > float(use[used])
    assert silent["odds"] != forced["odds"] != out["odds"]
    assert np.isfinite(silent["odds"]).all()
    # Nobody's output is missed where its weight is nought.
    with wires_out(subject, layer, used):
        without = logits(mind)
        with routers.silencing(layer, used):
            assert torch.equal(logits(mind), without)


def wires_out(subject: MindSubject, layer: int, expert: int):
    return subject.wires.editing({Site("gate", layer): push(expert, False)})


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_is_not_counted(family: str) -> None:
    """The short text alone, and beside a long one: the same routing."""
    mind = tiny_moe(family)
    long = " ".join(TEXTS[0].split() * 3)

    def share(beside: str) -> np.ndarray:
        pairs = (Pair("ash to bay.", "bay to ash."), Pair(beside, beside))
        subject = MindSubject(mind, MindSetup(items=2))
        return read_routing(subject, Contrast(pairs, ""), Notebook(), "all").share[:, 0]

    assert np.allclose(share("ash to bay."), share(long), atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_random_weights_give_null_results(family: str) -> None:
    """A problem and its twin are exchangeable, so is which of two prompts is called a."""
    mind = tiny_moe(family, layers=2)
    for probe in ("gates", "experts"):
        found = observe_mind(probe, mind, MindSetup(items=16)).findings
        assert not any(f.holds for f in found), [f.says for f in found if f.holds]


def test_dense_models_are_refused() -> None:
    for probe in ("gates", "experts"):
        with pytest.raises(PhospheneError, match="has no routers"):
            observe_mind(probe, tiny_mind("llama"), MindSetup(items=2))


def test_changes_of_one_gate_follow_one_another() -> None:
    """A read behind an edit sees the edit, one before it doesn't; taken back, nothing is left."""
    mind = tiny_moe()
    plain, wires, site = logits(mind), Wires(mind.model), Site("gate", 1)
    with (
        wires.reading([site]) as before,
        wires.editing({site: push(3, True)}),
        wires.reading([site]) as after,
    ):
        logits(mind)
    for old, new in zip(before.values[site], after.values[site], strict=True):
        others = [e for e in range(8) if e != 3]
        assert torch.equal(old[..., others], new[..., others])
        assert (new.argmax(-1) == 3).all()
    assert torch.equal(logits(mind), plain)
    assert not mind.model.model.layers[1].mlp.gate._forward_hooks


def test_small_differences_survive_half_precision() -> None:
    mind = tiny_moe("qwen3_moe")
    mind.model.to(torch.bfloat16)
    plain, wires = logits(mind), Wires(mind.model)
    with wires.routers().reading() as taken:
        assert torch.equal(logits(mind), plain)
    assert taken[0].logits[0].dtype == torch.float32
    # 0.01 on a logit of 30 is below what bfloat16 tells apart.
    level = {Site("gate", 0): lambda value, call: push(5, True)(value * 0 + 30, call)}
    with wires.editing(level), wires.routers().reading([0]) as taken:
        logits(mind)
    assert all(chosen[..., 5].all() for chosen in taken[0].chosen)


def test_probabilities_returned_as_logits_are_seen_through() -> None:
    mind = tiny_moe()
    router = mind.model.model.layers[0].mlp.gate
    forward = router.forward

    def softened(states: torch.Tensor) -> tuple:
        z, weights, index = forward(states)
        return z.softmax(-1), weights, index

    wires = Wires(mind.model)
    with wires.reading([Site("gate", 0)]) as honest:
        logits(mind)
    router.forward = softened
    with wires.reading([Site("gate", 0)]) as taken:
        logits(mind)
    for a, b in zip(honest.values[Site("gate", 0)], taken.values[Site("gate", 0)], strict=True):
        assert torch.equal(a, b)


def test_gradient_reaches_the_logits() -> None:
    mind = tiny_moe()
    wires, site = Wires(mind.model), Site("gate", 1)
    with wires.reading([site], keep=True) as taken:
        state = start(mind, mind.inputs(TEXTS))
    (slope,) = torch.autograd.grad(state.logits[:, 0].sum(), taken.values[site])
    assert slope.abs().max() > 0


def test_pairs_of_unlike_lengths_go_through(tmp_path) -> None:
    pairs = [Pair(f"log log ash to {n}.", f"ash to {n}.") for n in ("bay", "cod", "dew", "elm")]
    path = write_pairs(pairs, tmp_path / "pairs.jsonl")
    result = observe_mind("gates", tiny_moe(layers=1), MindSetup(items=9), {"pairs": str(path)})
    assert result.findings[0].n == 4
    with pytest.raises(PhospheneError, match="two words"):
        observe_mind("experts", tiny_moe(layers=1), MindSetup(items=9), {"pairs": str(path)})
