"""Media: what comes back is what was written, or a clear error."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.media import load, load_image, read_recipe, save, suffix_for
from phosphene.media.tag import Facts, Tag, parse

FILM = Fraction(24000, 1001)
# About 1 MB as UTF-8; quotes, controls and half a surrogate pair must survive too.
LONG_RECIPE = {"prompt": '"é漢😀\n\x00\ud800' * 75_000, "steps": 4, "scale": 0.1}


def waves(frames: int, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    moving = [
        (np.sin(x / 25 + i / 9), np.cos(y / 31 + i / 8), np.sin((x + y) / 40))
        for i in range(frames)
    ]
    return (127 + 120 * np.stack(moving).transpose(0, 2, 3, 1)).astype(np.uint8)


def tone(channels: int, samples: int, rate: int) -> np.ndarray:
    t = np.arange(samples) / rate
    return np.stack(
        [0.5 * np.sin(2 * np.pi * (440 + 110 * c) * t) for c in range(channels)]
    ).astype(np.float32)


def on_grid(audio: np.ndarray) -> np.ndarray:
    return np.rint(audio * 2**23).astype(np.float32) / np.float32(2**23) + np.float32(0)


def noise(frames: int = 3, height: int = 63, width: int = 65) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def psnr(a: np.ndarray, b: np.ndarray, peak: float) -> float:
    """Decibels; infinite for equal arrays."""
    error = np.mean((a.astype(float) - b) ** 2)
    return 10 * np.log10(peak**2 / error) if error else np.inf


def audio_codec(path: Path) -> str:
    with av.open(str(path)) as source:
        return source.streams.audio[0].codec_context.name


def cases() -> dict[str, Clip]:
    """A clip for each format, with odd sizes wherever the format has pictures."""
    sound = tone(2, 4001, 44100)
    return {
        ".mp4": Clip(waves(9, 63, 65), FILM, sound, 44100),
        ".mkv": Clip(noise(9), FILM, sound, 44100),
        ".png": Clip(noise(1)),
        ".gif": Clip(waves(9, 63, 65), FILM),
        ".wav": Clip(None, audio=sound, rate=44100),
    }


# --- exactness ---------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_mkv_returns_every_bit(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    shape = data.draw(st.tuples(*(st.integers(1, n) for n in (5, 40, 40)), st.just(3)))
    frames = data.draw(st.none() | hnp.arrays(np.uint8, shape))
    fps = data.draw(
        st.fractions(Fraction(1, 1000), Fraction(1000)).map(lambda f: f.limit_denominator(10**6))
        | st.sampled_from([FILM, Fraction(23.976), Fraction(1, 10**6), Fraction(30000, 1001)])
    )
    floats = st.floats(width=32)  # NaN, infinities, denormals and -0.0 among them
    shape = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 300)))
    sound = data.draw(
        (st.none() if frames is not None else st.nothing())
        | hnp.arrays(np.float32, shape, elements=floats)
    )
    if sound is not None and data.draw(st.booleans()):
        sound = on_grid(np.nan_to_num(sound).clip(-1, 0.99))
    rate = data.draw(st.sampled_from([8000, 16000, 20000, 44100, 48000]))
    clip = Clip(frames, fps, sound, None if sound is None else rate)
    path = save(clip, tmp_path_factory.mktemp("mkv") / "a.mkv")
    assert load(path).digest == clip.digest


@pytest.mark.parametrize("suffix", [".mkv", ".wav", ".png"])
def test_lossless_formats_are_exact(tmp_path: Path, suffix: str):
    clip = cases()[suffix]
    assert load(save(clip, tmp_path / f"a{suffix}", lossless=True)).digest == clip.digest


def test_mkv_takes_flac_on_the_24_bit_grid_and_float_pcm_off_it(tmp_path: Path):
    extremes = np.array([[-1, 1 - 2**-23, 0, 2**-23, -(2**-23)]], np.float32)
    assert audio_codec(save(Clip(None, FILM, extremes, 8000), tmp_path / "a.mkv")) == "flac"
    back = load(tmp_path / "a.mkv").audio
    assert back is not None
    assert back.tobytes() == extremes.tobytes()
    for off in (1.0, -0.0, 2**-24, np.nan, np.inf):
        sound = np.array([[0.5, off]], np.float32)
        assert audio_codec(save(Clip(None, FILM, sound, 8000), tmp_path / "b.mkv")) == "pcm_f32le"


@pytest.mark.parametrize("frames", [1, 2, 61])
@pytest.mark.parametrize("size", [(63, 65), (64, 64), (1, 1), (1, 97)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_odd_sizes_and_lengths(tmp_path: Path, frames: int, size: tuple[int, int], suffix: str):
    clip = Clip(waves(frames, *size), FILM, tone(2, 4410, 44100), 44100)
    back = load(save(clip, tmp_path / f"a{suffix}"))
    assert back.frames is not None
    assert clip.frames is not None
    assert back.frames.shape == clip.frames.shape
    assert back.fps == FILM
    assert psnr(clip.frames, back.frames, 255) > (40 if suffix == ".mp4" else 300)


# --- mp4 ---------------------------------------------------------------------------------------


def test_mp4_is_what_browsers_play(tmp_path: Path):
    path = save(cases()[".mp4"], tmp_path / "a.mp4")
    with av.open(str(path)) as source:
        video, sound = source.streams.video[0], source.streams.audio[0]
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height) == (66, 64)
        assert (video.average_rate, video.frames) == (FILM, 9)
        assert (sound.codec_context.name, sound.rate) == ("aac", 44100)
        assert video.codec_context.colorspace == 1
        assert video.codec_context.color_range == 1


@pytest.mark.parametrize(
    "colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 64, 200)]
)
def test_mp4_keeps_colours(tmp_path: Path, colour: tuple[int, int, int]):
    frames = np.broadcast_to(np.array(colour, np.uint8), (3, 33, 35, 3)).copy()
    back = load(save(Clip(frames, FILM), tmp_path / "a.mp4")).frames
    assert back is not None
    assert np.abs(back.astype(int) - frames).max() <= 2


@pytest.mark.parametrize("samples", [1, 1023, 1024, 1025, 4096, 5000, 5120, 30000])
@pytest.mark.parametrize(("channels", "rate"), [(1, 8000), (2, 44100), (1, 48000)])
@pytest.mark.parametrize("frames", [0, 7])
def test_mp4_returns_the_number_of_samples(
    tmp_path: Path, samples: int, channels: int, rate: int, frames: int
):
    pictures = waves(frames, 16, 16) if frames else None
    clip = Clip(pictures, FILM, tone(channels, samples, rate), rate)
    back = load(save(clip, tmp_path / "a.mp4"))
    assert back.audio is not None
    assert clip.audio is not None
    assert back.audio.shape == clip.audio.shape
    assert back.rate == rate
    # AAC needs about 1500 samples to settle after a sudden start; alone they come back near 30 dB.
    assert psnr(clip.audio, back.audio, 1) > (34 if samples > 1024 else 25)


def test_mp4_sound_stays_in_time_with_the_pictures(tmp_path: Path):
    sound = np.zeros((1, 44100), np.float32)
    sound[0, [3000, 20000, 40000]] = 0.9
    back = load(save(Clip(waves(24, 32, 32), FILM, sound, 44100), tmp_path / "a.mp4")).audio
    assert back is not None
    assert sorted(np.argsort(-np.abs(back[0]))[:3]) == [3000, 20000, 40000]


# --- gif, wav, png -----------------------------------------------------------------------------


def test_gif_returns_frames_that_do_not_move(tmp_path: Path):
    frames = waves(3, 20, 30)[[0, 0, 0, 1, 1, 2, 2, 2, 0]]
    back = load(save(Clip(frames, FILM), tmp_path / "a.gif"))
    assert back.frames is not None
    assert len(back.frames) == 9
    assert back.fps == FILM
    assert psnr(frames, back.frames, 255) > 25
    assert np.array_equal(back.frames[0], back.frames[2])
    assert not np.array_equal(back.frames[2], back.frames[3])


@pytest.mark.parametrize("fps", [Fraction(1), FILM, Fraction(60), Fraction(300)])
def test_gif_of_one_still_picture_shown_long(tmp_path: Path, fps: Fraction):
    clip = Clip(np.repeat(waves(1, 8, 8), 61, axis=0), fps)
    back = load(save(clip, tmp_path / "a.gif"))
    assert back.frames is not None
    assert (len(back.frames), back.fps) == (61, fps)


def test_wav_opens_elsewhere(tmp_path: Path):
    path = save(cases()[".wav"], tmp_path / "a.wav", LONG_RECIPE)
    assert path.read_bytes()[:4] == b"RIFF"
    assert audio_codec(path) == "pcm_f32le"


# --- recipes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", cases())
def test_a_long_recipe_travels_whole(tmp_path: Path, suffix: str):
    path = save(cases()[suffix], tmp_path / f"a{suffix}", LONG_RECIPE)
    assert read_recipe(path) == LONG_RECIPE
    assert load(path).kind == cases()[suffix].kind


@pytest.mark.parametrize("suffix", cases())
def test_no_recipe_is_said(tmp_path: Path, suffix: str):
    path = save(cases()[suffix], tmp_path / f"a{suffix}")
    with pytest.raises(PhospheneError, match="carries none"):
        read_recipe(path)


@pytest.mark.parametrize("bad", [{"a": object()}, {"a": float("nan")}, {"a": {1, 2}}])
def test_a_recipe_that_is_not_json_is_refused(tmp_path: Path, bad: dict):
    with pytest.raises(PhospheneError, match="not JSON"):
        save(cases()[".png"], tmp_path / "a.png", bad)
    assert not list(tmp_path.iterdir())


def test_a_changed_letter_in_a_recipe_is_noticed():
    text = Tag(Facts.of(cases()[".png"], exact=True), {"prompt": "cat"}).text()
    tag = parse(text)
    assert tag is not None
    assert tag.recipe == {"prompt": "cat"}
    with pytest.raises(PhospheneError, match="damaged"):
        parse(text.replace("cat", "cut"))
    with pytest.raises(PhospheneError, match="damaged"):
        parse(text[:-9])
    assert parse("a caption someone wrote") is None


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clip", "name", "says"),
    [
        (Clip(noise(2)), "a.png", "one frame"),
        (cases()[".mkv"], "a.gif", "no sound"),
        (cases()[".wav"], "a.png", "no sound"),
        (cases()[".mkv"], "a.wav", "sound alone"),
        (cases()[".png"], "a.tiff", "suffixes"),
        (cases()[".png"], "a", "suffixes"),
        (Clip(None, FILM, tone(1, 100, 20000), 20000), "a.mp4", "20000 Hz"),
        (Clip(None, FILM, tone(6, 100, 8000), 8000), "a.mp4", "6 channels"),
        (Clip(None, FILM, tone(9, 100, 8000), 8000), "a.mkv", "at most 8"),
        (Clip(None, FILM, np.full((1, 9), np.nan, np.float32), 8000), "a.mp4", "finite"),
        (Clip(None, FILM, np.zeros((1, 0), np.float32), 8000), "a.mkv", "no samples"),
        (cases()[".png"], "missing/a.png", "no such file"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path: Path, clip: Clip, name: str, says: str):
    with pytest.raises(PhospheneError, match=says) as caught:
        save(clip, tmp_path / name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_lossless_must_agree_with_the_suffix(tmp_path: Path):
    with pytest.raises(PhospheneError, match=r"use \.mkv"):
        save(cases()[".mp4"], tmp_path / "a.mp4", lossless=True)
    with pytest.raises(PhospheneError, match=r"use \.mp4"):
        save(cases()[".mkv"], tmp_path / "a.mkv", lossless=False)


def test_suffix_for():
    clips = cases()
    assert suffix_for(clips[".png"]) == ".png"
    assert suffix_for(clips[".wav"], lossless=True) == ".wav"
    assert suffix_for(clips[".mp4"]) == ".mp4"
    assert suffix_for(clips[".mp4"], lossless=True) == ".mkv"
    assert suffix_for(Clip(noise(), FILM, tone(1, 100, 20000), 20000)) == ".mkv"


# --- nothing half-written ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "says"), [(errno.ENOSPC, "free some space"), (errno.EIO, "rights")]
)
def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch, number: int, says: str):
    clip, path = cases()[".png"], tmp_path / "a.png"
    save(clip, path, {"n": 1})

    def refuse(_: int):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(PhospheneError, match=says):
        save(clip, path, {"n": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert read_recipe(path) == {"n": 1}


@pytest.mark.parametrize("suffix", cases())
def test_what_does_not_read_back_is_not_kept(tmp_path: Path, monkeypatch, suffix: str):
    """Mutant: a disk that loses the last tenth of every file."""
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: (b := whole(p))[: len(b) * 9 // 10])
    with pytest.raises(PhospheneError, match="did not read back"):
        save(cases()[suffix], tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


def test_an_encoder_that_drops_a_frame_is_caught(tmp_path: Path, monkeypatch):
    """Mutant: the file written holds one frame less than the clip."""
    from phosphene.media import encode

    honest = encode.encode

    def short(clip: Clip, container: str, text: str) -> bytes:
        assert clip.frames is not None
        return honest(Clip(clip.frames[:-1], clip.fps, clip.audio, clip.rate), container, text)

    monkeypatch.setattr(encode, "encode", short)
    for suffix in (".mp4", ".mkv"):
        with pytest.raises(PhospheneError, match="frames was 9 when written and is 8"):
            save(cases()[suffix], tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


# --- damaged and foreign files -----------------------------------------------------------------


def attempt(path: Path) -> tuple[str | None, str]:
    """The digest of what loads, else the message."""
    try:
        return load(path).digest, ""
    except PhospheneError as error:
        return None, str(error)


@pytest.mark.parametrize("suffix", cases())
def test_a_cut_file_never_comes_back_as_another_clip(tmp_path: Path, suffix: str):
    path = save(cases()[suffix], tmp_path / f"a{suffix}", {"prompt": "x" * 300})
    data, whole = path.read_bytes(), load(path)
    n = len(data)
    for keep in [1, 7, 11, 40, *(n * k // 20 for k in range(1, 20)), n - 60, n - 20, n - 3, n - 1]:
        path.write_bytes(data[:keep])
        digest, message = attempt(path)
        if digest is None:
            assert str(path) in message
            assert "\n" not in message
        else:  # a missing end mark loses nothing
            assert keep > 0.95 * n
            assert digest == whole.digest


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".wav", ".png"])
def test_a_flipped_bit_never_comes_back_as_another_clip(tmp_path: Path, suffix: str):
    path = save(cases()[suffix], tmp_path / f"a{suffix}", {"prompt": "x" * 300})
    data, whole = path.read_bytes(), load(path)
    for at in np.random.default_rng(1).integers(0, len(data), 40):
        mutant = bytearray(data)
        mutant[at] ^= 1 << (at % 8)
        path.write_bytes(mutant)
        digest, message = attempt(path)
        assert digest == whole.digest if digest else str(path) in message


def test_an_untagged_mp4_cut_short_is_refused(tmp_path: Path):
    path = tmp_path / "a.mp4"
    foreign(path, "mp4", "libx264", "yuv420p")
    assert load(path).fps == Fraction(25)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(PhospheneError, match="cut short"):
        load(path)


def test_an_untagged_mkv_cut_short_is_refused(tmp_path: Path):
    path = tmp_path / "a.mkv"
    foreign(path, "matroska", "ffv1", "yuv420p")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(PhospheneError, match="cut short"):
        load(path)


def foreign(path: Path, container: str, codec: str, pixels: str, sound_at: int = 0) -> None:
    """A clip as others write it: no tag; a click half a second into the sound."""
    with av.open(str(path), "w", format=container) as out:
        video: Any = out.add_stream(codec, rate=25)
        sound_codec = "pcm_s16le" if container == "matroska" else "aac"
        sound: Any = out.add_stream(sound_codec, rate=8000, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 32, pixels
        for frame in waves(30, 32, 64):
            out.mux(video.encode(av.VideoFrame.from_ndarray(frame).reformat(format=pixels)))
        out.mux(video.encode(None))
        click = np.zeros((1, 8000), np.int16)
        click[0, 4000] = 30000
        piece = av.AudioFrame.from_ndarray(click, format="s16", layout="mono")
        piece.sample_rate, piece.pts = 8000, sound_at
        out.mux(sound.encode(piece))
        out.mux(sound.encode(None))


def test_sound_that_starts_late_is_padded(tmp_path: Path):
    foreign(tmp_path / "a.mkv", "matroska", "ffv1", "yuv420p", sound_at=2000)
    sound = load(tmp_path / "a.mkv").audio
    assert sound is not None
    assert sound.shape == (1, 10000)
    assert np.argmax(sound[0]) == 6000
    assert sound.max() == np.float32(30000 / 2**15)


def test_a_video_marked_as_turned_is_loaded_upright(tmp_path: Path):
    path = tmp_path / "a.mp4"
    foreign(path, "mp4", "libx264", "yuv420p")
    flat = load(path).frames
    assert flat is not None
    data = path.read_bytes()
    one, zero = (1 << 16).to_bytes(4, "big"), bytes(4)
    plain = one + bytes(12) + one  # the matrix of ISO/IEC 14496-12, 6.2.2; mvhd, then the tracks
    at = data.index(plain, data.index(b"tkhd"))
    turned = zero + one + zero + (-(1 << 16)).to_bytes(4, "big", signed=True) + zero
    path.write_bytes(data[:at] + turned + data[at + 20 :])
    back = load(path).frames
    assert back is not None
    assert np.array_equal(back, np.rot90(flat, -1, axes=(1, 2)))  # a quarter turn clockwise


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", b"#EXTM3U\nhttp://example.com/a.ts\n", b"1\n00:00:01,000 --> 00:00:02,000\n",
     bytes(500), b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\x18ftypmp42", b"RIFF\x00\x00\x00\x00WAVE",
     b"\x1a\x45\xdf\xa3", b"GIF89a", b"\xff\xd8\xff", b"OggS", b"ID3"],
)  # fmt: skip
def test_no_media_is_one_clear_line(tmp_path: Path, content: bytes):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    for read in (load, read_recipe, load_image):
        with pytest.raises(PhospheneError) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert ";" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_directory(tmp_path: Path):
    for path in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(PhospheneError, match="check the path"):
            load(path)


# --- pictures from elsewhere -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP", "TIFF", "PPM"])
def test_stills_load(tmp_path: Path, kind: str):
    picture = waves(1, 33, 47)[0]
    Image.fromarray(picture).save(tmp_path / "a", format=kind)
    assert psnr(load_image(tmp_path / "a"), picture, 255) > 30
    back = load(tmp_path / "a")
    assert (back.kind, back.size, back.fps) == ("image", (47, 33), 1)


def test_exif_orientation_is_honoured(tmp_path: Path):
    picture = noise(1, 20, 30)[0]
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown a quarter turn clockwise
    Image.fromarray(picture).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(load_image(tmp_path / "a.png"), np.rot90(picture, -1))


def test_transparency_shows_white(tmp_path: Path):
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[0, 0] = (10, 20, 30, 255)
    rgba[0, 1] = (0, 0, 0, 128)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    back = load_image(tmp_path / "a.png")
    assert back[0, 0].tolist() == [10, 20, 30]
    assert back[0, 1].tolist() == [127, 127, 127]
    assert back[1, 2].tolist() == [255, 255, 255]
    one = Image.new("P", (2, 1))
    one.putpalette([0, 0, 0, 9, 8, 7])
    one.putpixel((1, 0), 1)
    one.save(tmp_path / "p.png", transparency=0)
    assert load_image(tmp_path / "p.png").tolist() == [[[255, 255, 255], [9, 8, 7]]]


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path):
    grey = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert load_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 1, 128, 255]
    Image.fromarray(grey.astype(np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(PhospheneError, match="no stated range"):
        load_image(tmp_path / "a.tiff")


def test_other_modes_become_rgb(tmp_path: Path):
    for mode in ("1", "L", "CMYK", "LA"):
        Image.new("RGB", (3, 2), "white").convert(mode).save(tmp_path / "a.tiff")
        assert np.all(load_image(tmp_path / "a.tiff") == 255)


def test_load_image_refuses_a_moving_picture(tmp_path: Path):
    save(cases()[".gif"], tmp_path / "a.gif")
    with pytest.raises(PhospheneError, match="several frames"):
        load_image(tmp_path / "a.gif")
    save(cases()[".mp4"], tmp_path / "a.mp4")
    with pytest.raises(PhospheneError, match="not a picture"):
        load_image(tmp_path / "a.mp4")


def test_a_gif_from_elsewhere(tmp_path: Path):
    first, *rest = [Image.fromarray(f) for f in waves(4, 16, 16)]
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=40)
    back = load(tmp_path / "a.gif")
    assert back.frames is not None
    assert (len(back.frames), back.fps) == (4, Fraction(25))


def test_a_16_bit_wav_from_elsewhere(tmp_path: Path):
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setparams((2, 2, 8000, 0, "NONE", ""))
        out.writeframes(np.array([[-32768, 16384], [32767, 0]], "<i2").tobytes())
    (tmp_path / "a.wav").write_bytes(buffer.getvalue())
    back = load(tmp_path / "a.wav")
    assert back.audio is not None
    assert back.audio.tolist() == [[-1.0, 32767 / 32768], [0.5, 0.0]]
    (tmp_path / "a.wav").write_bytes(buffer.getvalue()[:-2])
    with pytest.raises(PhospheneError, match="cut short"):
        load(tmp_path / "a.wav")


def test_importing_media_is_light():
    code = "import sys, phosphene.media; print(sorted({'av', 'PIL', 'torch'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
