"""The diffusers adapter on real pipeline classes with tiny weights."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phosphene.backbone import BackboneSpec
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.request import Request
from phosphene.testing import tiny

torch = pytest.importorskip("torch")
from phosphene.backbones.diffusers import COMPONENT, DiffusersBackbone  # noqa: E402
from phosphene.backbones.diffusers.output import clips as to_clips  # noqa: E402

PROMPTS = ["a red cube", "a blue ball rolls over the table", "x", "two cats sing"]
# One of each kind of task, then the rest, which take minutes together.
QUICK = ["stable_diffusion", "flux_kontext", "wan_t2v", "cogvideox_i2v", "svd", "ltx2"]
QUICK += ["stable_audio", "stable_diffusion_img2img"]
REST = [f for f in tiny.families() if f not in QUICK]
FAMILIES = [*QUICK, *(pytest.param(f, marks=pytest.mark.slow) for f in REST)]


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Family -> the directory of its tiny weights, written on first use."""

    @cache
    def save(family: str) -> Path:
        return tiny.save(family, tmp_path_factory.mktemp("tiny") / family)

    return save


@pytest.fixture(scope="session")
def opened(saved):
    @cache
    def open_family(family: str) -> DiffusersBackbone:
        return COMPONENT(BackboneSpec(str(saved(family))))

    return open_family


def picture(seed: int, side: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)


def example(family: str, backbone: DiffusersBackbone, index: int = 0, **changes: Any) -> Request:
    """The family's own example call, as a request."""
    given = tiny.example(family)
    asked: dict[str, Any] = {"seed": 3, "index": index}
    for field, name in backbone.profile.names.items():
        if name in given:
            value = given.pop(name)
            asked[field] = np.asarray(value) if field.endswith("_frame") else value
    if "fps" in asked:
        asked["fps"] = Fraction(asked["fps"])
    known = backbone.capabilities.extra
    asked["extra"] = {n: v for n, v in given.items() if n in known}
    return Request(**{**asked, **changes})


