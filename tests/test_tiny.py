"""The tiny pipelines are real, reproducible, light, and no input of theirs is dead."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from phosphene.errors import PhospheneError
from phosphene.testing import tiny
from phosphene.testing.tiny._picture import picture

SLOW = {  # they take long, or repeat what their siblings show
    "flux2_klein",
    "hunyuan_video15",
    "instruct_pix2pix",
    "ltx_i2v",
    "mochi",
    "qwen_image_edit",
    "sana_video",
    "stable_diffusion_img2img",
    "z_image",
}
LARGE = {"hunyuan_video15": 20e6}  # a 2048 x 2048 layer is fixed in diffusers' code
NEEDS = {  # packages that diffusers and transformers want at run time, beyond ours
    "kandinsky6": "torchvision",
    "qwen_image_edit": "torchvision",
    "wan22_i2v": "ftfy",
    "wan_flf": "ftfy",
    "wan_i2v": "ftfy",
}
FAMILIES = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in tiny.families()
]
every_family = pytest.mark.parametrize("family", FAMILIES)


@functools.cache
def built(family: str) -> Any:
    pytest.importorskip(NEEDS.get(family, "torch"))
    return quiet(tiny.build(family))


def quiet(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe


@functools.cache
def reference(family: str) -> dict[str, np.ndarray]:
    return draw(built(family), family)


def draw(pipe: Any, family: str, **changes: object) -> dict[str, np.ndarray]:
    """Every stream the example call returns, as float32 arrays, from one fixed seed."""
    call = {"generator": seed(7), "output_type": "np"} | tiny.example(family) | changes
    out = pipe(**call)
    streams = {k: v for k, v in out.items() if v is not None}
    return {k: np.asarray(v, dtype=np.float32) for k, v in streams.items()}


def seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def distance(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> float:
    """The least of the streams' mean absolute differences."""
    return min(float(np.abs(a[k] - b[k]).mean()) for k in a)


def weights(pipe: Any) -> dict[str, torch.Tensor]:
    modules = {n: m for n, m in pipe.components.items() if isinstance(m, torch.nn.Module)}
    return {f"{n}.{k}": v for n, m in modules.items() for k, v in m.state_dict().items()}


def test_the_families_people_ask_for_are_there():
    asked = {
        "stable_diffusion", "sdxl", "sd3", "flux", "flux_kontext", "animatediff", "svd",
        "cogvideox_i2v", "wan_t2v", "wan_i2v", "ltx", "hunyuan_video", "ltx2", "stable_audio",
        "kandinsky6", "audioldm2",
    }  # fmt: skip
    assert asked <= set(tiny.families())


@pytest.mark.parametrize("verb", [tiny.build, tiny.example])
def test_a_misspelt_family_offers_the_near_one(verb):
    with pytest.raises(PhospheneError, match="did you mean flux"):
        verb("fluxx")


@every_family
def test_building_is_repeatable_and_leaves_the_rng_alone(family):
    first = weights(built(family))
    torch.manual_seed(123)
    before = torch.get_rng_state()
    second = weights(tiny.build(family))
    assert torch.equal(before, torch.get_rng_state())
    assert first.keys() == second.keys()
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not any(m.training for m in built(family).components.values() if hasattr(m, "training"))


@every_family
def test_draws_what_was_asked(family):
    call = tiny.example(family)
    for name, stream in reference(family).items():
        assert np.isfinite(stream).all(), name
        assert stream.std() > 0.01, name
        assert np.abs(stream).max() < 5, name  # unit range, give or take: no clipped noise
        if name in ("frames", "images", "video"):
            size = (call["height"], call["width"]) if "height" in call else call["image"].size[::-1]
            assert stream.shape[-3:] == (*size, 3)
        if name in ("frames", "video"):
            assert stream.shape[-4] == call.get("num_frames", call.get("frames"))


@every_family
def test_survives_saving_and_is_light(family, tmp_path):
    original = built(family)
    assert tiny.save(family, tmp_path) == tmp_path
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert {f.suffix for f in files} <= {".json", ".txt", ".safetensors", ".jinja", ".model"}
    assert sum(f.stat().st_size for f in files) < LARGE.get(family, 4e6)

    loaded = quiet(DiffusionPipeline.from_pretrained(tmp_path))
    assert type(loaded) is type(original)
    saved, read = weights(original), weights(loaded)
    assert saved.keys() == read.keys()
    assert all(torch.equal(saved[k], read[k]) for k in saved)
    a, b = reference(family), draw(loaded, family)
    assert max(float(np.abs(a[k] - b[k]).max()) for k in a) < 2e-3


@every_family
def test_no_input_is_dead(family):
    call = tiny.example(family)
    changes: list[dict[str, object]] = []
    if prompt := call.get("prompt"):  # its first letter and its last: neither cut nor cropped
        changes += [{"prompt": "?" + prompt[1:]}, {"prompt": prompt[:-1] + "?"}]
    for name in call.keys() & {"image", "last_image"}:
        changes.append({name: picture(*call[name].size, hue=0.3)})
    assert changes
    for change in changes:
        assert distance(reference(family), draw(built(family), family, **change)) > 1e-4, change


@every_family
def test_the_seed_counts_and_is_enough(family):
    first, again = reference(family), draw(built(family), family)
    assert all(np.array_equal(first[k], again[k]) for k in first)
    assert distance(first, draw(built(family), family, generator=seed(8))) > 1e-3
