"""The tap: what it reads, that it changes nothing, and how it labels what it finds."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn as nn  # noqa: E402
from diffusers import DDIMScheduler  # noqa: E402
from tapped import PACKED, built, call, every_family, same, state  # noqa: E402
from torch import Tensor  # noqa: E402

from phosphene.errors import PhospheneError  # noqa: E402
from phosphene.tap import (  # noqa: E402
    Address,
    Edit,
    Frames,
    Keep,
    Mean,
    Moments,
    Read,
    Reducer,
    Spill,
    Tap,
    Tokens,
)
from phosphene.tap.anatomy import denoisers, layers  # noqa: E402

STEPS = {"x0", "x_t", "prediction"}


@every_family
def test_reading_changes_nothing_and_leaves_nothing(family):
    pipeline = built(family)
    bare, before = call(family), state(pipeline)
    reads = [Read("x_t"), Read("x0"), Read("prediction")]
    if family != PACKED:
        reads += [Read("residual", Mean())]
        reads += [Read("attention", Mean())] * any(n.attention for n in layers(pipeline))
        reads += [Read("mlp", Mean())] * any(n.mlp for n in layers(pipeline))
    with Tap(pipeline, reads) as tap:
        assert same(call(family), bare)
    assert state(pipeline) == before
    steps = {at.step for at in tap.values}
    assert steps == set(range(len(tap.levels)))
    assert len(steps) >= 2
    assert {at.layer for at in tap.values if at.site in STEPS} == {-1}
    if family != PACKED:
        found = {at.layer for at in tap.values if at.site == "residual"}
        assert len(found) >= max(1, len(tap.layers) // 2)
        assert all(len(v) == 1 and v.isfinite().all() for v in tap.values.values())
    assert same(call(family), bare)


BRANCHES = {
    "flux_kontext": {"cond"},
    "wan_i2v": {"cond", "uncond"},  # two calls, named by the pipeline
    "stable_diffusion": {"cond", "uncond"},  # a doubled batch
    "ltx2": {"cond", "uncond", "uncond_stg", "uncond_modality"},  # further guidances of its own
    "mochi": {"cond", "uncond"},
    "instruct_pix2pix": {"branch0", "branch1", "branch2"},
    "hunyuan_video15": {"cond", "uncond"},  # `pred_cond` and `pred_uncond`
}


@pytest.mark.parametrize("family", BRANCHES)
def test_branches_are_told_apart(family):
    with Tap(built(family), [Read("residual", Mean())]) as tap:
        call(family)
    assert {at.branch for at in tap.values} == BRANCHES[family]


@pytest.mark.parametrize("family", ["wan_i2v", "stable_diffusion", "sd3"])
def test_the_conditional_branch_is_the_one_that_follows_the_prompt(family):
    found = []
    for prompt in ("a red cube", "two cats sing"):
        with Tap(built(family), [Read("residual", Mean(), steps=[0])]) as tap:
            call(family, prompt=prompt)
        found.append(tap.values)
    last = max(at.layer for at in found[0])
    moved = {
        at.branch: float((found[0][at] - found[1][at]).abs().max())
        for at in found[0]
        if at.layer == last and at.call == 0
    }
    assert moved["uncond"] < 1e-5 < moved["cond"]


def test_sound_has_a_stream_of_its_own():
    with Tap(built("ltx2"), [Read("x_t"), Read("x0")]) as tap:
        call("ltx2")
    assert {(at.step, at.stream) for at in tap.values} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    shapes = {at.stream: v.shape for at, v in tap.values.items()}
    assert shapes[0] != shapes[1]


def test_the_sample_of_a_step_is_what_the_step_before_left():
    """Euler's rule for flows, from what was read: x_1 = x_0 + (sigma_1 - sigma_0) v."""
    reads = [Read("x_t"), Read("prediction"), Read("x0")]
    with Tap(built("wan_i2v"), reads) as tap:
        (sample, *_) = call("wan_i2v")
    x, v = (
        [tap.values[Address(t, "guided", -1, site)] for t in (0, 1)]
        for site in ("x_t", "prediction")
    )
    s0, s1 = tap.levels[0][1], tap.levels[1][1]
    assert s0 is not None
    assert s1 is not None
    torch.testing.assert_close(x[1], x[0] + (s1 - s0) * v[0])
    torch.testing.assert_close(tap.values[Address(1, "guided", -1, "x0")], x[1] - s1 * v[1])
    torch.testing.assert_close(sample, tap.values[Address(1, "guided", -1, "x0")])


def test_blocks_follow_one_another():
    with Tap(built("wan_i2v"), [Read("residual"), Read("attention"), Read("mlp")]) as tap:
        call("wan_i2v")
    kept = {(at.step, at.branch, at.layer, at.site): v for at, v in tap.values.items()}
    assert len(kept) == 2 * 2 * 2 * 3
    assert len({v.shape for v in kept.values()}) == 1


