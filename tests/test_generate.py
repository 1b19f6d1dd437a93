"""The generate loop: batches, seeds, back-off, failures, and what it costs."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import phosphene
from phosphene import media
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.generate import generate, generate_run
from phosphene.progress import Event, shown
from phosphene.request import Request
from phosphene.run import Run
from phosphene.testing.fake import FakeBackbone


class Watched(FakeBackbone):
    """A fake that remembers the batches it was given and how often its weights were loaded."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        object.__setattr__(self, "batches", [])
        object.__setattr__(self, "loads", 0)

    batches: list[list[int]]
    loads: int

    def load(self) -> None:
        object.__setattr__(self, "loads", self.loads + 1)

    def generate(self, requests: Sequence[Request]) -> list[Clip]:
        self.batches.append([request.index for request in requests])
        return super().generate(requests)


def requests(count: int, **fields: Any) -> list[Request]:
    asked = Request(**{"prompt": "a", "width": 32, "height": 32, "frames": 3, **fields})
    return [dataclasses.replace(asked, index=i) for i in range(count)]


def digests(clips: list[Clip]) -> list[str]:
    return [clip.digest for clip in clips]


def test_three_lines_make_a_file(tmp_path: Path) -> None:
    (clip,) = phosphene.generate("a square", backbone=FakeBackbone(), seed=7)
    phosphene.save(clip, tmp_path / "square.mp4")
    assert media.load(tmp_path / "square.mp4").size == clip.size


