"""Run directory: nothing finished is lost or made twice, whatever happens to process or disk."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phosphene import media
from phosphene.backbone import BackboneSpec
from phosphene.errors import PhospheneError
from phosphene.generate import generate_run
from phosphene.journal import Journal
from phosphene.recipe import Recipe, key, write
from phosphene.request import Request
from phosphene.run import DiskError, Record, Run
from phosphene.testing.fake import FakeBackbone

KIND = {"kind": "generate"}
# A slow fake in a process of its own: argv is run directory, log, samples, seconds each.
WORKER = """
import sys
from pathlib import Path
from phosphene.generate import generate_run
from phosphene.request import Request
from phosphene.testing.fake import FakeBackbone
out, log, count, delay = sys.argv[1:]
fake = FakeBackbone(log=Path(log), delay=float(delay))
requests = [Request("a", width=32, height=32, frames=3, index=i) for i in range(int(count))]
generate_run(fake, requests, out, batch=4)
"""


def worker(out: Path, log: Path, count: int, delay: float) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", WORKER, str(out), str(log), str(count), str(delay)]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE)


def requests(count: int, **fields: Any) -> list[Request]:
    return [Request("a", width=32, height=32, frames=3, index=i, **fields) for i in range(count)]


def made(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def digests(out: Path) -> dict[int, str]:
    return {r.index: r.recipe["clip"]["digest"] for r in Run.load(out).records()}


def test_kill_9_at_any_moment_then_the_same_command_finishes_the_rest(tmp_path: Path) -> None:
    count = 32
    whole = {
        r.index: r.recipe["clip"]["digest"]
        for r in generate_run(FakeBackbone(), requests(count), tmp_path / "whole")
    }
    out, log = tmp_path / "run", tmp_path / "log"
    rng = np.random.default_rng(0)
    kills = 0
    for wanted in sorted(rng.choice(np.arange(1, count - 4), 3, replace=False)):
        process = worker(out, log, count, 0.03)
        files = out / "media"
        while process.poll() is None and len(list(files.glob("*.mp4"))) < wanted:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.05))
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert kills >= 2
    finished = {p.name: p.stat().st_mtime_ns for p in (out / "media").glob("*.mp4")}
    assert 0 < len(finished) < count
    before = len(made(log))

    process = worker(out, log, count, 0.0)
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr.decode()
    after = {p.name: p.stat().st_mtime_ns for p in (out / "media").iterdir()}
    assert len(after) == count
    assert {name: after[name] for name in finished} == finished
    again = made(log)[before:]
    there = {int(name[:4]) for name in finished}
    assert sorted(again) == sorted(set(range(count)) - there)
    assert digests(out) == whole
    lines = (out / "records.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["index"] for line in lines) == list(range(count))


def test_two_processes_share_a_run_and_make_each_sample_once(tmp_path: Path) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    both = [worker(out, log, 24, 0.02) for _ in range(2)]
    for process in both:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr.decode()
    assert sorted(made(log)) == list(range(24))
    assert len(Run.load(out).records()) == 24
    assert not list((out / "claims").iterdir())


def test_a_process_takes_over_what_another_died_making(tmp_path: Path) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    dying = worker(out, log, 4, 60)
    while not (out / "claims").exists() or len(list((out / "claims").iterdir())) < 4:
        time.sleep(0.01)
    heir = worker(out, log, 4, 0)
    time.sleep(0.8)
    assert heir.poll() is None
    assert not made(log)
    dying.kill()
    dying.communicate()
    heir.communicate(timeout=30)
    assert heir.returncode == 0
    assert sorted(made(log)) == [0, 1, 2, 3]


def test_a_line_cut_short_is_dropped_with_a_warning_and_healed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = generate_run(FakeBackbone(), requests(3), tmp_path)
    path = tmp_path / "records.jsonl"
    whole = path.read_bytes()
    (tmp_path / str(first[2].file)).unlink()
    for cut in (1, 40, 400):
        path.write_bytes(whole[:-cut])
        caplog.clear()
        run = Run.open(tmp_path, KIND)
        assert [r.index for r in run.records()] == [0, 1]
        assert f"{path}: its last line was cut short" in caplog.text
        assert len(caplog.records) == 1
        assert path.read_bytes() == b"".join(whole.splitlines(True)[:2])
    log = tmp_path.parent / "log"
    again = generate_run(FakeBackbone(log=log), requests(3), tmp_path)
    assert made(log) == [2]
    assert again[2].sha256 == first[2].sha256 or again[2].recipe["clip"] == first[2].recipe["clip"]


@pytest.mark.parametrize("garbage", [b"\x00\xff\x00", b"{}", b"[" * 100_000, b'{"key": "../x"}'])
def test_garbage_in_the_middle_costs_one_warning_and_its_own_sample(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, garbage: bytes
) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    first = generate_run(FakeBackbone(), requests(3), out)
    path = out / "records.jsonl"
    lines = path.read_bytes().splitlines()
    at = next(i for i, line in enumerate(lines) if json.loads(line)["index"] == 1)
    lines[at] = garbage
    path.write_bytes(b"\n".join(lines) + b"\n")
    (out / str(first[1].file)).unlink()
    records = generate_run(FakeBackbone(log=log), requests(3), out)
    assert [r.message for r in caplog.records if f"{path}:{at + 1}" in r.message] == [
        r.message for r in caplog.records
    ]
    assert len(caplog.records) == 1
    assert made(log) == [1]
    assert [r.status for r in records] == ["done"] * 3
    assert garbage in path.read_bytes()


def test_a_file_whose_record_is_lost_is_recorded_again_without_making_it(tmp_path: Path) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    first = generate_run(FakeBackbone(), requests(3), out)
    (out / "records.jsonl").unlink()
    assert generate_run(FakeBackbone(log=log), requests(3), out) == first
    assert not made(log)


@pytest.mark.parametrize("damage", ["missing", "cut", "one byte", "another sample"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    first = generate_run(FakeBackbone(), requests(3), out)
    path = out / str(first[1].file)
    data = path.read_bytes()
    flipped = (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    )
    path.unlink()
    if damage != "missing":
        other = (out / str(first[0].file)).read_bytes()
        path.write_bytes({"cut": data[:-100], "one byte": flipped}.get(damage, other))
    generate_run(FakeBackbone(log=log), requests(3), out)
    assert made(log) == [1]
    assert media.load(path).frames is not None
    generate_run(FakeBackbone(log=log), requests(3), out)
    assert made(log) == [1]


def test_a_full_disk_gives_one_line_and_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = generate_run(FakeBackbone(), requests(2), out)
    kept = (out / "records.jsonl").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may grow beyond this: the kernel's own refusal, half-way through a write.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept) + 100, hard))
    try:
        with pytest.raises(DiskError, match="no room left on the disk") as caught:
            generate_run(FakeBackbone(), requests(4), out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert (out / "records.jsonl").read_bytes() == kept
    assert not list((out / "claims").iterdir())
    again = generate_run(FakeBackbone(), requests(4), out)
    assert again[:2] == first
    assert [r.status for r in again] == ["done"] * 4


def test_no_room_for_a_media_file_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def full(fd: int) -> None:
        if ".mp4." in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(fd)

    monkeypatch.setattr(os, "fsync", full)
    log = tmp_path / "log"
    with pytest.raises(DiskError, match="no room left"):
        generate_run(FakeBackbone(log=log), requests(64), tmp_path / "run", batch=1)
    assert len(made(log)) < 64
    assert not Run.load(tmp_path / "run").records()


def test_append_undoes_half_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j", tmp_path / ".lock")
    journal.append(b"first")
    real = os.write
    calls = []

    def half(fd: int, data: Any) -> int:
        calls.append(fd)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "full")
        return real(fd, bytes(data)[:3])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="full"):
        journal.append(b"second")
    assert (tmp_path / "j").read_bytes() == b"first\n"


def test_journal_heals_a_long_tail_and_reads_only_what_is_new(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", tmp_path / ".lock")
    journal.append(b"one")
    assert journal.read() == [(1, b"one")]
    with open(tmp_path / "j", "ab") as file:
        file.write(b"x" * 10_000)
    assert journal.read() == []
    journal.append(b"two")
    assert journal.read() == [(2, b"two")]
    assert journal.heal() == 0


def test_a_run_of_another_kind_or_a_foreign_directory_is_refused(tmp_path: Path) -> None:
    Run.open(tmp_path / "run", {"kind": "evaluate", "suite": ("maze", 1)})
    Run.open(tmp_path / "run", {"kind": "evaluate", "suite": ("maze", 1)})
    with pytest.raises(PhospheneError, match="holds a run with kind 'evaluate', not 'generate'"):
        Run.open(tmp_path / "run", KIND)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(PhospheneError, match="not empty and holds no run"):
        Run.open(tmp_path / "home", KIND)
    with pytest.raises(PhospheneError, match="can't write"):
        Run.open(tmp_path / "home" / "letter.txt", KIND)
    with pytest.raises(PhospheneError, match="holds no run"):
        Run.load(tmp_path / "home")
    assert sorted(p.name for p in (tmp_path / "home").iterdir()) == ["letter.txt"]


def test_a_damaged_or_newer_manifest_is_named(tmp_path: Path) -> None:
    Run.open(tmp_path, KIND)
    path = tmp_path / "manifest.json"
    path.write_text('{"schema": 99, "kind": "generate"}')
    with pytest.raises(PhospheneError, match=r"schema 99.*upgrade"):
        Run.open(tmp_path, KIND)
    for text in ("", "[]", "{}", "\x00"):
        path.write_text(text)
        with pytest.raises(PhospheneError, match=r"manifest\.json is not a run's manifest"):
            Run.open(tmp_path, KIND)


def test_a_record_that_points_outside_the_run_is_not_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run.open(tmp_path / "run", KIND)
    (tmp_path / "secret.mp4").write_bytes(b"x")
    for file in ("../secret.mp4", str(tmp_path / "secret.mp4"), "media/../../secret.mp4"):
        record = Record(key="0" * 64, status="done", index=0, file=file, sha256="0" * 64)
        run.append(record)
        assert run.record("0" * 64) is None
    assert caplog.text.count("unreadable record") == 3


def test_nothing_a_user_writes_becomes_a_file_name(tmp_path: Path) -> None:
    prompts = ["../../etc/passwd", "/abs", "a/b\x00c", "..", "con\n", "x" * 5000, "\u202egnp.exe"]
    asked = [
        Request(p, negative=p, width=16, height=16, frames=2, index=i, extra={"../x": p})
        for i, p in enumerate(prompts)
    ]
    out = tmp_path / "run"
    records = generate_run(FakeBackbone(), asked, out)
    assert {p.name for p in tmp_path.iterdir()} == {"run"}
    for i, record in enumerate(records):
        assert record.file == f"media/{i:04d}-{record.key[:12]}.mp4"
        assert media.read_recipe(out / str(record.file))["request"]["prompt"] == prompts[i]


def _changed(name: str) -> Any:
    """A value for one field of `Request` that differs from the default."""
    values = {
        "prompt": "b",
        "negative": "c",
        "first_frame": np.zeros((2, 2, 3), np.uint8),
        "last_frame": np.zeros((2, 2, 3), np.uint8),
        "fps": Fraction(24000, 1001),
        "extra": {"eta": 1},
        "noise": {"video": [[5, 1.0, 1.0]]},
        "steering": ({"op": "renoise", "step": 1, "b": 0.5, "seed": 1},),
    }
    return values.get(name, 7)


def test_every_field_of_the_request_is_part_of_the_key() -> None:
    spec = BackboneSpec("fake")
    found = {key("w", spec, Request())}
    names = [f.name for f in dataclasses.fields(Request)]
    for name in names:
        found.add(key("w", spec, Request(**{name: _changed(name)})))
    assert len(found) == 1 + len(names)
    one = np.zeros((2, 2, 3), np.uint8)
    other = one.copy()
    other[1, 1, 2] = 1
    flat = np.zeros((1, 4, 3), np.uint8)
    assert len({key("w", spec, Request(first_frame=p)) for p in (one, other, flat)}) == 3


def test_the_spec_and_the_weights_are_part_of_the_key_but_not_where_they_lie() -> None:
    same = {"id", "offload", "allow_pickle", "trust_remote_code"}
    plain = key("w", BackboneSpec("fake"), Request())
    assert key("other weights", BackboneSpec("fake"), Request()) != plain
    for f in dataclasses.fields(BackboneSpec):
        value: Any = {"lora": ("x",), "compile": True}.get(f.name, "x")
        spec = dataclasses.replace(BackboneSpec("fake"), **{f.name: value})
        assert (key("w", spec, Request()) == plain) == (f.name in same), f.name


def test_keys_are_stable_under_spelling_and_refuse_what_json_cannot_hold() -> None:
    spec = BackboneSpec("fake")
    whole = Request(guidance=7, duration=7, extra={"a": 1, "b": 2})
    fraction = Request(guidance=7.0, duration=7.0, extra={"b": 2, "a": 1})
    assert key("w", spec, whole) == key("w", spec, fraction)
    for value in (object(), float("nan"), np.zeros(2)):
        with pytest.raises(PhospheneError, match="extra must hold"):
            key("w", spec, Request(extra={"x": value}))


def test_a_recipe_returns_the_request_and_the_spec_it_was_written_from() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    request = Request(
        prompt="p",
        negative="n",
        first_frame=picture,
        last_frame=picture[::-1].copy(),
        width=8,
        height=9,
        frames=3,
        fps=Fraction(24000, 1001),
        duration=1.5,
        steps=4,
        guidance=7.5,
        seed=3,
        index=2,
        extra={"a": [1, {"b": None}]},
    )
    plain = Request().record()
    assert not [name for name, value in request.record().items() if value == plain[name]]
    spec = BackboneSpec("org/name", revision="main", dtype="float16", lora=("a", "b"))
    recipe = write("w", spec, request, FakeBackbone().generate([Request()])[0], 1.0)
    again = Recipe.read(json.loads(recipe.model_dump_json()), "here")
    assert again == recipe
    assert again.to_spec() == spec
    assert again.to_request().record() == request.record()
    assert key("w", again.to_spec(), again.to_request()) == recipe.key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": 2}, "here: its recipe has schema 2.*upgrade phosphene"),
        ({"surprise": 1}, "here: not a recipe this phosphene can read .surprise"),
        ({"key": None}, "here: not a recipe this phosphene can read .key"),
    ],
)
def test_recipes_of_other_shapes_are_refused_in_one_line(change: Any, message: str) -> None:
    clip = FakeBackbone().generate([Request()])[0]
    data = write("w", BackboneSpec("fake"), Request(), clip).model_dump(mode="json")
    with pytest.raises(PhospheneError, match=message) as caught:
        Recipe.read(data | change, "here")
    assert "\n" not in str(caught.value)


def test_altered_or_missing_pictures_are_refused() -> None:
    rng = np.random.default_rng(0)
    one, other = (
        write(
            "w",
            BackboneSpec("fake"),
            Request(first_frame=rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)),
            None,
        )
        for _ in range(2)
    )
    with pytest.raises(PhospheneError, match="not the picture"):
        one.model_copy(update={"pictures": other.pictures}).to_request()
    with pytest.raises(PhospheneError, match="lacks its first_frame"):
        one.without_pictures().to_request()
    with pytest.raises(PhospheneError, match="not a readable PNG"):
        one.model_copy(update={"pictures": {"first_frame": "AAAA"}}).to_request()
