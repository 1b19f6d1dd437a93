"""Recreate: the file alone says how to make its sample again, and lies are found out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phosphene import media
from phosphene.backbone import BackboneSpec
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.generate import generate_run
from phosphene.recreate import psnr, recreate, snr
from phosphene.request import Request
from phosphene.testing.fake import FakeBackbone


class Drifting(FakeBackbone):
    """A fake whose pixels and sound move by `levels` and `sound`, as another machine's might."""

    def __init__(self, levels: int = 0, sound: float = 0.0, **fields: Any) -> None:
        super().__init__(**fields)
        object.__setattr__(self, "drift", (levels, sound))

    def generate(self, requests: Sequence[Request]) -> list[Clip]:
        levels, sound = self.__dict__["drift"]
        return [self._moved(clip, levels, sound) for clip in super().generate(requests)]

    @staticmethod
    def _moved(clip: Clip, levels: int, sound: float) -> Clip:
        frames, audio = clip.frames, clip.audio
        if frames is not None:
            frames = frames.copy()
            middle = frames[:, ::2].astype(np.int16)
            frames[:, ::2] = np.where(middle > 127, middle - levels, middle + levels)
        if audio is not None:
            audio = audio + np.float32(sound)
        return replace(clip, frames=frames, audio=audio)


def sample(out: Path, lossless: bool = False, produces: Any = "audio-video", **fields: Any) -> Path:
    fake = FakeBackbone(produces=produces)
    request = Request("a", index=3, seed=5, **fields)
    (record,) = generate_run(fake, [request], out, lossless=lossless)
    return out / str(record.file)


@pytest.mark.parametrize("produces", ["image", "video", "audio", "audio-video"])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_sample_comes_back_identical(tmp_path: Path, produces: Any, lossless: bool) -> None:
    path = sample(tmp_path, lossless, produces, fps=Fraction(24000, 1001), width=65, height=63)
    again = recreate(path, backbone=FakeBackbone(produces=produces))
    assert (again.likeness, again.warnings, again.path) == ("identical", (), None)