def distance(a: Clip, b: Clip) -> float:
    """Largest difference: of bytes in the pictures (0..255), or of the sound, times 255."""
    found = [0.0]
    if a.frames is not None:
        assert b.frames is not None
        assert a.frames.shape == b.frames.shape
        found.append(float(np.abs(a.frames.astype(int) - b.frames.astype(int)).max()))
    if a.audio is not None:
        assert b.audio is not None
        assert a.audio.shape == b.audio.shape
        found.append(float(np.abs(a.audio - b.audio).max()) * 255)
    return max(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_family_makes_what_it_says(family, opened):
    backbone = opened(family)
    can = backbone.capabilities
    request = example(family, backbone)
    (clip,) = backbone.generate([request])
    kinds = {"image"} if clip.frames is not None and len(clip.frames) == 1 else set()
    kinds |= {"video"} if clip.frames is not None and len(clip.frames) > 1 else set()
    kinds |= {"audio"} if clip.audio is not None else set()
    assert kinds == can.produces
    if request.width is not None:
        assert clip.size == (request.width, request.height)
    if request.frames is not None and clip.frames is not None:
        assert len(clip.frames) == request.frames
    if request.fps is not None:
        assert clip.fps == request.fps
    assert (distance(clip, backbone.generate([request])[0])) <= 1


@pytest.mark.parametrize("family", ["stable_diffusion", "ltx2", "cogvideox_i2v", "flux2_klein"])
def test_a_batch_of_eight_is_eight_batches_of_one(family, opened):
    backbone = opened(family)
    pictures = "first_frame" in backbone.capabilities.accepts
    requests = [
        example(
            family,
            backbone,
            index=i,
            prompt=PROMPTS[i % 4],
            **({"first_frame": picture(i)} if pictures else {}),
        )
        for i in range(8)
    ]
    together = backbone.generate(requests)
    alone = [backbone.generate([r])[0] for r in requests]
    assert max(distance(a, b) for a, b in zip(together, alone, strict=True)) <= 1
    assert min(distance(together[0], c) for c in together[1:]) > 5


def test_several_references_for_one_sample_are_not_taken_for_one_each(opened):
    """Flux 2 reads a list of pictures as references for every prompt: that must not be batched."""
    backbone = opened("flux2_klein")
    requests = [
        example("flux2_klein", backbone, index=i, prompt="cube", first_frame=picture(i))
        for i in range(2)
    ]
    backbone.generate(requests)
    calls = count_calls(backbone.pipeline.scheduler, "step")
    backbone.generate(requests)
    assert calls() == 4  # two steps for each sample: they ran apart
    assert all(m is None for k, m in backbone._loaded()._manners.items() if k[0] == "different")


def count_calls(owner: Any, name: str):
    made = []
    method = getattr(owner, name)

    def counted(*args, **kwargs):
        made.append(1)
        return method(*args, **kwargs)

    object.__setattr__(owner, name, counted)
    return lambda: len(made)


def test_like_requests_share_one_call(opened):
    backbone = opened("stable_diffusion")
    requests = [example("stable_diffusion", backbone, index=i, prompt=PROMPTS[i]) for i in range(4)]
    backbone.generate(requests)
    seen = []
    handle = backbone.pipeline.unet.register_forward_hook(lambda m, a, o: seen.append(len(a[0])))
    backbone.generate(requests)
    handle.remove()
    assert seen == [8, 8]  # two steps, each with four samples and their unconditional halves


def test_prompts_and_pictures_are_encoded_once(saved):
    backbone = COMPONENT(BackboneSpec(str(saved("wan_i2v"))))
    texts, pictures = [], []
    backbone.pipeline.text_encoder.register_forward_hook(lambda m, a, o: texts.append(1))
    backbone.pipeline.vae.encoder.register_forward_hook(lambda m, a, o: pictures.append(1))
    requests = [
        example("wan_i2v", backbone, index=i, first_frame=picture(1), prompt="same")
        for i in range(8)
    ]
    backbone.generate(requests[:4])
    before = len(texts), len(pictures)
    backbone.generate(requests[4:])
    assert (len(texts), len(pictures)) == before
    assert before[0] <= 8  # conditional and unconditional: alone, and twice to tell rows apart


def test_distinct_prompts_do_not_mix(opened):
    """The cache hands each sample its own prompt's rows, whatever the order."""
    backbone = opened("sdxl")
    mixed = [
        example("sdxl", backbone, index=i, prompt=PROMPTS[p]) for i, p in enumerate((2, 0, 2, 1))
    ]
    fresh = COMPONENT(backbone.spec)
    together = backbone.generate(mixed)
    alone = [fresh.generate([r])[0] for r in reversed(mixed)][::-1]
    assert max(distance(a, b) for a, b in zip(together, alone, strict=True)) <= 1


def test_sound_and_pictures_have_streams_of_their_own(opened):
    """More frames, same seed: the sound's noise stays, so a longer sound starts from the same."""
    backbone = opened("ltx2")
    drawn: list[tuple[int, ...]] = []
    held = []
    method = type(backbone.pipeline).prepare_audio_latents

    def spy(self, *args, **kwargs):
        latents = method(self, *args, **kwargs)
        drawn.append(tuple(latents.shape))
        held.append(latents)
        return latents

    spy.__signature__ = __import__("inspect").signature(method)
    pipeline_class = type(backbone.pipeline)
    pipeline_class.prepare_audio_latents = spy
    try:
        backbone.generate([example("ltx2", backbone)])
        backbone.generate([example("ltx2", backbone, width=96)])
    finally:
        pipeline_class.prepare_audio_latents = method
    assert drawn[0] == drawn[1]
    assert torch.equal(held[0], held[1])


def test_noise_is_fp32_from_the_cpu_whatever_the_dtype():
    from phosphene.backbones.diffusers.noise import Streams

    request = Request(seed=4)
    for dtype in (torch.float32, torch.bfloat16):
        streams = Streams([request], "video", joint=False)
        with streams.installed():
            from diffusers.utils import torch_utils

            noise = torch_utils.randn_tensor((1, 8), streams.generator, dtype=dtype)
        truth = torch.randn(1, 8, generator=torch.Generator().manual_seed(request.stream("video")))
        assert torch.equal(noise, truth.to(dtype))


def test_drawing_is_put_back_after_a_failure():
    from diffusers.utils import torch_utils

    from phosphene.backbones.diffusers.noise import Streams

    before = torch_utils.randn_tensor, torch.randn, torch.randn_like, torch.rand, torch.randint
    state = torch.get_rng_state()

    def fail() -> None:
        with Streams([Request()], "video", joint=False).installed():
            assert torch.randn is not before[1]
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail()

    after = torch_utils.randn_tensor, torch.randn, torch.randn_like, torch.rand, torch.randint
    assert after == before
    assert torch.equal(torch.get_rng_state(), state)


def test_unseeded_noise_is_each_samples_own():
    from phosphene.backbones.diffusers.noise import CannotBatch, Streams

    requests = [Request(index=i) for i in range(3)]
    with Streams(requests, "video", joint=False).installed():
        together = torch.randn_like(torch.zeros(3, 5))
    for i, request in enumerate(requests):
        with Streams([request], "video", joint=False).installed():
            assert torch.equal(torch.randn(1, 5)[0], together[i])
    with (
        pytest.raises(CannotBatch),
        Streams(requests, "video", joint=False).installed(),
    ):
        torch.empty(3).normal_()  # goes around the streams


REFUSED = [
    ("wan_t2v", {"frames": 8}, "frames 8.*nearest are 5 and 9"),
    ("wan_t2v", {"width": 65, "height": 63}, "size 65x63.*nearest is 64x64"),
    ("wan_t2v", {"first_frame": picture(0)}, "first_frame .a picture. can't be honoured"),
    ("wan_t2v", {"duration": 2.0}, "duration .2.0. can't be honoured"),
    ("stable_diffusion", {"frames": 9}, "frames .9. can't be honoured.*makes image"),
    ("stable_diffusion", {"fps": Fraction(24)}, "fps .* can't be honoured"),
    ("stable_diffusion", {"extra": {"clipskip": 1}}, "clipskip.*did you mean clip_skip"),
    ("stable_diffusion", {"extra": {"guidance_scale": 1}}, "is the request's guidance"),
    ("svd", {"first_frame": None}, "first_frame is missing"),
    ("svd", {"prompt": "a dog"}, "prompt .'a dog'. can't be honoured"),
    ("cogvideox_i2v", {"first_frame": None}, "first_frame is missing"),
    ("stable_diffusion_img2img", {"first_frame": None}, "first_frame is missing"),
    ("stable_audio", {"width": 64, "height": 64}, "width .64. can't be honoured"),
    ("flux_kontext", {"negative": "rain"}, "negative.*true_cfg_scale=4"),
    ("wan_i2v", {"last_frame": picture(0)}, "last_frame"),
]


@pytest.mark.parametrize(("family", "changes", "message"), REFUSED)
def test_what_cannot_be_honoured_is_refused_without_weights(family, changes, message, opened):
    backbone = opened(family)
    without = DiffusersBackbone(backbone.spec)
    with pytest.raises(PhospheneError, match=message):
        without.check(example(family, without, **changes))
    assert "pipeline" not in vars(without)  # nothing was loaded


OPTIONS = [
    ({"cache": "first-block"}, "cache 'first-block' can't be honoured"),
    ({"cache": "first-blok"}, "did you mean first-block"),
    ({"offload": "model"}, "offload 'model' can't be honoured on the cpu"),
    ({"quantize": "bnb-3bit"}, "unknown quantize scheme"),
    ({"dtype": "float31"}, "did you mean float32"),
    ({"device": "cuda:99"}, "cuda:99"),
    ({"lora": ("./nowhere.safetensors",)}, "neither a file, a directory nor a hub id"),
    ({"revision": "main"}, "is a directory; leave it out"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_options_are_refused_by_name(options, message, saved):
    spec = BackboneSpec(str(saved("stable_diffusion")), **{"device": "cpu", **options})
    with pytest.raises(PhospheneError, match=message):
        COMPONENT(spec)


def test_a_cache_that_the_denoiser_takes_is_used(saved):
    spec = BackboneSpec(str(saved("wan_t2v")), device="cpu", cache="first-block")
    backbone = COMPONENT(spec)
    assert "cache" in backbone.capabilities.options
    backbone.generate([example("wan_t2v", backbone)])
    assert backbone.pipeline.transformer.is_cache_enabled


def test_nan_is_a_failed_sample(saved):
    backbone = COMPONENT(BackboneSpec(str(saved("stable_diffusion"))))
    with torch.no_grad():
        backbone.pipeline.vae.decoder.conv_out.weight.fill_(float("nan"))
    with pytest.raises(PhospheneError, match="NaN"):
        backbone.generate([example("stable_diffusion", backbone)])


def test_fractional_fps_labels_the_frames_exactly(opened):
    backbone = opened("wan_t2v")
    fps = Fraction(24000, 1001)
    (clip,) = backbone.generate([example("wan_t2v", backbone, fps=fps)])
    assert clip.fps == fps


LAYOUTS = {
    "np bthwc 0..1": (lambda v: v.transpose(0, 1, 2, 3, 4), "frames"),
    "tensor btchw 0..1": (lambda v: torch.from_numpy(v.transpose(0, 1, 4, 2, 3).copy()), "video"),
    "tensor bcthw -1..1": (
        lambda v: torch.from_numpy(v.transpose(0, 4, 1, 2, 3).copy()) * 2 - 1,
        "videos",
    ),
    "list of lists of arrays": (lambda v: [list(s) for s in v], "frames"),
    "list of bytes": (lambda v: [np.round(s * 255).astype(np.uint8) for s in v], "frames"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [1, 2])
def test_every_layout_becomes_the_same_clip(layout, count):
    truth = np.random.default_rng(0).random((count, 5, 8, 16, 3)).astype(np.float32)
    truth[:, 0, 0, 0] = (0, 1, 0.5)
    turned, name = LAYOUTS[layout]
    made = to_clips({name: turned(truth)}, count, frozenset({"video"}), Fraction(8), None, (16, 8))
    assert len(made) == count
    for clip, want in zip(made, np.round(truth * 255).astype(int), strict=True):
        assert clip.frames is not None
        assert np.abs(clip.frames.astype(int) - want).max() <= 1


@pytest.mark.parametrize(
    ("shape", "count", "want"),
    [
        ((2, 2, 100), 2, (2, 100)),
        ((2, 100), 1, (2, 100)),
        ((2, 100), 2, (1, 100)),
        ((100,), 1, (1, 100)),
        ((1, 1, 100), 1, (1, 100)),
        ((1, 100, 2), 1, (2, 100)),
    ],
)
def test_every_layout_of_sound(shape, count, want):
    sound = torch.randn(shape) * 3
    made = to_clips({"audio": sound}, count, frozenset({"audio"}), Fraction(1), 16000, None)
    assert [c.audio.shape for c in made if c.audio is not None] == [want] * count
    peak = max(float(np.abs(c.audio).max()) for c in made if c.audio is not None)
    assert peak == pytest.approx(float(sound.abs().max()))  # kept, not clipped


def test_a_pipeline_of_ones_own_loads_through_the_same_adapter(tmp_path):
    import own_pipeline  # a module beside this one

    own_pipeline.build().save_pretrained(tmp_path / "own")
    backbone = DiffusersBackbone(
        BackboneSpec("own"),
        pipeline_class=own_pipeline.OwnPipeline,
        modules=["own_pipeline"],
        directory=tmp_path / "own",
    )
    assert backbone.id == "own"
    assert backbone.capabilities.produces == {"video", "audio"}
    assert backbone.capabilities.requires == {"first_frame"}
    requests = [
        Request(prompt=p, first_frame=picture(i, 16), index=i, steps=2)
        for i, p in enumerate(PROMPTS)
    ]
    together = backbone.generate(requests)
    alone = [backbone.generate([r])[0] for r in requests]
    assert max(distance(a, b) for a, b in zip(together, alone, strict=True)) <= 1
    assert together[0].rate == 8000
    assert backbone._loaded()._manners[("different", True)] is not None
