"""Attention maps against an explicit softmax, and where the tokens in them lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from diffusers.models.attention_processor import AttnProcessor  # noqa: E402
from tapped import built, call, same  # noqa: E402

from phosphene.errors import PhospheneError  # noqa: E402
from phosphene.tap import (  # noqa: E402
    Address,
    AttentionMap,
    Edit,
    FrameMass,
    Frames,
    Keep,
    Layout,
    Mass,
    Mean,
    Read,
    Reducer,
    Spill,
    Tap,
)
from phosphene.tap.layout import grid  # noqa: E402

AT = Address(0, "cond", 0, "map")


def softmax(query: Any, key: Any, mask: Any = None) -> Any:
    """The explicit map `(heads, queries, keys)` of `(tokens, heads, dim)` queries and keys."""
    q, k = query.transpose(0, 1).double(), key.transpose(0, 1).double()
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    return torch.softmax(scores if mask is None else scores + mask, -1).float()


def read(family: str, *reads: Read, **changes: Any) -> dict[Address, Any]:
    with Tap(built(family), reads) as tap:
        call(family, **changes)
    return tap.values


# Rotary embedding (Wan, Flux, LTX), text joined to the picture (Flux, SD3, CogVideoX), one sample
# after another (Mochi), a UNet.
@pytest.mark.parametrize(
    "family",
    ["wan_i2v", "flux_kontext", "ltx2", "sd3", "cogvideox_i2v", "mochi", "stable_diffusion"],
)
def test_maps_are_the_softmax_of_queries_and_keys(family):
    parts = {s: read(family, Read(s)) for s in ("query", "key", "map")}
    assert len(parts["map"]) >= 4
    for at, found in parts["map"].items():
        query, key = (parts[s][_at(at, s)] for s in ("query", "key"))
        torch.testing.assert_close(found[0], softmax(query[0], key[0]), atol=2e-6, rtol=1e-4)


def _at(at: Address, site: Any) -> Address:
    return Address(at.step, at.branch, at.layer, site, at.stream, at.call)


@pytest.mark.parametrize("family", ["wan_i2v", "flux_kontext", "cogvideox_i2v", "ltx2"])
def test_heads_and_maps_make_what_attention_gives(family):
    """The map times the values is what each head puts out: so the maps are those that were used."""
    pipeline, caught = built(family), []
    original = F.scaled_dot_product_attention

    def spy(query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        caught.append(value)
        return original(query, key, value, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(F, "scaled_dot_product_attention", spy)
        with Tap(pipeline, [Read("map", None, [0], [0])]) as tap:
            call(family)
    maps = {at: v for at, v in tap.values.items() if at.branch == "cond"}
    heads = read(family, Read("head", None, [0], [0], ["cond"]))
    for at, found in maps.items():
        wanted = heads[_at(at, "head")][0].transpose(0, 1)
        shape = (found.shape[1], found.shape[3], wanted.shape[2])
        tries = [found[0] @ v[-1] for v in caught if v.shape[1:] == shape]
        assert min(float((t - wanted).abs().max()) for t in tries) < 1e-5


@pytest.mark.parametrize("family", ["wan_i2v", "ltx2", "cogvideox_i2v", "flux_kontext", "mochi"])
def test_mass_between_frames_sums_the_map(family):
    whole = read(family, Read("map"))
    mass = read(family, Read("map", FrameMass()))
    assert set(whole) == set(mass)
    layouts = _layouts(family)
    for at, found in mass.items():
        layout = layouts[at.layer, at.branch]
        sets = [layout.part(n) for n in ("text", "sound", "other")]
        sets += [layout.places[:, 0] == f for f in range(layout.frames)]
        assert found.shape[2:] == (len(sets), len(sets))
        for i, rows in enumerate(sets):
            if not rows.any():
                assert found[0, :, i].isnan().all()
                continue
            for j, columns in enumerate(sets):
                wanted = whole[at][0][:, rows][:, :, columns].sum(-1).mean(1)
                torch.testing.assert_close(found[0, :, i, j], wanted, atol=2e-6, rtol=1e-4)
            total = found[0, :, i].sum(-1)
            torch.testing.assert_close(total, torch.ones_like(total), atol=1e-5, rtol=0)


def _layouts(family: str) -> dict[tuple[int, str], Layout]:
    """Layouts of the keys, by layer and branch."""
    seen: dict[tuple[int, str], Any] = {}

    class Look(Reducer):
        @property
        def of_maps(self) -> bool:
            return True

        def __call__(self, value: AttentionMap, layout: Any, at: Address) -> None:
            seen[at.layer, at.branch] = value.keys

    read(family, Read("map", Look()))
    return seen


@pytest.mark.parametrize(
    ("family", "frames", "text_first"),
    [
        ("cogvideox_i2v", 3, True),
        ("flux_kontext", 2, True),
        ("sd3", 1, False),
        ("hunyuan_video", 3, False),
    ],
)
def test_text_joined_to_the_picture_is_found(family, frames, text_first):
    for layout in _layouts(family).values():
        text = np.flatnonzero(layout.part("text"))
        assert layout.frames == frames
        assert len(text) == layout.tokens - (layout.places[:, 0] >= 0).sum() > 0
        assert text[0] == (0 if text_first else layout.tokens - len(text))
        assert not layout.part("other").any()


def test_words_and_sound_in_one_stream_are_told_apart():
    from phosphene.backbone import open_backbone

    pipeline: Any = open_backbone("ember").pipeline  # type: ignore[attr-defined]
    pipeline.set_progress_bar_config(disable=True)
    seen: list[Layout] = []

    class Look(Reducer):
        def __call__(self, value: Any, layout: Any, at: Address) -> None:
            seen.append(layout)

    with Tap(pipeline, [Read("residual", Look())]):
        pipeline("1 + 2", num_inference_steps=1, output_type="latent")
    frames, words = pipeline.transformer.config.frames, pipeline.transformer.config.text_length
    side = pipeline.transformer.config.size // pipeline.transformer.PATCH
    pictures = frames * side**2
    for layout in seen:
        assert layout.frames == frames
        assert np.flatnonzero(layout.part("sound")).tolist() == [
            *range(pictures, pictures + frames)
        ]
        assert layout.part("text").sum() == words
        assert layout.places[:pictures].tolist() == grid(frames, side, side).places.tolist()


def attention(**changes: Any) -> AttentionMap:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 4, 10, 8, generator=generator)
    key = torch.randn(2, changes.pop("heads", 4), changes.pop("n", 10), 8, generator=generator)
    return AttentionMap(query, key, changes.pop("samples", 2), **changes)


def explicit(held: AttentionMap, mask: Any = None) -> Any:
    share = held.query.shape[1] // held.key.shape[1]
    keys = held.key.repeat_interleave(share, 1)
    scores = held.query.double() @ keys.double().transpose(2, 3) * (held.scale or 8**-0.5)
    if mask is not None:
        scores = scores + mask
    return torch.softmax(scores, -1).float()


BOOL = torch.rand(2, 1, 10, 10, generator=torch.Generator().manual_seed(1)) > 0.3
ADDED = torch.randn(2, 4, 10, 10, generator=torch.Generator().manual_seed(2))
LOW = float("-inf")


@pytest.mark.parametrize(
    ("changes", "mask"),
    [
        ({}, None),
        ({"scale": 0.5}, None),
        ({"heads": 2, "shared": True}, None),
        ({"mask": BOOL}, torch.zeros(BOOL.shape).masked_fill(~BOOL, LOW)),
        ({"mask": ADDED}, ADDED),
        ({"causal": True}, torch.full((10, 10), LOW).triu(1)),
    ],
)
@pytest.mark.parametrize("sampled", [None, 3])
def test_mass_under_masks_scales_and_shared_keys(changes, mask, sampled):
    held = attention(**changes)
    queries = np.eye(2, dtype=bool)[[0] * 6 + [1] * 4].T
    keys = np.eye(3, dtype=bool)[[0, 1, 2, 0, 1, 2, 0, 1, 2, 2]].T
    found = Mass(queries, keys, sampled)(held, None, AT)
    whole = explicit(held, mask)
    assert found.shape == (2, 4, 2, 3)
    for g, rows in enumerate(queries):
        chosen = np.flatnonzero(rows)
        per_query = torch.stack([whole[:, :, chosen][..., k].sum(-1) for k in keys], -1)
        if sampled is None:
            torch.testing.assert_close(found[:, :, g], per_query.mean(2), atol=1e-6, rtol=1e-5)
        else:
            low, high = per_query.amin(2), per_query.amax(2)
            assert ((found[:, :, g] >= low - 1e-6) & (found[:, :, g] <= high + 1e-6)).all()


def test_more_groups_than_the_heads_are_wide():
    held = attention(n=30)
    torch.testing.assert_close(Mass()(held, None, AT), explicit(held), atol=1e-6, rtol=1e-5)


def test_all_queries_sampled_is_exact_and_few_are_unbiased():
    held = attention()
    groups = np.eye(2, dtype=bool)[[0] * 5 + [1] * 5].T
    exact = Mass(groups, groups)(held, None, AT)
    torch.testing.assert_close(Mass(groups, groups, 5)(held, None, AT), exact)
    draws = torch.stack([Mass(groups, groups, 2, s)(held, None, AT) for s in range(300)])
    torch.testing.assert_close(draws.mean(0), exact, atol=0.03, rtol=0)
    again = Mass(groups, groups, 2, 5)(held, None, AT)
    assert torch.equal(again, draws[5])


def test_rows_of_a_sample_are_averaged():
    held = attention(samples=1)
    assert Mass()(held, None, AT).shape == (1, 4, 10, 10)
    torch.testing.assert_close(Mass()(held, None, AT)[0], explicit(held).mean(0))


def test_half_precision_keeps_its_shares():
    held = attention()
    half = AttentionMap(held.query.bfloat16(), held.key.bfloat16(), 2)
    groups = np.eye(2, dtype=bool)[[0] * 5 + [1] * 5].T
    found = Mass(groups, groups)(half, None, AT)
    torch.testing.assert_close(found, Mass(groups, groups)(held, None, AT), atol=0.02, rtol=0)


def test_a_word_is_looked_at_by_frames():
    found = read("ltx2", Read("cross_map", FrameMass()))
    assert {v.shape[2:] for v in found.values()} == {(5, 64)}
    total = next(iter(found.values()))[0, :, 3:].sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "family", ["wan_i2v", "flux_kontext", "ltx2", "mochi", "stable_diffusion", "svd"]
)
def test_reading_inside_attention_changes_nothing(family):
    bare = call(family)
    with Tap(built(family), [Read("map"), Read("query", Mean()), Read("key"), Read("head")]):
        assert same(call(family), bare)
    edits = [Edit(site, lambda v, at: v.clone()) for site in ("query", "key", "head")]
    with Tap(built(family), edits=edits):
        assert same(call(family), bare)


def test_a_head_can_be_silenced():
    def silence(value: Any, at: Address) -> Any:
        keep = torch.ones(value.shape[2], 1)
        keep[1] = 0
        return value * keep

    reads = [Read("head", None, [1]), Read("attention", None, [1])]
    plain = read("wan_i2v", *reads)
    edit = Edit("head", silence, layers=[1], steps=[1], branches=["cond"])
    with Tap(built("wan_i2v"), reads, [edit]) as tap:
        call("wan_i2v")
    moved = {at for at, v in tap.values.items() if not torch.equal(v, plain[at])}
    assert moved == {Address(1, "cond", 1, "head"), Address(1, "cond", 1, "attention")}
    silent = tap.values[Address(1, "cond", 1, "head")]
    assert not silent[:, :, 1].any()
    assert torch.equal(silent[:, :, 0], plain[Address(1, "cond", 1, "head")][:, :, 0])


def test_edited_queries_are_those_that_the_map_has():
    edit = Edit("query", lambda v, at: torch.zeros_like(v), layers=[0])
    with Tap(built("wan_i2v"), [Read("map", None, [0])], [edit]) as tap:
        call("wan_i2v")
    for found in tap.values.values():
        torch.testing.assert_close(found, torch.full_like(found, 1 / found.shape[-1]))


def test_maps_can_be_spilled(tmp_path):
    spill = Spill(tmp_path, FrameMass())
    assert not read("wan_i2v", Read("map", spill))
    for at, found in read("wan_i2v", Read("map", FrameMass())).items():
        torch.testing.assert_close(spill.load(at), found, equal_nan=True)


def test_frames_of_heads():
    found = read("wan_i2v", Read("head", Frames()))
    whole = read("wan_i2v", Read("head", Keep()))
    for at, value in found.items():
        wanted = whole[at].unflatten(1, (3, 4)).mean(2)[:, :, None]
        torch.testing.assert_close(value, wanted)


@pytest.mark.parametrize(
    ("read_", "message"),
    [
        (Read("map", Mean()), "does not reduce"),
        (Read("residual", FrameMass()), "does not reduce"),
        (Read("map", Mass(np.ones((1, 5), bool))), "groups of shape"),
        (Read("map", Spill(None, Mean())), "does not reduce"),  # type: ignore[arg-type]
    ],
)
def test_reducers_in_the_wrong_place_are_refused(read_, message):
    with pytest.raises(PhospheneError, match=message):
        read("wan_i2v", read_)


def test_attention_that_has_no_maps_says_so():
    with pytest.raises(PhospheneError, match="linear attention has no maps"):
        read("sana_video", Read("map"))
    unet = built("stable_diffusion").unet
    before = unet.attn_processors
    unet.set_attn_processor(AttnProcessor())
    try:
        with pytest.raises(PhospheneError, match="set_attention_backend"):
            read("stable_diffusion", Read("map"))
    finally:
        unet.set_attn_processor(before)
    with pytest.raises(PhospheneError, match="which token is which part"):
        read("stable_diffusion", Read("map", FrameMass()))