def test_reducers_agree_with_what_is_kept(tmp_path):
    pipeline, values = built("wan_i2v"), {}
    moments = Moments()
    reducers = {
        "keep": Keep(),
        "mean": Mean(),
        "tokens": Tokens((3, 0)),
        "frames": Frames(),
        "top": Frames(np.array([[[[1.0], [0.0]], [[0.0], [1.0]]]])),
        "spill": Spill(tmp_path, Frames(), run=7),
        "moments": moments,
        "half": Keep(torch.float16),
    }
    for name, reducer in reducers.items():
        with Tap(pipeline, [Read("residual", reducer)]) as tap:
            call("wan_i2v")
        values[name] = dict(tap.values)
    for at, whole in values["keep"].items():
        grid = whole.unflatten(1, (3, 2, 2))
        torch.testing.assert_close(values["mean"][at], whole.mean(1))
        torch.testing.assert_close(values["tokens"][at], whole[:, [3, 0]])
        torch.testing.assert_close(values["frames"][at], grid.mean((2, 3))[:, :, None])
        torch.testing.assert_close(values["top"][at], grid.mean(3))
        torch.testing.assert_close(reducers["spill"].load(at), values["frames"][at])
        count, mean, variance = moments.result(at)
        assert count == whole.shape[1]
        torch.testing.assert_close(mean.float(), whole[0].mean(0))
        torch.testing.assert_close(variance.float(), whole[0].var(0))
        assert values["half"][at].dtype == torch.float16
    assert not values["spill"]
    assert not values["moments"]


def test_moments_run_on_over_calls():
    moments, kept = Moments(), []
    for seed in (0, 1, 2):
        generator = torch.Generator().manual_seed(seed)
        with Tap(built("wan_t2v"), [Read("residual", moments, layers=[1])]):
            call("wan_t2v", generator=generator)
        generator = torch.Generator().manual_seed(seed)
        with Tap(built("wan_t2v"), [Read("residual", Keep(), layers=[1])]) as tap:
            call("wan_t2v", generator=generator)
        kept.append(tap.values)
    for at in kept[0]:
        rows = torch.cat([k[at][0] for k in kept]).double()
        count, mean, variance = moments.result(at)
        assert count == len(rows)
        torch.testing.assert_close(mean, rows.mean(0))
        torch.testing.assert_close(variance, rows.var(0))


def test_what_is_kept_is_no_view_of_the_model():
    with Tap(built("wan_i2v"), [Read("residual"), Read("x_t")]) as tap:
        call("wan_i2v")
    before = {at: v.clone() for at, v in tap.values.items()}
    call("wan_i2v", generator=torch.Generator().manual_seed(9))
    assert all(torch.equal(before[at], v) for at, v in tap.values.items())


