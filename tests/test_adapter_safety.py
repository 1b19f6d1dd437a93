"""What the adapter refuses to open, and what identifies the weights it does open."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from phosphene.backbone import BackboneSpec, open_backbone
from phosphene.errors import PhospheneError
from phosphene.testing import tiny

torch = pytest.importorskip("torch")
from phosphene.backbones.diffusers import COMPONENT  # noqa: E402


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return tiny.save("stable_diffusion", tmp_path_factory.mktemp("safety") / "sd")


@pytest.fixture
def model(original, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Path(shutil.copytree(original, tmp_path / "sd"))


def pickle_unet(model: Path) -> None:
    from safetensors.torch import load_file

    safe = model / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(safe), safe.with_suffix(".bin"))
    safe.unlink()


def test_pickled_weights_need_a_flag(model):
    pickle_unet(model)
    with pytest.raises(PhospheneError, match=r"unet/diffusion_pytorch_model.bin.*--allow-pickle"):
        COMPONENT(BackboneSpec(str(model)))
    backbone = COMPONENT(BackboneSpec(str(model), allow_pickle=True))
    backbone.load()


def test_a_pickle_beside_safetensors_is_never_opened(model):
    trap = model / "unet" / "diffusion_pytorch_model.bin"
    trap.write_bytes(b"cos\nsystem\n(S'touch /tmp/phosphene-trap'\ntR.")
    COMPONENT(BackboneSpec(str(model))).load()
    assert not Path("/tmp/phosphene-trap").exists()


@pytest.mark.parametrize("where", ["pipeline", "component"])
def test_shipped_code_needs_a_flag(model, where):
    index = json.loads((model / "model_index.json").read_text())
    if where == "pipeline":
        index["_class_name"] = ["trap", "TrapPipeline"]
        code = model / "trap.py"
    else:
        index["unet"] = ["trap", "TrapUNet"]
        code = model / "unet" / "trap.py"
    ran = model / "ran"
    code.write_text(f"open({str(ran)!r}, 'w').close()\n")
    (model / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(PhospheneError, match=r"trap.py.*--trust-remote-code"):
        COMPONENT(BackboneSpec(str(model)))
    assert not ran.exists()


def test_a_directory_without_an_index(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"x")
    with pytest.raises(PhospheneError, match=r"no model_index.json.*model.ckpt"):
        COMPONENT(BackboneSpec(str(tmp_path)))


def test_an_index_that_is_not_json(model):
    (model / "model_index.json").write_text("{")
    with pytest.raises(PhospheneError, match=r"can't read .*model_index\.json"):
        COMPONENT(BackboneSpec(str(model)))


def test_a_class_that_is_not_there(model):
    index = json.loads((model / "model_index.json").read_text())
    index["_class_name"] = "StableDifusionPipeline"
    (model / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(PhospheneError, match=r"did you mean .*StableDiffusionPipeline"):
        COMPONENT(BackboneSpec(str(model)))


def test_a_truncated_weight_file_is_one_line(model):
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    backbone = COMPONENT(BackboneSpec(str(model)))
    with pytest.raises(PhospheneError, match="can't load") as caught:
        backbone.load()
    assert "\n" not in str(caught.value)


def test_a_hub_id_that_cannot_be_reached(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PhospheneError, match="nobody/nothing") as caught:
        open_backbone("nobody/nothing")
    assert "\n" not in str(caught.value)


def test_the_fingerprint_follows_weights_and_configs_alone(model):
    def now() -> str:
        return COMPONENT(BackboneSpec(str(model))).fingerprint

    first = now()
    assert first.startswith("sha256:")
    assert now() == first
    (model / "README.md").write_text("hello")
    assert now() == first
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    second = now()
    assert second != first
    config = model / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace('"steps_offset": 1', '"steps_offset": 0'))
    assert now() not in (first, second)


def test_the_fingerprint_is_of_the_content_and_not_of_the_place(model, tmp_path):
    elsewhere = Path(shutil.copytree(model, tmp_path / "elsewhere"))
    a, b = (COMPONENT(BackboneSpec(str(p))).fingerprint for p in (model, elsewhere))
    assert a == b


def test_unchanged_files_are_not_hashed_again(model, monkeypatch):
    import hashlib

    first = COMPONENT(BackboneSpec(str(model))).fingerprint
    read = []
    digest = hashlib.file_digest

    def counted(file, name):
        read.append(file.name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    assert COMPONENT(BackboneSpec(str(model))).fingerprint == first
    assert read == []
    os.utime(model / "unet" / "config.json", ns=(1, 1))
    assert COMPONENT(BackboneSpec(str(model))).fingerprint == first
    assert [Path(r).name for r in read] == ["config.json"]