def test_the_file_alone_carries_its_first_frame(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    for lossless in (False, True):
        path = sample(tmp_path, lossless, first_frame=picture)
        moved = tmp_path / f"elsewhere{path.suffix}"
        path.rename(moved)
        assert recreate(moved, backbone=FakeBackbone()).likeness == "identical"


def test_the_new_sample_is_saved_with_a_recipe_of_its_own(tmp_path: Path) -> None:
    path = sample(tmp_path / "run")
    out = tmp_path / "new.mkv"
    again = recreate(path, out, backbone=FakeBackbone())
    assert again.path == out
    assert media.load(out).digest == again.clip.digest
    assert recreate(out, backbone=FakeBackbone()).likeness == "identical"


@pytest.mark.parametrize(
    ("lossless", "levels", "sound", "likeness"),
    [
        (True, 2, 0.0, "alike"),
        (True, 3, 0.0, "different"),
        (True, 0, 5e-4, "alike"),
        (True, 0, 2e-3, "different"),
        (False, 2, 0.0, "alike"),
        (False, 0, 1e-3, "alike"),
        (False, 60, 0.0, "different"),
        (False, 0, 0.3, "different"),
    ],
)
def test_tolerance(
    tmp_path: Path, lossless: bool, levels: int, sound: float, likeness: str
) -> None:
    path = sample(tmp_path, lossless)
    again = recreate(path, backbone=Drifting(levels, sound))
    assert again.likeness == likeness, again.reason


def test_another_sample_of_the_same_backbone_is_different(tmp_path: Path) -> None:
    class Other(FakeBackbone):
        def generate(self, requests: Sequence[Request]) -> list[Clip]:
            return super().generate([replace(r, seed=r.seed + 1) for r in requests])

    for lossless in (False, True):
        path = sample(tmp_path / str(lossless), lossless)
        assert recreate(path, backbone=Other()).likeness == "different"


def test_another_shape_is_different_and_says_which(tmp_path: Path) -> None:
    class Longer(FakeBackbone):
        def generate(self, requests: Sequence[Request]) -> list[Clip]:
            return super().generate([replace(r, frames=4) for r in requests])

    again = recreate(sample(tmp_path), backbone=Longer())
    assert again.likeness == "different"
    assert "frames 4 for 9" in again.reason


def test_other_weights_are_refused_unless_forced(tmp_path: Path) -> None:
    path = sample(tmp_path)
    with pytest.raises(PhospheneError, match=r"are not those .* was made with .fake:2 for fake:1"):
        recreate(path, backbone=FakeBackbone(weights="fake:2"))
    again = recreate(path, backbone=FakeBackbone(weights="fake:2"), force=True)
    assert again.likeness == "identical"
    assert "fake:2 for fake:1" in again.warnings[0]


def test_other_library_versions_are_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sample(tmp_path)
    monkeypatch.setattr("phosphene.recreate.versions", lambda: {"torch": "0.1"})
    warnings = recreate(path, backbone=FakeBackbone()).warnings
    assert any(line.startswith("torch is 0.1, was ") for line in warnings)
    assert any(line.startswith("numpy is not there, was ") for line in warnings)


def test_the_recipe_names_the_backbone_and_a_new_place_can_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sample(tmp_path)
    with pytest.raises(PhospheneError, match=r"was made with backbone 'fake'.*give its place now"):
        recreate(path)
    opened: list[BackboneSpec] = []

    def open_backbone(spec: BackboneSpec) -> FakeBackbone:
        opened.append(spec)
        return FakeBackbone(spec=spec)

    monkeypatch.setattr("phosphene.recreate.open_backbone", open_backbone)
    assert recreate(path, backbone="moved").likeness == "identical"
    assert opened == [BackboneSpec("moved")]


@pytest.mark.parametrize("permission", ["allow_pickle", "trust_remote_code"])
def test_a_file_cannot_allow_itself_to_run_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, permission: str
) -> None:
    allowed: dict[str, Any] = {permission: True}
    spec = BackboneSpec("fake", **allowed)
    (record,) = generate_run(FakeBackbone(spec=spec), [Request("a")], tmp_path)
    path = tmp_path / str(record.file)
    opened: list[BackboneSpec] = []

    def open_backbone(spec: BackboneSpec) -> FakeBackbone:
        opened.append(spec)
        return FakeBackbone(spec=spec)

    monkeypatch.setattr("phosphene.recreate.open_backbone", open_backbone)
    with pytest.raises(PhospheneError, match=f"--{permission.replace('_', '-')}"):
        recreate(path)
    assert not opened
    assert recreate(path, **allowed).likeness == "identical"


def test_damaged_and_foreign_files_are_refused_in_one_line(tmp_path: Path) -> None:
    path = sample(tmp_path / "run")
    cut, text, bare = tmp_path / "cut.mp4", tmp_path / "text.mp4", tmp_path / "bare.mp4"
    cut.write_bytes(path.read_bytes()[:-1000])
    text.write_text("no video")
    media.save(FakeBackbone().generate([Request()])[0], bare)
    for file in (cut, text, bare, tmp_path / "none.mp4"):
        with pytest.raises(PhospheneError, match=file.name) as caught:
            recreate(file, backbone=FakeBackbone())
        assert "\n" not in str(caught.value)


def test_a_sample_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    path = sample(tmp_path)
    with pytest.raises(PhospheneError, match="again: RuntimeError: fake: told to fail at 3"):
        recreate(path, backbone=FakeBackbone(fail_at=frozenset({3})))


def test_psnr_and_snr_against_their_closed_forms() -> None:
    zero = np.zeros((2, 3, 3, 3), np.uint8)
    assert psnr(zero, zero) == float("inf")
    assert psnr(zero, zero + np.uint8(255)) == pytest.approx(0)
    assert psnr(zero + np.uint8(1), zero) == pytest.approx(48.1308, abs=1e-3)
    ones = np.ones((1, 8), np.float32)
    assert snr(ones * np.float32(1.1), ones) == pytest.approx(20, abs=1e-3)
    assert snr(ones, ones) == float("inf")
    assert snr(ones, ones * 0) == float("-inf")