def test_the_function_can_be_called_before_and_after_its_module_is_imported() -> None:
    code = """
import phosphene
from phosphene.testing.fake import FakeBackbone
for _ in range(2):
    phosphene.generate("a", backbone=FakeBackbone())
import phosphene.generate as module
module.generate_run
phosphene.generate("a", backbone=FakeBackbone())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_batch_of_one_and_batch_of_eight_agree() -> None:
    one, eight, odd = (
        digests(generate(["a", "b"], backbone=FakeBackbone(), count=4, batch=b)) for b in (1, 8, 3)
    )
    assert one == eight == odd
    assert len(set(one)) == 8


def test_a_sample_depends_on_its_own_seed_and_index_alone() -> None:
    few = generate("a", backbone=FakeBackbone(), count=2, seed=5)
    many = generate("a", backbone=FakeBackbone(), count=6, seed=5)
    other = generate("a", backbone=FakeBackbone(), count=6, seed=6)
    assert digests(few) == digests(many)[:2]
    assert not set(digests(many)) & set(digests(other))


def test_arguments_reach_the_request(tmp_path: Path) -> None:
    picture = np.full((4, 6, 3), 9, np.uint8)
    media.save(Clip(picture[None]), tmp_path / "p.png")
    fields = {
        "negative": "n",
        "first_frame": tmp_path / "p.png",
        "size": (20, 10),
        "frames": 4,
        "fps": "24000/1001",
        "duration": 2.0,
        "steps": 3,
        "guidance": 2.5,
        "seed": 11,
        "extra": {"hue": 1},
    }
    generate("p", backbone=FakeBackbone(), out=tmp_path / "run", **fields)
    (record,) = Run.load(tmp_path / "run").records()
    asked = record.recipe["request"]
    assert asked.pop("first_frame")["shape"] == [4, 6, 3]
    assert asked == {
        **{k: v for k, v in fields.items() if k not in ("size", "first_frame")},
        "prompt": "p",
        "last_frame": None,
        "width": 20,
        "height": 10,
        "index": 0,
    }
    clip = media.load(tmp_path / "run" / str(record.file))
    assert (clip.size, clip.fps) == ((20, 10), Fraction(24000, 1001))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"count": 0}, "count must be at least 1; got 0"),
        ({"batch": 0}, "batch must be at least 1; got 0"),
        ({"frames": 0}, "frames must be at least 1; got 0"),
        ({"fps": 23.976}, 'fps 23.976 is not exact; give a fraction as text, e.g. "24000/1001"'),
        ({"fps": "fast"}, "fps 'fast' is no number"),
        ({"fps": "1/0"}, "fps '1/0' is no number"),
        ({"last_frame": np.zeros((2, 2, 3), np.uint8)}, "can't honour last_frame"),
    ],
)
def test_mistakes_are_refused_before_anything_is_loaded(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    for out in (None, tmp_path / "run"):
        fake = Watched()
        with pytest.raises(PhospheneError) as caught:
            generate("a", backbone=fake, out=out, **fields)
        assert message in str(caught.value)
        assert (fake.loads, fake.batches) == (0, [])
    assert not (tmp_path / "run").exists()


def test_one_request_that_cannot_be_honoured_stops_all_before_the_first(tmp_path: Path) -> None:
    fake = Watched()
    bad = Request("b", last_frame=np.zeros((2, 2, 3), np.uint8), index=3)
    with pytest.raises(PhospheneError, match="last_frame"):
        generate_run(fake, [*requests(3), bad], tmp_path / "run")
    assert not fake.batches


def test_like_requests_share_batches_in_order(tmp_path: Path) -> None:
    small, large = requests(6), requests(6, width=48)
    mixed = [pair[i % 2] for i, pair in enumerate(zip(small, large, strict=True))]
    fake = Watched()
    records = generate_run(fake, mixed, tmp_path, batch=2)
    assert fake.batches == [[0, 2], [4], [1, 3], [5]]
    assert [r.recipe["request"]["width"] for r in records] == [32, 48] * 3
    assert fake.loads == 1


def test_what_is_done_is_not_made_again_and_loads_no_weights(tmp_path: Path) -> None:
    first = generate_run(FakeBackbone(), requests(4), tmp_path)
    fake = Watched()
    assert generate_run(fake, requests(4), tmp_path) == first
    assert (fake.loads, fake.batches) == (0, [])
    generate_run(fake, requests(6), tmp_path)
    assert fake.batches == [[4, 5]]
    generate_run(fake, requests(6, steps=2), tmp_path)
    assert fake.batches[1:] == [[0, 1, 2, 3, 4, 5]]
    assert len(Run.load(tmp_path).records()) == 12


def test_a_request_given_twice_is_made_once(tmp_path: Path) -> None:
    fake = Watched()
    records = generate_run(fake, requests(2) + requests(2), tmp_path)
    assert fake.batches == [[0, 1]]
    assert [r.key for r in records[:2]] == [r.key for r in records[2:]]
    assert [r.index for r in records] == [0, 1, 2, 3]


def test_lossless_files_return_the_clips_to_the_bit(tmp_path: Path) -> None:
    clips = generate("a", backbone=FakeBackbone(), count=2)
    generate("a", backbone=FakeBackbone(), count=2, out=tmp_path)
    fake = Watched()
    # A lossy file does not stand for a lossless one ...
    generate("a", backbone=fake, count=2, out=tmp_path, lossless=True)
    assert fake.batches == [[0, 1]]
    # ... but the other way round it does.
    for lossless in (True, False):
        again = generate("a", backbone=fake, count=2, out=tmp_path, lossless=lossless)
        assert digests(again) == digests(clips)
    assert fake.batches == [[0, 1]]


@pytest.mark.parametrize("produces", ["image", "video", "audio", "audio-video"])
def test_every_kind_of_clip_is_kept(tmp_path: Path, produces: Any) -> None:
    records = generate_run(FakeBackbone(produces=produces), requests(2), tmp_path)
    for record in records:
        assert media.load(tmp_path / str(record.file)).kind == produces


def test_out_of_memory_halves_the_batch_and_goes_on(tmp_path: Path) -> None:
    events: list[Event] = []
    fake = Watched(oom_above=3)
    records = generate_run(fake, requests(13), tmp_path, batch=8, on_event=events.append)
    assert [r.status for r in records] == ["done"] * 13
    # 8 and 4 are too many; what was learnt holds for the batches after.
    assert [len(b) for b in fake.batches] == [8, 4] + [2] * 6 + [1]
    notes = [e.text for e in events if e.kind == "note"]
    assert notes == [
        "out of memory with 8 at once; going on with 4",
        "out of memory with 4 at once; going on with 2",
    ]
    plain = generate_run(FakeBackbone(), requests(13), tmp_path / "plain")
    for one, other in zip(records, plain, strict=True):
        assert one.recipe["clip"] == other.recipe["clip"]


def test_one_sample_too_large_for_memory_is_recorded_with_its_mend(tmp_path: Path) -> None:
    class Small(FakeBackbone):
        def generate(self, requests: Sequence[Request]) -> list[Clip]:
            if any((request.width or 0) > 40 for request in requests):
                raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
            return super().generate(requests)

    asked = [*requests(3), *(r for r in requests(4, width=48) if r.index == 3)]
    records = generate_run(Small(), asked, tmp_path)
    assert [r.status for r in records] == ["done", "done", "done", "failed"]
    assert "ask for a smaller size or fewer frames, or use offload" in str(records[3].reason)
    assert "2 GiB" in str(records[3].reason)


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("the moral is out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(tmp_path: Path, error: Exception, memory: bool) -> None:
    class Failing(Watched):
        def generate(self, requests: Sequence[Request]) -> list[Clip]:
            super().generate(requests)
            if len(requests) > 1:
                raise error
            return super().generate(requests)

    fake = Failing()
    events: list[Event] = []
    generate_run(fake, requests(4), tmp_path, batch=2, on_event=events.append)
    assert any(e.kind == "note" for e in events) == memory
    # After out-of-memory no batch of two is tried again; another failure says nothing of size.
    assert fake.batches.count([2, 3]) == (0 if memory else 1)


def test_torch_out_of_memory_counts() -> None:
    torch = pytest.importorskip("torch")

    class Failing(Watched):
        def generate(self, requests: Sequence[Request]) -> list[Clip]:
            if len(requests) > 1:
                raise torch.OutOfMemoryError("no room")
            return super().generate(requests)

    fake = Failing()
    assert len(generate("a", backbone=fake, count=3)) == 3


def test_a_failing_sample_is_recorded_and_costs_no_other(tmp_path: Path) -> None:
    bad = frozenset({2, 5})
    records = generate_run(FakeBackbone(fail_at=bad), requests(8), tmp_path)
    assert {r.index for r in records if r.status == "failed"} == bad
    assert records[2].reason == "RuntimeError: fake: told to fail at 2"
    assert records[2].file is None
    # The same command tries the failed ones again, and only those.
    fake = Watched()
    assert {r.status for r in generate_run(fake, requests(8), tmp_path)} == {"done"}
    assert fake.batches == [[2, 5]]


def test_in_python_a_failure_is_an_error_that_names_the_sample(tmp_path: Path) -> None:
    fake = FakeBackbone(fail_at=frozenset({1}))
    with pytest.raises(PhospheneError, match="sample 1 failed: RuntimeError"):
        generate("a", backbone=fake, count=3)
    with pytest.raises(PhospheneError, match="1 of 3 samples failed, the others are in"):
        generate("a", backbone=fake, count=3, out=tmp_path)
    assert len(Run.load(tmp_path).records()) == 3


def test_weights_that_cannot_be_loaded_stop_the_run_and_blame_no_sample(tmp_path: Path) -> None:
    class Pickled(Watched):
        def load(self) -> None:
            raise PhospheneError("its weights are pickled")

    with pytest.raises(PhospheneError, match="its weights are pickled"):
        generate_run(Pickled(), requests(3), tmp_path)
    assert not Run.load(tmp_path).records()
    assert not list((tmp_path / "claims").iterdir())


def test_a_backbone_that_returns_too_few_clips_is_found_out(tmp_path: Path) -> None:
    class Short(FakeBackbone):
        def generate(self, requests: Sequence[Request]) -> list[Clip]:
            return []

    records = generate_run(Short(), requests(2), tmp_path)
    assert [r.reason for r in records] == ["backbone 'fake' returned 0 clips for 1 requests"] * 2


def test_a_clip_that_no_file_can_hold_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = media.save

    def save(clip: Clip, path: Path, **fields: Any) -> Path:
        if Path(path).name.startswith("0001"):
            raise PhospheneError("no such codec")
        return real(clip, path, **fields)

    monkeypatch.setattr(media, "save", save)
    records = generate_run(FakeBackbone(), requests(3), tmp_path)
    assert [r.status for r in records] == ["done", "failed", "done"]
    assert records[1].reason == "no such codec"


def test_events_count_to_the_end(tmp_path: Path) -> None:
    events: list[Event] = []
    fake = FakeBackbone(fail_at=frozenset({1}))
    generate_run(fake, requests(4), tmp_path, on_event=events.append)
    kinds = [e.kind for e in events]
    assert kinds[:2] == ["planned", "loading"]
    assert sorted(kinds[2:]) == ["failed", "made", "made", "made"]
    assert [e.finished for e in events] == [0, 0, 1, 2, 3, 4]
    assert all(e.clip is not None and e.record is not None for e in events if e.kind == "made")
    events.clear()
    generate_run(fake, requests(4), tmp_path, on_event=events.append)
    assert [(e.kind, e.finished) for e in events] == [("planned", 3), ("loading", 3), ("failed", 4)]


def test_a_sample_is_reported_before_the_next_batch_is_done(tmp_path: Path) -> None:
    reported = threading.Event()
    waited: list[bool] = []

    class Second(FakeBackbone):
        def generate(self, requests: Sequence[Request]) -> list[Clip]:
            if requests[0].index == 1:
                waited.append(reported.wait(10))
            return super().generate(requests)

    def on_event(event: Event) -> None:
        if event.kind == "made" and event.index == 0:
            reported.set()

    generate_run(Second(), requests(2), tmp_path, batch=1, on_event=on_event)
    assert waited == [True]


def test_an_error_in_the_listener_is_not_swallowed(tmp_path: Path) -> None:
    def on_event(event: Event) -> None:
        if event.kind == "made":
            raise KeyError("listener")

    with pytest.raises(KeyError, match="listener"):
        generate_run(FakeBackbone(), requests(2), tmp_path, on_event=on_event)


def test_progress_is_lines_off_a_terminal_and_nothing_when_quiet(tmp_path: Path) -> None:
    for quiet in (False, True):
        stream = io.StringIO()
        with shown(quiet, stream) as on_event:
            generate_run(
                FakeBackbone(), requests(2), tmp_path / str(quiet), batch=1, on_event=on_event
            )
        lines = stream.getvalue().splitlines()
        assert (lines == []) == quiet
    stream = io.StringIO()
    with shown(stream=stream) as on_event:
        on_event(Event("loading", 0, 4, text="loading"))
        on_event(Event("made", 1, 4, text="one"))
        on_event(Event("failed", 2, 4, text="two"))
        on_event(Event("made", 4, 4, text="four"))
    assert stream.getvalue() == "[0/4] loading\n[1/4] one (0 s left)\n[2/4] two\n[4/4] four\n"


def test_progress_on_a_terminal_is_a_bar_that_prints_failures() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with shown(stream=stream) as on_event:
        on_event(Event("planned", 0, 2, text="2 to make"))
        on_event(Event("made", 1, 2, text="one"))
        on_event(Event("failed", 2, 2, text="sample 1 failed: [not markup]"))
    assert "2/2" in stream.getvalue()
    assert "sample 1 failed: [not markup]" in stream.getvalue()


def test_keeping_a_sample_runs_beside_making_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = media.save

    def slow(*arguments: Any, **fields: Any) -> Path:
        time.sleep(0.1)
        return real(*arguments, **fields)

    monkeypatch.setattr(media, "save", slow)
    start = time.perf_counter()
    generate_run(FakeBackbone(delay=0.15), requests(8), tmp_path, batch=1)
    # One after the other: 8 x 0.25 = 2.0 s. Side by side: 8 x 0.15 + 0.1 = 1.3 s.
    assert time.perf_counter() - start < 1.8
