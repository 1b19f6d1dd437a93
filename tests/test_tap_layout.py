"""Where tokens lie in the picture, by hand against what the tap finds; and replayed latents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tapped import FAMILIES, PACKED, built, call, flat, same, state  # noqa: E402

from phosphene.tap import Address, Frames, Layout, Mean, Read, Reducer, Tap  # noqa: E402
from phosphene.tap.layout import coverage, grid  # noqa: E402
from phosphene.tap.locate import find, told  # noqa: E402
from phosphene.tap.replay import replaying  # noqa: E402
from phosphene.testing import tiny  # noqa: E402


class Look(Reducer):
    """Notes layouts, and keeps nothing."""

    def __init__(self) -> None:
        self.seen: dict[Address, Any] = {}

    def __call__(self, value: Any, layout: Any, at: Address) -> None:
        self.seen[at] = layout


def layouts(family: str, **changes: Any) -> dict[Address, Any]:
    look = Look()
    with Tap(built(family), [Read("residual", look)]):
        call(family, **changes)
    return look.seen


SHAPES = {
    "wan_i2v": (3, 2, 2),  # 9 frames, 4 in one; 32 pixels, 8 in one, patches of 2
    "cogvideox_i2v": (3, 4, 4),
    "flux_kontext": (2, 4, 4),  # the picture to be edited follows as a second frame
    "ltx2": (2, 2, 2),
    "mochi": (2, 2, 2),
    "svd": (4, None, None),
    "stable_diffusion": (1, None, None),
    "kandinsky6": (3, 2, 2),  # channels last
}


@pytest.mark.parametrize("family", SHAPES)
def test_known_shapes(family):
    found = [n for n in layouts(family).values() if n is not None]
    assert found
    for layout in found:
        shape = (layout.frames, layout.rows, layout.columns)
        assert all(b is None or a == b for a, b in zip(shape, SHAPES[family], strict=True))
        inside = layout.places[layout.places[:, 0] >= 0]
        assert len(np.unique(inside, axis=0)) == len(inside) == np.prod(shape)


def test_every_block_has_its_layout():
    found = layouts("flux_kontext")
    assert all(n is not None for n in found.values())
    assert len({at.layer for at in found}) == 2


@pytest.mark.parametrize("frame", [0, 1, 2])
@pytest.mark.parametrize("place", [(0, 0), (1, 1)])
def test_a_patch_of_noise_moves_the_token_that_it_became(frame, place):
    """Ahead of attention a change of one patch shows at one token; that is at the first block's
    input, so at its self-attention's queries."""
    pipeline, given = built("wan_t2v"), torch.randn(1, 16, 3, 4, 4)
    row, column = (2 * p for p in place)
    other = given.clone()
    other[:, :, frame, row : row + 2, column : column + 2] += 1
    queries = []
    for latents in (given, other):
        with Tap(pipeline, [Read("query", None, [0], [0], ["cond"])]) as tap:
            call("wan_t2v", latents=latents)
        (value,) = tap.values.values()
        queries.append(value[0].flatten(1))
    moved = (queries[0] != queries[1]).any(1).nonzero().flatten().tolist()
    layout = next(iter(layouts("wan_t2v").values()))
    assert [layout.places[m].tolist() for m in moved] == [[frame, *place]]


def test_packed_pictures_of_another_shape_are_laid_out_anew():
    """The row of patches is as long either way; only the numbers in the call tell."""
    wide = layouts("flux", height=32, width=128)
    tall = layouts("flux", height=128, width=32)
    for found, shape in ((wide, (2, 8)), (tall, (8, 2))):
        assert {(n.rows, n.columns) for n in found.values()} == {shape}


def test_what_calls_tell():
    whole = {"num_frames": 3, "height": 2, "width": 2}
    assert np.asarray(told(12, whole)).tolist() == grid(3, 2, 2).places.tolist()
    assert told(13, whole) is None
    shapes = {"img_shapes": [[(1, 2, 2), (1, 2, 2), (1, 3, 3)]]}
    places = np.asarray(told(17, shapes))
    assert places[:8, 0].tolist() == [0] * 4 + [1] * 4
    assert (places[8:] == -1).all()
    assert told(4, {}) is None
    ids = torch.zeros(12, 3)
    ids[:8, 1:] = torch.cartesian_prod(torch.arange(2.0), torch.arange(4.0))
    ids[8:, 0] = 1  # a picture of another shape to be edited
    ids[8:, 1:] = torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0))
    places = np.asarray(told(12, {"img_ids": ids}))
    assert places[:8].tolist() == grid(1, 2, 4).places.tolist()
    assert (places[8:] == -1).all()


def test_weights_average_over_the_part_of_the_picture_that_a_mask_covers():
    layout = grid(2, 2, 2).shifted(3, 12)
    masks = np.zeros((1, 2, 4, 4))
    masks[0, 0, :2, :2] = 1  # one cell
    masks[0, 1, :, 1:3] = 1  # half of each cell
    weights = layout.weights(masks)
    assert weights.shape == (1, 2, 2, 12)
    assert weights[0, 1, 0].nonzero().flatten().tolist() == [7]
    assert weights[0, 0, 1].tolist() == [0, 0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0, 0]
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2, 2))
    assert coverage(masks, 2, 2)[0, 1].tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_frames_average_in_any_order_of_tokens():
    rng = np.random.default_rng(0)
    value = torch.randn(2, 15, 5)
    plain = grid(3, 2, 2).shifted(2, 15)
    order = rng.permutation(15)
    mixed = Layout(plain.places[order])
    assert plain.in_order == 2
    assert mixed.in_order is None
    at = Address(0, "cond", 0, "residual")
    straight = Frames()(value, plain, at)
    torch.testing.assert_close(Frames()(value[:, order], mixed, at), straight)
    wanted = value[:, 2:14].unflatten(1, (3, 4)).mean(2)[:, :, None]
    torch.testing.assert_close(straight, wanted)


