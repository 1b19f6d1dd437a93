"""Steers: closed forms, what they leave alone, and that each sample of a batch is steered alone."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from phosphene import steer
from phosphene.backbone import BackboneSpec, open_backbone
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.exploring import latents
from phosphene.exploring.latents import keeping_latents
from phosphene.request import Request
from phosphene.steers.anneal import Anneal
from phosphene.steers.blend_prompt import between, slerp
from phosphene.steers.renoise import Renoise, renoised
from phosphene.steers.repel import push
from phosphene.tap import Edit, Read, Tap
from phosphene.tap.estimate import mixture
from phosphene.testing import tiny

RENOISE = {"op": "renoise", "step": 2, "b": 0.7, "seed": 3}
ANNEAL = {"op": "anneal", "scale": 2.0, "start": 1.0, "stop": 0.1, "seed": 3}
BLEND = {"op": "blend_prompt", "prompt": "a red bell", "share": 0.5}
SIZES = {
    "stable_diffusion": {"width": 32, "height": 32, "steps": 4, "guidance": 3.0},
    "ltx2": {"width": 64, "height": 64, "frames": 9, "steps": 4, "guidance": 3.0},
}


@pytest.fixture(scope="module", params=SIZES)
def family(request, tmp_path_factory):
    return _opened(request.param, tmp_path_factory)


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    return _opened("stable_diffusion", tmp_path_factory)


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    return _opened("ltx2", tmp_path_factory)


_backbones: dict[str, tuple[Any, Callable[..., Request]]] = {}


def _opened(name: str, tmp_path_factory) -> tuple[Any, Callable[..., Request]]:
    """A backbone, and what makes a request of it."""
    if name not in _backbones:
        backbone = open_backbone(str(tiny.save(name, tmp_path_factory.mktemp(name))))

        def asking(*steering: dict[str, Any], **changes: Any) -> Request:
            return Request(**{"prompt": "a ball", "steering": steering, **SIZES[name], **changes})

        _backbones[name] = backbone, asking
    return _backbones[name]


def apart(a: Clip, b: Clip) -> tuple[int, float]:
    """Greatest differences in grey levels and in sound."""
    assert a.frames is not None
    assert b.frames is not None
    heard = 0.0 if a.audio is None or b.audio is None else float(abs(a.audio - b.audio).max())
    return int(abs(a.frames.astype(int) - b.frames).max()), heard


# What a request may say


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"op": "renois"}, "did you mean renoise"),
        ({"step": 1}, "NAME"),
        ({"op": "renoise", "step": 1, "b": 0.5}, "needs seed"),
        ({**RENOISE, "size": 3}, "setting of the steer 'renoise' 'size'"),
        ({**RENOISE, "step": 0}, "of at least 1; got 0"),
        ({**RENOISE, "step": 1.5}, "whole number"),
        ({**RENOISE, "b": "much"}, "got 'much'"),
        ({**ANNEAL, "start": 0.2, "stop": 0.5}, "from 0 to 0.2"),
        ({"op": "repel", "radius": 1.0, "points": ["../../etc"]}, "digests"),
        ({"op": "repel", "radius": float("nan"), "points": []}, "radius"),
        ({"op": "adapters", "weights": {"style": 1.0}}, "--lora"),
        ({"op": "adapters", "weights": {}}, "name LoRAs"),
        ({**BLEND, "prompt": 7}, "words"),
    ],
)
def test_wrong_steering_is_refused_in_a_line_before_weights_are_read(weightless, record, told):
    backbone = open_backbone(weightless)
    with pytest.raises(PhospheneError, match=told) as caught:
        backbone.generate([Request(prompt="a", steering=(record,))])
    assert "\n" not in str(caught.value)
    assert "pipeline" not in vars(backbone)


@pytest.fixture(scope="module")
def weightless(tmp_path_factory) -> str:
    """The configurations of a tiny pipeline, without weights."""
    directory = tiny.save("stable_diffusion", tmp_path_factory.mktemp("weightless"))
    for weights in directory.rglob("*.safetensors"):
        weights.unlink()
    return str(directory)


def test_steered_and_bare_requests_share_no_call_but_settings_may_differ(still):
    backbone, asking = still
    assert backbone.like(asking(RENOISE)) != backbone.like(asking())
    assert backbone.like(asking(RENOISE)) == backbone.like(asking({**RENOISE, "b": 0.1, "step": 1}))
    assert backbone.like(asking(RENOISE, ANNEAL)) != backbone.like(asking(ANNEAL, RENOISE))
    weights = [{"op": "adapters", "weights": {"a": w}} for w in (0.5, 1.0)]
    assert steer.shape(weights[:1]) != steer.shape(weights[1:])


def test_each_sample_of_a_batch_is_steered_alone(family, tmp_path):
    backbone, asking = family
    point = _point(backbone, asking(seed=1), tmp_path)
    each = [
        (RENOISE, ANNEAL, BLEND, {"op": "repel", "radius": 2.0, "points": [point]}),
        (
            {**RENOISE, "step": 3, "seed": 9},
            {**ANNEAL, "seed": 4},
            {**BLEND, "prompt": "snow", "share": 0.9},
            {"op": "repel", "radius": 0.0, "points": []},
        ),
    ]
    requests = [asking(*steering, seed=i) for i, steering in enumerate(each)]
    calls = []
    with backbone._loaded().runner.watched(_noting(calls)):
        together = backbone.generate(requests)
        assert len(calls[-1]) == 2
        for request, clip in zip(requests, together, strict=True):
            seen, heard = apart(backbone.generate([request])[0], clip)
            assert seen <= 1
            assert heard <= 1e-4


def _noting(calls):
    import contextlib

    @contextlib.contextmanager
    def noting(requests):
        calls.append(requests)
        yield

    return noting


def _point(backbone, request, tmp_path) -> str:
    with keeping_latents(backbone) as kept:
        backbone.generate([request])
    latents.register(tmp_path)
    return latents.store(tmp_path, kept[request])


@pytest.mark.parametrize(
    "neutral",
    [
        {**RENOISE, "b": 0.0},
        {**ANNEAL, "start": 1.0, "stop": 1.0},
        {**BLEND, "share": 0.0},
        {"op": "repel", "radius": 0.0, "points": []},
    ],
)
def test_a_steer_of_no_strength_changes_nothing(family, neutral):
    backbone, asking = family
    plain, steered = asking(), asking(neutral)
    a, b = backbone.generate([plain])[0], backbone.generate([steered])[0]
    assert apart(a, b)[0] <= 1
    assert apart(a, b)[1] <= 1e-4


@pytest.mark.parametrize("strong", [RENOISE, ANNEAL, BLEND])
def test_a_steer_changes_sight_and_sound_and_leaves_nothing_behind(family, strong):
    backbone, asking = family
    (before,) = backbone.generate([asking()])
    (steered,) = backbone.generate([asking(strong)])
    (after,) = backbone.generate([asking()])
    assert before.digest == after.digest
    seen, heard = apart(before, steered)
    assert seen > 2
    assert before.audio is None or heard > 1e-4


# Renoise


def test_renoising_keeps_the_clean_part_and_the_length_of_the_noise():
    generator = torch.Generator().manual_seed(0)
    x0, e = torch.randn((2, 1, 3, 400, 400), generator=generator).unbind(0)
    a, s = torch.tensor(0.8), torch.tensor(0.6)
    for b in (0.3, 0.7, 1.0):
        new = renoised(a * x0 + s * e, x0, a, s, [Renoise(1, b, 5)], 0)
        noise = (new - a * x0) / s
        assert float(noise.std()) == pytest.approx(1, abs=5e-3)
        assert float((noise * e).mean()) == pytest.approx(math.sqrt(1 - b * b), abs=5e-3)
        assert float((noise * x0).mean()) == pytest.approx(0, abs=5e-3)
    sound = renoised(a * x0 + s * e, x0, a, s, [Renoise(1, 1.0, 5)], 1)
    assert abs(float(((sound - a * x0) / s * noise).mean())) < 5e-3


def test_what_is_given_stays():
    x = torch.randn(1, 4, 8)
    x0 = torch.cat([x[:, :2], torch.randn(1, 2, 8)], 1)
    new = renoised(x, x0, torch.tensor(0.5), torch.tensor(0.5), [Renoise(1, 1.0, 5)], 0)
    assert torch.equal(new[:, :2], x[:, :2])
    assert (new[:, 2:] != x[:, 2:]).all()


@pytest.mark.parametrize(
    "name",
    [
        "DDIMScheduler",
        "DDPMScheduler",
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "DPMSolverMultistepScheduler",
        "UniPCMultistepScheduler",
        "FlowMatchEulerDiscreteScheduler",
    ],
)
def test_the_mixture_is_what_the_scheduler_itself_makes(name):
    import diffusers

    scheduler = getattr(diffusers, name)()
    scheduler.set_timesteps(6)
    x = torch.randn(1, 4, 4, 4)
    for i in range(3):
        scheduler.step(torch.randn(1, 4, 4, 4), scheduler.timesteps[i], x)
    a, s = mixture(scheduler, scheduler.timesteps[2])
    x0, e = torch.randn(2, 1, 4, 4, 4).unbind(0)
    told = scheduler.timesteps[3:4]
    add = getattr(scheduler, "add_noise", None)
    made = add(x0, e, told) if add else scheduler.scale_noise(x0, told, e)
    assert torch.allclose(made, (a * x0 + s * e).float(), atol=1e-5)


def test_what_comes_before_the_step_is_shared(still):
    backbone, asking = still
    with Tap(backbone.pipeline, [Read("x_t")]) as plain:
        backbone.generate([asking()])
    with Tap(backbone.pipeline, [Read("x_t")]) as steered:
        backbone.generate([asking(RENOISE)])
    for at, value in plain.values.items():
        assert torch.equal(value, steered.values[at]) == (at.step < RENOISE["step"])


def test_a_step_that_the_run_lacks_is_an_error(still):
    backbone, asking = still
    for step in (4, 40):
        with pytest.raises(PhospheneError, match=f"renoise at step {step}"):
            backbone.generate([asking({**RENOISE, "step": step})])


def test_a_given_picture_survives_renoising():
    ember = open_backbone("ember")
    picture = np.full((64, 64, 3), 200, np.uint8)
    request = Request(prompt="bounce the ball", first_frame=picture, frames=3, steps=3)
    steered = replace(request, steering=({**RENOISE, "step": 1, "b": 1.0},))
    a, b = ember.generate([request, steered])
    assert (a.frames[0] == b.frames[0]).all()
    assert apart(a, b)[1] > 1e-3


# Anneal


def test_the_condition_comes_in_with_time():
    anneal = Anneal(start=0.9, stop=0.5)
    weights = [anneal.weight(time) for time in (1.0, 0.9, 0.7, 0.5, 0.1)]
    assert weights == pytest.approx([0, 0, 0.5, 1, 1])
    assert Anneal(start=0.5, stop=0.5).weight(0.6) == 0


def test_an_annealed_condition_keeps_mean_and_deviation():
    y = 3 + 2 * torch.randn(1, 20, 200, generator=torch.Generator().manual_seed(0))
    for time in (0.95, 0.7):
        new = Anneal(scale=1.0, start=0.9, stop=0.5).annealed(y, time, 0)
        assert float(new.mean()) == pytest.approx(float(y.mean()), rel=1e-3)
        assert float(new.std()) == pytest.approx(float(y.std()), rel=1e-3)
        g = Anneal(start=0.9, stop=0.5).weight(time)
        cosine = torch.corrcoef(torch.stack([new.flatten(), y.flatten()]))[0, 1]
        assert float(cosine) == pytest.approx(math.sqrt(g), abs=0.03)
    assert torch.equal(Anneal().annealed(y, 0.1, 0), y)


def test_only_the_conditional_branch_is_annealed(family):
    backbone, asking = family
    heard: list[torch.Tensor] = []
    denoiser = getattr(backbone.pipeline, backbone.profile.denoiser)
    real = type(denoiser).forward

    @functools.wraps(real)
    def forward(module, *args, **kwargs):
        heard.append(kwargs["encoder_hidden_states"].clone())
        return real(module, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(denoiser), "forward", forward)
        backbone.generate([asking()])
        plain, heard = heard[0], []
        backbone.generate([asking(ANNEAL)])
    without, with_prompt = heard[0].chunk(2)
    assert torch.equal(without, plain.chunk(2)[0])
    assert not torch.allclose(with_prompt, plain.chunk(2)[1], atol=1e-2)


# Repel


def test_inside_a_ball_a_sample_lands_on_its_surface_and_outside_it_stays():
    point = torch.randn(4, 8, 8)
    x0 = (point + 0.5 * torch.randn(4, 8, 8))[None]
    moved = x0 + push(x0, [point], 2.0)
    assert float((moved - point).square().mean().sqrt()) == pytest.approx(2.0, rel=1e-5)
    assert torch.nn.functional.cosine_similarity(
        (moved - point).flatten(), (x0 - point).flatten(), 0
    ) == pytest.approx(1, abs=1e-5)
    assert not push(x0, [point], 0.1).any()
    with pytest.raises(PhospheneError, match="same size"):
        push(x0, [point[:2]], 1.0)


def test_a_sample_is_driven_off_a_point_in_the_run(family, tmp_path):
    backbone, asking = family
    request = asking()
    digest = _point(backbone, request, tmp_path)
    point, radius = latents.load(digest), 0.5
    distances = {}
    for share in (0.0, 1.0):
        repel = {"op": "repel", "radius": radius, "points": [digest], "share": share}
        steered = asking(repel)
        with keeping_latents(backbone) as kept:
            backbone.generate([steered])
        distances[share] = float((kept[steered] - point).square().mean().sqrt())
    assert distances[0.0] < 0.01
    # Acting to the last step, no final sample is left inside.
    assert distances[1.0] > radius * 0.999


def test_a_missing_point_is_named(still):
    backbone, asking = still
    lost = "ab" * 32
    with pytest.raises(PhospheneError, match="latent abababababab is not here"):
        backbone.generate([asking({"op": "repel", "radius": 1.0, "points": [lost]})])


def test_a_damaged_latent_is_refused(tmp_path):
    digest = latents.store(tmp_path, torch.randn(4, 8))
    latents.register(tmp_path)
    assert latents.load(digest).shape == (4, 8)
    other = latents.store(tmp_path, torch.randn(4, 8))
    folder = tmp_path / "latents"
    (folder / f"{other}.safetensors").write_bytes((folder / f"{digest}.safetensors").read_bytes())
    with pytest.raises(PhospheneError, match="damaged"):
        latents.load(other)
    with pytest.raises(PhospheneError, match="NaN"):
        latents.store(tmp_path, torch.full((2,), float("nan")))


# Blend


def test_slerp_is_a_great_circle_with_lengths_in_between():
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    half = slerp(a, b, torch.tensor([[0.5]]))
    assert half.tolist()[0] == pytest.approx([2 * math.sqrt(0.5)] * 2)
    assert torch.allclose(slerp(a, b, torch.zeros(1, 1)), a)
    assert torch.allclose(slerp(a, b, torch.ones(1, 1)), b, atol=1e-6)
    assert torch.allclose(slerp(a, 2 * a, torch.tensor([[0.5]])), 1.5 * a)
    assert slerp(a, -a, torch.tensor([[0.5]])).isfinite().all()
    assert not slerp(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([[0.5]])).any()


def test_rows_masks_and_lists_are_blended_each_in_its_way():
    own, other = torch.randn(2, 4, 3, 5).unbind(0)  # two branches of two samples
    words, text, listed = between(
        (own, "same", [own[0], own[1]]), (other, "same", [other[0], other[1]]), [0, 1]
    )
    assert torch.allclose(words[::2], own[::2])
    assert torch.allclose(words[1::2], other[1::2], atol=1e-6)
    assert text == "same"
    both = torch.tensor([[1, 0], [1, 0], [1, 0]]), torch.tensor([[0, 1], [0, 1], [0, 1]])
    # At its ends a blend is one prompt, and so is its mask.
    assert between(*both, [0, 0.5, 1]).tolist() == [[1, 0], [1, 1], [0, 1]]
    assert torch.allclose(listed[0], own[0])
    assert torch.allclose(listed[1], other[1], atol=1e-6)
    longer = between(own[:, :2], other, [0.5])
    assert longer.shape == other.shape
    # A token that one prompt lacks has half the other's length, half way.
    assert torch.allclose(longer[:, 2].norm(dim=-1), other[:, 2].norm(dim=-1) / 2)
    with pytest.raises(PhospheneError, match="encoded as"):
        between(own, other[..., :2], [0.5])


def test_the_far_end_of_a_blend_is_the_other_prompt(family):
    backbone, asking = family
    (other,) = backbone.generate([asking(prompt=BLEND["prompt"])])
    (blended,) = backbone.generate([asking({**BLEND, "share": 1.0})])
    (half,) = backbone.generate([asking(BLEND)])
    assert apart(other, blended)[0] <= 1
    assert apart(other, half)[0] > 2


def test_a_pipeline_that_encodes_no_prompt_refuses(tmp_path):
    backbone = open_backbone(str(tiny.save("svd", tmp_path / "svd")))
    picture = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(PhospheneError, match="no encode_prompt"):
        backbone.check(Request(first_frame=picture, steering=(BLEND,)))


# Adapters


@pytest.fixture(scope="module")
def styled(tmp_path_factory):
    """A tiny pipeline with two LoRAs of known random weights."""
    pytest.importorskip("peft")
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    root = tmp_path_factory.mktemp("styled")
    pipeline: Any = tiny.build("stable_diffusion")
    for i, name in enumerate(("dots", "waves.v2")):
        torch.manual_seed(i)
        config = LoraConfig(
            r=2, lora_alpha=2, target_modules=["to_q", "to_v"], init_lora_weights=False
        )
        pipeline.unet.add_adapter(config, adapter_name=f"a{i}")
        state = get_peft_model_state_dict(pipeline.unet, adapter_name=f"a{i}")
        grown = {k: 3 * torch.randn_like(v) for k, v in state.items()}
        type(pipeline).save_lora_weights(
            root, unet_lora_layers=grown, weight_name=f"{name}.safetensors"
        )
    weights = tuple(str(root / f"{n}.safetensors") for n in ("dots", "waves.v2"))
    directory = tiny.save("stable_diffusion", root / "model")
    return open_backbone(BackboneSpec(str(directory), lora=weights)), str(directory)


def test_lora_strengths_are_set_for_a_sample_and_put_back(styled, still):
    backbone, directory = styled
    _, asking = still
    assert backbone.adapters == ("dots", "waves_v2")

    def made(**weights: float) -> Clip:
        return backbone.generate([asking({"op": "adapters", "weights": weights})])[0]

    (as_loaded,) = backbone.generate([asking()])
    (bare,) = open_backbone(directory).generate([asking()])
    assert apart(made(dots=0.0), bare)[0] <= 1
    assert apart(made(dots=1.0), bare)[0] > 1
    assert apart(made(waves_v2=1.0), made(dots=1.0))[0] > 1
    assert backbone.generate([asking()])[0].digest == as_loaded.digest


def test_a_lora_that_was_not_loaded_is_named(styled, still):
    backbone, _ = styled
    with pytest.raises(PhospheneError, match="unknown LoRA 'dot'; did you mean dots"):
        backbone.check(still[1]({"op": "adapters", "weights": {"dot": 1.0}}))


# What steering needs of the tap


def test_a_prediction_may_be_changed_so_that_it_implies_another_clean_sample(joint):
    backbone, asking = joint
    wanted: list[torch.Tensor] = []

    def change(prediction: torch.Tensor, at) -> torch.Tensor:
        if at.stream:
            return prediction
        ends = [tap.expected(torch.full_like(prediction, v)) for v in (0.0, 1.0)]
        new = prediction + 0.1 / (ends[1] - ends[0])
        wanted.append(tap.expected(prediction) + 0.1)
        return new

    with Tap(backbone.pipeline, [Read("x0")], [Edit("prediction", change)]) as tap:
        backbone.generate([asking()])
    got = [v for at, v in sorted(tap.values.items()) if at.stream == 0]
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(wanted, got, strict=True))
