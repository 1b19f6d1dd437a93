"""Pipeline classes that no other test uses: taps attach, or refuse clearly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from diffusers import (  # noqa: E402
    AllegroPipeline,
    AllegroTransformer3DModel,
    AuraFlowPipeline,
    AuraFlowTransformer2DModel,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LattePipeline,
    LatteTransformer3DModel,
    Lumina2Pipeline,
    Lumina2Transformer2DModel,
    PixArtAlphaPipeline,
    PixArtTransformer2DModel,
)

from phosphene.errors import PhospheneError  # noqa: E402
from phosphene.tap import Edit, FrameMass, Frames, Mass, Mean, Read, Tap  # noqa: E402
from phosphene.testing.tiny._vae import image_vae  # noqa: E402

HEADS: dict[str, Any] = {"num_attention_heads": 2, "num_layers": 2, "in_channels": 4}
SQUARE: dict[str, Any] = {"sample_size": 8, "patch_size": 2}
NO_WORDS: dict[str, Any] = {"tokenizer": None, "text_encoder": None}
FLOW = FlowMatchEulerDiscreteScheduler


def words(width: int, mask: bool = True) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    out: dict[str, Any] = {"height": 64, "width": 64}
    for name in ("prompt", "negative_prompt"):
        out[f"{name}_embeds"] = torch.randn(1, 6, width, generator=generator)
        if mask:
            out[f"{name}_attention_mask"] = torch.ones(1, 6).bool()
    return out


def pixart() -> tuple[Any, dict[str, Any]]:
    transformer = PixArtTransformer2DModel(
        **HEADS,
        **SQUARE,
        attention_head_dim=8,
        out_channels=8,
        cross_attention_dim=16,
        caption_channels=24,
        use_additional_conditions=False,
    )
    scheduler = DPMSolverMultistepScheduler()
    pipeline = PixArtAlphaPipeline(
        vae=image_vae(), transformer=transformer, scheduler=scheduler, **NO_WORDS
    )
    return pipeline, words(24) | {"negative_prompt": None, "use_resolution_binning": False}


def lumina2() -> tuple[Any, dict[str, Any]]:
    transformer = Lumina2Transformer2DModel(
        **SQUARE,
        in_channels=4,
        hidden_size=24,
        num_layers=2,
        num_refiner_layers=1,
        num_attention_heads=3,
        num_kv_heads=1,
        multiple_of=16,
        cap_feat_dim=16,
        axes_dim_rope=(4, 2, 2),
        axes_lens=(64, 32, 32),
    )
    pipeline = Lumina2Pipeline(
        vae=image_vae(), transformer=transformer, scheduler=FLOW(), **NO_WORDS
    )
    return pipeline, words(16)


def aura_flow() -> tuple[Any, dict[str, Any]]:
    transformer = AuraFlowTransformer2DModel(
        **SQUARE,
        in_channels=4,
        out_channels=4,
        num_mmdit_layers=1,
        num_single_dit_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=16,
        caption_projection_dim=16,
        pos_embed_max_size=64,
    )
    pipeline = AuraFlowPipeline(
        vae=image_vae(), transformer=transformer, scheduler=FLOW(), **NO_WORDS
    )
    return pipeline, words(16)


def allegro() -> tuple[Any, dict[str, Any]]:
    transformer = AllegroTransformer3DModel(
        **HEADS,
        attention_head_dim=24,
        out_channels=4,
        cross_attention_dim=48,
        caption_channels=16,
        sample_width=8,
        sample_height=8,
        sample_frames=4,
        patch_size=2,
        patch_size_t=1,
    )
    scheduler: Any = EulerAncestralDiscreteScheduler()
    nothing: dict[str, Any] = {"vae": None, "tokenizer": None, "text_encoder": None}
    pipeline = AllegroPipeline(transformer=transformer, scheduler=scheduler, **nothing)
    return pipeline, words(16) | {"negative_prompt": None, "num_frames": 16}


def latte() -> tuple[Any, dict[str, Any]]:
    transformer = LatteTransformer3DModel(
        **HEADS,
        **SQUARE,
        attention_head_dim=8,
        out_channels=8,
        caption_channels=16,
        cross_attention_dim=16,
        video_length=4,
        norm_type="ada_norm_single",
    )
    scheduler: Any = DDIMScheduler()
    pipeline = LattePipeline(
        vae=image_vae(), transformer=transformer, scheduler=scheduler, **NO_WORDS
    )
    more = {"negative_prompt": None, "video_length": 4, "mask_feature": False}
    return pipeline, words(16, mask=False) | more


STRANGERS = {f.__name__: f for f in (pixart, lumina2, aura_flow, allegro, latte)}
# Frames, rows and columns; None where frames lie along the batch, which is refused.
PLACES = {
    "pixart": (1, 4, 4),
    "lumina2": (1, 4, 4),
    "aura_flow": (1, 4, 4),
    "allegro": (4, 4, 4),
    "latte": None,
}


@pytest.fixture(params=STRANGERS, scope="module")
def stranger(request):
    torch.manual_seed(0)
    pipeline, arguments = STRANGERS[request.param]()
    pipeline.set_progress_bar_config(disable=True)

    def run() -> Any:
        out = pipeline(
            **arguments,
            num_inference_steps=2,
            output_type="latent",
            generator=torch.Generator().manual_seed(0),
            return_dict=False,
        )[0]
        return torch.as_tensor(np.array(out))

    return request.param, pipeline, run


def test_reading_is_silent(stranger):
    _, pipeline, run = stranger
    bare = run()
    reads = [Read("residual", Mean()), Read("map"), Read("x0"), Read("mlp", Mean())]
    with Tap(pipeline, reads) as tap:
        assert torch.equal(run(), bare)
    assert {at.step for at in tap.values} == {0, 1}
    assert {at.branch for at in tap.values} == {"cond", "uncond", "guided"}
    maps = [v for at, v in tap.values.items() if at.site == "map"]
    assert len(maps) >= 8
    for found in maps:
        torch.testing.assert_close(found.sum(-1), torch.ones(found.shape[:-1]))
    assert torch.equal(run(), bare)


def test_frames_are_found_or_refused(stranger):
    name, pipeline, run = stranger
    places = PLACES[name]
    if places is None:
        for read in (Read("residual", Frames()), Read("map", FrameMass())):
            with pytest.raises(PhospheneError, match="which token is which"), Tap(pipeline, [read]):
                run()
        return
    with Tap(pipeline, [Read("residual", Frames()), Read("map", FrameMass())]) as tap:
        run()
    for at, value in tap.values.items():
        assert value.shape[1 if at.site == "residual" else 3] == places[0] + 3 * (at.site == "map")
    assert {at.site for at in tap.values if at.layer == len(tap.layers) - 1} == {"residual", "map"}


def test_edits_count(stranger):
    _, pipeline, run = stranger
    bare = run()
    for site in ("residual", "head"):
        with Tap(pipeline, edits=[Edit(site, lambda v, at: v * 0.5, steps=[1])]):
            assert not torch.equal(run(), bare)


def test_words_are_looked_at(stranger):
    name, pipeline, run = stranger
    if name in ("lumina2", "aura_flow"):
        with Tap(pipeline, [Read("map", FrameMass())]) as tap:
            run()
        late = max(at.layer for at in tap.values)
        found = [v for at, v in tap.values.items() if at.layer == late]
        assert all(0 < float(v[0, 0, 3, 0]) < 1 for v in found)
        return
    with Tap(pipeline, [Read("cross_map", Mass())]) as tap:
        run()
    assert {v.shape[-1] for v in tap.values.values()} == {6}