def test_a_batch_is_its_samples():
    pipeline = built("wan_t2v")
    generators = [torch.Generator().manual_seed(s) for s in (0, 1)]
    prompts = ["a red cube", "a blue ball rolls"]
    with Tap(pipeline, [Read("residual", Frames()), Read("x0")], runs=2) as tap:
        call("wan_t2v", prompt=prompts, generator=generators)
    for i in (0, 1):
        generator = torch.Generator().manual_seed(i)
        with Tap(pipeline, [Read("residual", Frames()), Read("x0")]) as one:
            call("wan_t2v", prompt=prompts[i], generator=generator)
        assert set(one.values) == set(tap.values)
        for at, value in one.values.items():
            torch.testing.assert_close(tap.values[at][i], value[0], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("family", ["wan_i2v", "stable_diffusion", "svd", "ltx2"])
@pytest.mark.parametrize("site", ["residual", "attention", "mlp", "prediction"])
def test_an_edit_that_changes_nothing_changes_nothing(family, site):
    bare = call(family)
    with Tap(built(family), edits=[Edit(site, lambda value, at: value.clone())]) as tap:
        assert same(call(family), bare)
    assert tap.calls == 1


@pytest.mark.parametrize("family", ["wan_i2v", "stable_diffusion", "flux_kontext", "mochi"])
@pytest.mark.parametrize("site", ["residual", "attention", "head", "query", "prediction", "x_t"])
def test_an_edit_changes_the_sample(family, site):
    edit = Edit(site, lambda value, at: value * 0.5 + 0.1, steps=[1])
    with Tap(built(family), edits=[edit]):
        changed = call(family)
    assert not same(changed, call(family))


def test_edits_go_where_they_are_sent():
    """Only the branch, layer and step that were named see another value, or come after it."""
    before = Tap(built("wan_i2v"), [Read("residual", Mean())])
    with before:
        call("wan_i2v")
    edit = Edit("residual", lambda v, at: v + 1, layers=[1], steps=[1], branches=["cond"])
    with Tap(built("wan_i2v"), [Read("residual", Mean())], [edit]) as tap:
        call("wan_i2v")
    moved = {at for at, v in tap.values.items() if not torch.equal(v, before.values[at])}
    assert moved == {Address(1, "cond", 1, "residual")}
    (place,) = moved
    torch.testing.assert_close(tap.values[place], before.values[place] + 1)


def test_x_t_is_edited_before_the_denoiser_sees_it_and_never_after_the_last_step():
    seen: list[int] = []

    def change(value: Tensor, at: Address) -> Tensor:
        seen.append(at.step)
        return torch.zeros_like(value)

    with Tap(built("wan_t2v"), [Read("x_t")], [Edit("x_t", change)]) as tap:
        (sample,) = call("wan_t2v", num_inference_steps=3)[:1]
    assert seen == [1, 2]
    assert not tap.values[Address(1, "guided", -1, "x_t")].any()
    assert sample.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, at: v.add_(1), "in place"),
        (lambda v, at: v[:, :1], "must keep"),
    ],
)
def test_edits_that_break_their_promise_are_refused(change, message):
    pipeline = built("wan_i2v")
    call("wan_i2v")
    before = state(pipeline)
    with (
        pytest.raises(PhospheneError, match=message),
        Tap(pipeline, edits=[Edit("residual", change)]),
    ):
        call("wan_i2v")
    assert state(pipeline) == before


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Read("residual", layers=[2]), "no layer 2"),
        (Read("nowhere"), "no site 'nowhere'"),  # type: ignore[arg-type]
        (Read("x0", Frames()), "is a sample"),
        (Edit("x_t", lambda v, at: v, steps=[0]), "starting noise"),
        (Read("residual", steps=[7]), "nothing passed 'residual' at steps"),
        (Read("residual", branches=["elsewhere"]), "nothing passed 'residual' at branches"),
        (Edit("residual", lambda v, at: v, steps=[7]), "nothing passed"),
        (Read("text"), "nothing passed 'text'"),
    ],
)
def test_what_is_not_there_is_refused(asked, message):
    reads, edits = ([asked], []) if isinstance(asked, Read) else ([], [asked])
    pipeline = built("wan_i2v")
    before = state(pipeline)
    with pytest.raises(PhospheneError, match=message), Tap(pipeline, reads, edits):
        call("wan_i2v")
    assert state(pipeline) == before


@pytest.mark.parametrize("site", ["x0", "map", "cross_map"])
def test_what_follows_from_other_sites_is_not_edited(site):
    with pytest.raises(PhospheneError, match="follows from"):
        Edit(site, lambda value, at: value)


def test_two_reads_of_one_place_are_refused():
    with pytest.raises(PhospheneError, match="meet"):
        Tap(built("wan_i2v"), [Read("residual", Mean()), Read("residual", Frames(), layers=[1])])
    Tap(
        built("wan_i2v"),
        [Read("residual", Mean(), layers=[0]), Read("residual", Frames(), layers=[1])],
    )


def test_a_pipeline_without_a_known_denoiser_is_refused():
    bare = SimpleNamespace(scheduler=DDIMScheduler())
    with pytest.raises(PhospheneError, match="none of the denoisers"), Tap(bare, [Read("x0")]):
        pass
    with (
        pytest.raises(PhospheneError, match="none of the denoisers"),
        Tap(SimpleNamespace(), [Read("x0")]),
    ):
        pass


def test_compiled_and_cached_denoisers_are_refused(monkeypatch):
    from diffusers import FirstBlockCacheConfig

    pipeline = built("wan_i2v")
    block = pipeline.transformer.blocks[0]
    monkeypatch.setattr(block, "_compiled_call_impl", lambda *a: None)
    with pytest.raises(PhospheneError, match="compiled"):
        denoisers(pipeline)
    monkeypatch.undo()
    pipeline.transformer.enable_cache(FirstBlockCacheConfig(threshold=0.1))
    try:
        with pytest.raises(PhospheneError, match="skips blocks"):
            Tap(pipeline, [Read("residual", Mean())])
    finally:
        pipeline.transformer.disable_cache()
    denoisers(pipeline)


def test_nothing_stays_after_an_exception_within_a_call():
    pipeline = built("ltx2")
    # A first call may leave something behind that has nothing to do with the tap.
    bare, before = call("ltx2"), state(pipeline)

    class Boom(Exception):
        pass

    def burst(value: Tensor, at: Address) -> Tensor:
        raise Boom

    edits = [Edit("query", burst, layers=[1], steps=[1])]
    with pytest.raises(Boom), Tap(pipeline, [Read("map"), Read("x0")], edits):
        call("ltx2")
    assert state(pipeline) == before
    assert same(call("ltx2"), bare)


