"""Mutants: wrong, damaged and hand-drawn-looking versions of an oracle's clip.

Every mutant is a function of (task, problem, canvas, rng) to a `Clip`, or to None where the problem
has no such mutant. Those of `NULLS` and `SOUND_NULLS` must be rejected, those of `LADDER` and
`VARIATIONS` are still right.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from phosphene.clip import Clip
from phosphene.task import Canvas, Problem, Task

Mutant = Callable[[Task, Problem, Canvas, np.random.Generator], Clip | None]
TRIES = 20  # guesses before a task counts as unable to be wrong


_drawn: OrderedDict[str, Clip] = OrderedDict()
DRAWN = 256  # clips kept, so that a problem which meets thirty mutants is drawn once


def solved(task: Task, problem: Problem, canvas: Canvas) -> Clip:
    """`task.solve(problem, canvas)`, remembered. Clips are never written to."""
    key = f"{task!r} {problem.seed} {problem.split} {canvas} {json.dumps(dict(problem.state))}"
    if key not in _drawn:
        _drawn[key] = task.solve(problem, canvas)
        if len(_drawn) > DRAWN:
            _drawn.popitem(last=False)
    return _drawn[key]


def _pictures(clip: Clip) -> np.ndarray:
    assert clip.frames is not None
    return clip.frames


def static(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """The first frame, all the way, with the right sound."""
    clip = solved(task, problem, canvas)
    first = task.first_frame(problem, canvas)
    return replace(clip, frames=np.repeat(first[None], len(_pictures(clip)), 0))


def noise(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """Every pixel at random."""
    clip = solved(task, problem, canvas)
    return replace(clip, frames=rng.integers(0, 256, _pictures(clip).shape).astype(np.uint8))


def fade(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """The first frame drowns in noise."""
    clip = static(task, problem, canvas, rng)
    frames = _pictures(clip)
    share = np.linspace(0, 1, len(frames))[:, None, None, None]
    drowned = frames * (1 - share) + rng.integers(0, 256, frames.shape) * share
    return replace(clip, frames=drowned.astype(np.uint8))


def blank(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """White."""
    clip = solved(task, problem, canvas)
    return replace(clip, frames=np.full_like(_pictures(clip), 255))


def shuffled(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """The solved clip cut into 4 x 4 tiles, which change places."""
    clip = solved(task, problem, canvas)
    frames = _pictures(clip)
    side = frames.shape[1] // 4
    order = rng.permutation(16)
    while (order == np.arange(16)).any():
        order = rng.permutation(16)
    out = frames.copy()
    for to, source in enumerate(order):
        (y, x), (v, u) = divmod(to, 4), divmod(int(source), 4)
        out[:, y * side : (y + 1) * side, x * side : (x + 1) * side] = frames[
            :, v * side : (v + 1) * side, u * side : (u + 1) * side
        ]
    return replace(clip, frames=out)


def rotated(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """The solved clip, lying on its side."""
    clip = solved(task, problem, canvas)
    return replace(clip, frames=np.ascontiguousarray(np.rot90(_pictures(clip), axes=(1, 2))))


def overhead(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """The solved clip, upside down."""
    clip = solved(task, problem, canvas)
    return replace(clip, frames=np.ascontiguousarray(_pictures(clip)[:, ::-1, ::-1]))


def reversed_(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """The solved clip, played backwards."""
    clip = solved(task, problem, canvas)
    return replace(clip, frames=np.ascontiguousarray(_pictures(clip)[::-1]))


def wrong(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip | None:
    """A wrong answer, drawn as well as the right one."""
    for _ in range(TRIES):
        answer = task.guess(problem, rng)
        if not task.right(problem, answer):
            return solved(task, problem.answered(answer), canvas)
    return None


def altered(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """The right answer under other givens."""
    return solved(task, task.alter(problem, rng), canvas)


def erased(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """Solved, then back to the first frame."""
    clip = solved(task, problem, canvas)
    frames = _pictures(clip)
    first = task.first_frame(problem, canvas)[None]
    return replace(clip, frames=np.concatenate([frames[1:], first]))


def stranger(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip | None:
    """Another problem, solved."""
    for _ in range(TRIES):
        other = task.sample(int(rng.integers(2**40)), problem.split)
        if other.state != problem.state:
            return solved(task, other, canvas)
    return None


def cut(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip | None:
    """The first frame held, then the solved one at once; None where the way doesn't count."""
    if not task.PROCESS:
        return None
    clip = solved(task, problem, canvas)
    frames = _pictures(clip)
    at = int(rng.integers(1, len(frames)))
    held = np.repeat(task.first_frame(problem, canvas)[None], at, 0)
    return replace(clip, frames=np.concatenate([held, np.repeat(frames[-1:], len(frames) - at, 0)]))