def test_frames_of_half_precision_are_not_rounded_twice():
    value = torch.full((1, 12, 4), 1.0).bfloat16()
    masks = np.ones((1, 1, 3, 3))
    at = Address(0, "cond", 0, "residual")
    for reducer in (Frames(), Frames(masks)):
        assert torch.equal(reducer(value, grid(3, 2, 2), at), torch.ones(1, 3, 1, 4))


def test_masks_for_each_sample():
    value = torch.randn(2, 4, 3)
    masks = np.zeros((2, 1, 2, 2))
    masks[0, 0, 0, 0] = masks[1, 0, 1, 1] = 1
    found = Frames(masks)(value, grid(1, 2, 2), Address(0, "cond", 0, "residual"))
    torch.testing.assert_close(found[:, 0, 0], torch.stack([value[0, 0], value[1, 3]]))


QUICK = ["wan_i2v", "ltx2", "stable_diffusion", "svd"]
LAST = [f.values[0] if not isinstance(f, str) else f for f in FAMILIES]
LAST = [f for f in LAST if f not in (*QUICK, PACKED)]


@pytest.mark.parametrize(
    "family", [*QUICK, *(pytest.param(f, marks=pytest.mark.slow) for f in LAST)]
)
def test_the_last_x_decodes_to_the_sample_itself(family):
    """What the scheduler ends on is caught by hand, and handed back by a replay."""
    pipeline = built(family)
    given = tiny.example(family)

    def run() -> tuple[Any, ...]:
        out = pipeline(**given, generator=torch.Generator().manual_seed(0), return_dict=False)
        streams = out if isinstance(out, tuple) else (out,)
        return tuple(_pixels(s) for s in streams if s is not None and not isinstance(s, bool))

    ends: dict[int, Any] = {}
    order: list[int] = []
    step = type(pipeline.scheduler).step

    def spy(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
        out = step(scheduler, *args, **kwargs)
        if scheduler is not pipeline.scheduler and id(scheduler) not in order:
            order.append(id(scheduler))
        stream = 0 if scheduler is pipeline.scheduler else 1 + order.index(id(scheduler))
        ends[stream] = (out[0] if isinstance(out, tuple) else out.prev_sample).clone()
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(pipeline.scheduler), "step", spy)
        sample = run()
    before = state(pipeline)
    with replaying(pipeline, ends):
        again = run()
    assert state(pipeline) == before
    assert len(again) == len(sample)
    for a, b in zip(again, sample, strict=True):
        torch.testing.assert_close(a.double(), b.double(), atol=1e-5, rtol=1e-4)


def _pixels(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return torch.cat([_pixels(v).flatten() for v in value])
    return flat(value)


def test_a_replay_ends_with_an_exception_as_without():
    pipeline = built("wan_i2v")
    before, bare = state(pipeline), call("wan_i2v")
    with pytest.raises(Exception, match=r".*"), replaying(pipeline, {0: torch.zeros(1)}):
        call("wan_i2v", height=31)
    assert state(pipeline) == before
    assert same(call("wan_i2v"), bare)


def test_reading_blocks_without_layout_costs_no_trial(monkeypatch):
    from phosphene.tap import follow

    monkeypatch.setattr(follow, "find", lambda *a: pytest.fail("looked for a layout"))
    with Tap(built("wan_i2v"), [Read("residual", Mean())]):
        call("wan_i2v", height=48, width=64)


class _Coupled(torch.nn.Module):
    """Patches of pictures that are normalised whole: each pixel moves every token a little."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.GroupNorm(1, 3)
        self.embed = torch.nn.Conv2d(3, 32, 10, stride=8, padding=1)
        self.block = torch.nn.Linear(32, 32)

    def forward(self, hidden_states: Any, timestep: Any) -> Any:
        frames = hidden_states.shape[1]
        seen = self.embed(self.norm(hidden_states.flatten(0, 1))).flatten(2).transpose(1, 2)
        tokens = seen.unflatten(0, (-1, frames)).flatten(1, 2)
        return self.block(torch.cat([tokens, torch.ones_like(tokens[:, :4])], 1))


@pytest.mark.parametrize("seed", range(4))
def test_tokens_of_pictures_that_are_normalised_whole_are_placed_by_what_moves_them_most(seed):
    torch.manual_seed(seed)
    model, rows, columns = _Coupled(), 4, 8
    call = {
        "hidden_states": torch.randn(1, 3, 3, 8 * rows, 8 * columns),
        "timestep": torch.ones(1),
    }
    found = find(model, model.block, call)
    assert found is not None
    inside = found.places[:, 0] >= 0
    assert inside.tolist() == [True] * 3 * rows * columns + [False] * 4
    assert found.places[inside].tolist() == grid(3, rows, columns).places.tolist()