def test_a_tap_lives_through_a_failed_call():
    reads = [Read("residual", Mean()), Read("map")]
    with Tap(built("wan_i2v"), reads) as tap:
        with pytest.raises(Exception, match=r".*"):
            call("wan_i2v", height=31)
        call("wan_i2v")
        first = dict(tap.values)
        call("wan_i2v")
    assert tap.calls == 2
    assert all(torch.equal(first[at], v) for at, v in tap.values.items())


def test_taps_within_taps():
    pipeline, bare = built("wan_i2v"), call("wan_i2v")
    with Tap(pipeline, [Read("residual", Mean()), Read("map")]) as alone:
        call("wan_i2v")
    before = state(pipeline)
    with Tap(pipeline, [Read("residual", Mean())]) as outer:
        with Tap(pipeline, [Read("x0"), Read("map")]) as inner:
            assert same(call("wan_i2v"), bare)
        middle = dict(outer.values)
        call("wan_i2v")
    assert state(pipeline) == before
    assert outer.calls == 2
    assert inner.calls == 1
    assert all(torch.equal(alone.values[at], v) for at, v in middle.items())
    assert all(torch.equal(alone.values[at], v) for at, v in inner.values.items() if at.layer >= 0)


def test_pipelines_of_one_class_do_not_mix():
    from phosphene.testing import tiny

    one, other = built("wan_t2v"), tiny.build("wan_t2v")
    other.set_progress_bar_config(disable=True)
    reads = [Read("residual", Mean()), Read("x0"), Read("map")]
    with Tap(one, reads) as tap:
        call("wan_t2v")
        expected = dict(tap.values)
        with Tap(other, reads) as second:
            call("wan_t2v", other, num_inference_steps=3)
            call("wan_t2v")
        call("wan_t2v", other)
    assert len(second.levels) == 3
    assert len(tap.levels) == 2
    assert tap.calls == 2
    assert second.calls == 1
    assert all(torch.equal(expected[at], v) for at, v in tap.values.items())


def test_another_thread_is_not_read():
    from phosphene.testing import tiny

    one, other = built("wan_t2v"), tiny.build("wan_t2v")
    other.set_progress_bar_config(disable=True)
    with Tap(one, [Read("map"), Read("x_t")]) as tap:
        call("wan_t2v")
        expected = dict(tap.values)
        thread = threading.Thread(target=lambda: [call("wan_t2v", other) for _ in range(4)])
        thread.start()
        call("wan_t2v")
        thread.join()
    assert set(tap.values) == set(expected)
    assert all(torch.equal(expected[at], v) for at, v in tap.values.items())


def test_calls_by_hand_are_read():
    pipeline = built("wan_t2v")
    x = torch.randn(1, 16, 3, 4, 4)
    words = torch.randn(1, 5, pipeline.transformer.config.text_dim)
    arguments = {"timestep": torch.tensor([500]), "encoder_hidden_states": words}
    with Tap(pipeline, [Read("residual", Frames())]) as tap:
        pipeline.transformer(x, **arguments)
        assert not tap.values
        with tap.by_hand():
            pipeline.transformer(x, **arguments)
    assert set(tap.values) == {Address(0, "cond", n, "residual") for n in (0, 1)}


def test_a_reducer_of_ones_own_is_told_the_layout():
    seen: list[Any] = []

    class Own(Reducer):
        def __call__(self, value: Any, layout: Any, at: Address) -> None:
            seen.append(layout)

    with Tap(built("wan_i2v"), [Read("residual", Own())]):
        call("wan_i2v")
    assert {(n.frames, n.rows, n.columns) for n in seen} == {(3, 2, 2)}


def test_a_step_that_is_not_told_the_sample_is_refused():
    class Odd:
        config: Any = SimpleNamespace()

        def step(self, model_output: Any) -> None: ...

    class Thing(SimpleNamespace):
        def __call__(self) -> None: ...

    thing = Thing(scheduler=Odd(), transformer=nn.Linear(1, 1))
    with pytest.raises(PhospheneError, match="not told sample, timestep"), Tap(thing, [Read("x0")]):
        pass


def test_it_fails_at_the_first_step_when_nothing_comes():
    pipeline, counted = built("wan_i2v"), []
    edit = Edit("prediction", lambda v, at: counted.append(at.step) or v)
    with (
        pytest.raises(PhospheneError, match="nothing passed 'text'"),
        Tap(pipeline, [Read("text")], [edit]),
    ):
        call("wan_i2v")
    assert counted == [0]