NULLS: dict[str, Mutant] = {
    "static": static,
    "noise": noise,
    "fade": fade,
    "blank": blank,
    "shuffled": shuffled,
    "rotated": rotated,
    "upside down": overhead,
    "reversed": reversed_,
    "wrong answer": wrong,
    "altered givens": altered,
    "erased": erased,
    "another problem": stranger,
    "cut to answer": cut,
}


def _with_track(clip: Clip, track: np.ndarray | None) -> Clip:
    return replace(clip, audio=track, rate=None if track is None else clip.rate)


def mute(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """The right picture without sound."""
    return _with_track(solved(task, problem, canvas), None)


def silence(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """The right picture with a silent track."""
    clip = solved(task, problem, canvas)
    assert clip.audio is not None
    return _with_track(clip, np.zeros_like(clip.audio))


def hiss(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """The right picture with white noise."""
    clip = solved(task, problem, canvas)
    assert clip.audio is not None
    return _with_track(clip, rng.uniform(-0.7, 0.7, clip.audio.shape).astype(np.float32))


def other_sound(
    task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator
) -> Clip | None:
    """The right picture with the sound of a problem whose answer is another."""
    clip = solved(task, problem, canvas)
    for _ in range(TRIES):
        other = task.sample(int(rng.integers(2**40)), problem.split)
        if other.state["answer"] != problem.state["answer"]:
            return _with_track(clip, solved(task, other, canvas).audio)
    return None


def wrong_sound(
    task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator
) -> Clip | None:
    """The right picture with the sound of a wrong answer."""
    clip, lie = solved(task, problem, canvas), wrong(task, problem, canvas, rng)
    return None if lie is None else _with_track(clip, lie.audio)


SOUND_NULLS: dict[str, Mutant] = {
    "no sound": mute,
    "silence": silence,
    "white noise": hiss,
    "another problem's sound": other_sound,
    "wrong sound": wrong_sound,
}


def _each(change: Callable[[np.ndarray], np.ndarray]) -> Mutant:
    """A mutant that treats every frame of the oracle's clip alike."""

    def mutant(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
        clip = solved(task, problem, canvas)
        return replace(clip, frames=np.stack([change(f) for f in _pictures(clip)]))

    return mutant


def _resized(share: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(frame: np.ndarray) -> np.ndarray:
        from PIL import Image

        height, width = frame.shape[:2]
        small = Image.fromarray(frame).resize((round(width * share), round(height * share)), 2)
        return np.asarray(small.resize((width, height), 2))

    return change


def _moved(pixels: int) -> Callable[[np.ndarray], np.ndarray]:
    """Down and right; what comes in repeats the border."""

    def change(frame: np.ndarray) -> np.ndarray:
        padded = np.pad(frame, ((pixels, 0), (pixels, 0), (0, 0)), mode="edge")
        return padded[: frame.shape[0], : frame.shape[1]]

    return change


def _blurred(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(frame: np.ndarray) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        return gaussian_filter(frame.astype(np.float32), (sigma, sigma, 0)).astype(np.uint8)

    return change


def _tinted(frame: np.ndarray) -> np.ndarray:
    tint = np.array([0.95, 1.0, 0.92], np.float32)
    return (frame * tint + np.array([4, -6, 6], np.float32)).clip(0, 255).astype(np.uint8)


def _h264(crf: int) -> Mutant:
    def mutant(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
        clip = solved(task, problem, canvas)
        return replace(clip, frames=through_h264(_pictures(clip), clip.fps, crf))

    return mutant


def through_h264(frames: np.ndarray, fps: Fraction, crf: int) -> np.ndarray:
    """Frames uint8 `(n, h, w, 3)`, even sides, through an H.264 encoder (4:2:0) and back."""
    import io

    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as sink:
        stream = sink.add_stream("libx264", rate=fps, options={"crf": str(crf), "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for frame in frames:
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        sink.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as source:
        return np.stack([f.to_ndarray(format="rgb24") for f in source.decode(video=0)])


LADDER: dict[str, Mutant] = {
    "h264 crf 18": _h264(18),
    "h264 crf 28": _h264(28),
    "h264 crf 38": _h264(38),
    "resize 75 %": _each(_resized(0.75)),
    "resize 50 %": _each(_resized(0.5)),
    "shift 1 px": _each(_moved(1)),
    "shift 2 px": _each(_moved(2)),
    "blur 0.5 px": _each(_blurred(0.5)),
    "blur 1 px": _each(_blurred(1.0)),
    "colour cast": _each(_tinted),
}


def thick(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """What is drawn, in strokes one to two pixels (of 64) wider."""
    return _redrawn(task, problem, canvas, rng, grow=1)


def thin(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """What is drawn, in fainter edges: strokes about half a pixel (of 64) narrower."""
    return _redrawn(task, problem, canvas, rng, grow=-1)


def wobble(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """What is drawn, displaced by a smooth random field of up to about a pixel (of 64)."""
    return _redrawn(task, problem, canvas, rng, sway=1.0)


def recoloured(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    """What is drawn, in another ink that stands out from the first frame's colours."""
    return _redrawn(task, problem, canvas, rng, recolour=True)


VARIATIONS: dict[str, tuple[str, Mutant]] = {
    "thicker strokes": ("stroke", thick),
    "thinner strokes": ("stroke", thin),
    "wobbly lines": ("wobble", wobble),
    "another ink": ("colour", recoloured),
}


def _redrawn(
    task: Task,
    problem: Problem,
    canvas: Canvas,
    rng: np.random.Generator,
    grow: int = 0,
    sway: float = 0.0,
    recolour: bool = False,
) -> Clip:
    """The oracle's clip with its drawn layer, frame minus first frame, drawn differently."""
    from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter, minimum_filter

    clip = solved(task, problem, canvas)
    frames, size = _pictures(clip).astype(np.float32), canvas.size
    first = task.first_frame(problem, canvas).astype(np.float32)
    unit = max(round(size / 64), 1)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    if sway:
        field = gaussian_filter(rng.normal(size=(2, size, size)), (0, 5 * unit, 5 * unit))
        field *= sway * unit / np.abs(field).max()
        y, x = y + field[0], x + field[1]
    ink = _standing_out(first, rng) if recolour else None
    out = []
    for frame in frames:
        layer = frame - first
        if sway:
            layer = np.stack(
                [map_coordinates(layer[..., c], [y, x], order=1, mode="nearest") for c in range(3)],
                -1,
            )
        if grow:
            strength = np.abs(layer).max(-1)
            window = 2 * unit + 1
            if grow > 0:
                wanted = maximum_filter(strength, window)
                colour = _spread(layer, strength, window)
            else:
                wanted = 0.5 * strength + 0.5 * minimum_filter(strength, window)
                colour = layer / np.maximum(strength, 1e-6)[..., None]
            layer = colour * wanted[..., None]
        drawn = first + layer
        if ink is not None:
            strength = np.abs(layer).max(-1) / max(float(np.abs(frames[-1] - first).max()), 1)
            drawn = first + np.minimum(strength, 1)[..., None] * (ink - first)
        out.append(drawn)
    pixels = np.rint(np.stack(out)).clip(0, 255).astype(np.uint8)
    return replace(clip, frames=pixels)


def _spread(layer: np.ndarray, strength: np.ndarray, window: int) -> np.ndarray:
    """For each pixel the unit colour of the strongest ink within the window."""
    reach = window // 2
    best, colour = np.zeros_like(strength), np.zeros_like(layer)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            near = np.roll(strength, (dy, dx), (0, 1))
            better = near > best
            best = np.where(better, near, best)
            moved = np.roll(layer, (dy, dx), (0, 1)) / np.maximum(near, 1e-6)[..., None]
            colour = np.where(better[..., None], moved, colour)
    return colour


def _standing_out(first: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour at least 90 levels away from most of what the first frame shows."""
    seen = first.reshape(-1, 3)
    seen = seen[rng.choice(len(seen), 400)]
    tried = rng.uniform(0, 255, (64, 3))
    away = np.linalg.norm(tried[:, None] - seen[None], axis=-1)
    return tried[np.quantile(away, 0.02, axis=1).argmax()]
