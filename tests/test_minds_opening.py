"""Opening language models: families from a directory come back as saved; all else is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from phosphene.backbone import BackboneSpec
from phosphene.errors import PhospheneError
from phosphene.minds.mind import Mind
from phosphene.minds.opening import is_mind, open_mind
from phosphene.minds.thinking import start, think
from phosphene.testing.minds import tiny_mind

QUESTIONS = ["ash to bay. bay to ash. from ash 1 hops.", "ash to bay. from bay 2 hops."]
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "llama": {},
    "qwen3": {"head_dim": 8},
    "gemma3_text": {"head_dim": 8},
    "mixtral": {},
}


def save(mind: Mind, folder: Path) -> Path:
    mind.model.save_pretrained(folder)
    (mind.processor or mind.tokenizer).save_pretrained(folder)
    mind.manner.save(folder)
    return folder


def thought(mind: Mind) -> torch.Tensor:
    return think(mind, start(mind, mind.inputs(QUESTIONS))).hidden.detach()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny_mind(), tmp_path_factory.mktemp("minds") / "tiny")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_comes_back_as_it_was_saved(family: str, tmp_path: Path) -> None:
    mind = tiny_mind(family, **FAMILIES[family])
    folder = save(mind, tmp_path / family)
    opened = open_mind(f"hf:{folder}")
    assert opened.fingerprint == mind.fingerprint
    assert opened.manner == replace(mind.manner, fields=opened.manner.fields)
    assert not opened.model.training
    torch.testing.assert_close(thought(opened), thought(mind))


def test_options_are_honoured(saved: Path) -> None:
    half = open_mind(BackboneSpec(str(saved), dtype="bfloat16", device="cpu"))
    assert half.model.dtype == torch.bfloat16
    assert open_mind(BackboneSpec(str(saved), device="auto")).model.dtype == torch.float32


def test_a_training_run_s_directory_opens_what_it_exported(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "run" / "mind")
    assert is_mind(str(tmp_path / "run"))
    assert open_mind(str(tmp_path / "run")).fingerprint == open_mind(str(saved)).fingerprint


def test_lora_is_merged_into_the_weights(saved: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    plain = open_mind(str(saved))
    asked = peft.LoraConfig(r=2, target_modules=["c_attn"], init_lora_weights=False)
    adapted = peft.get_peft_model(open_mind(str(saved)).model, asked)
    adapted.save_pretrained(tmp_path / "lora")
    inputs = plain.inputs(QUESTIONS)
    opened = open_mind(BackboneSpec(str(saved), lora=(str(tmp_path / "lora"),)))
    assert type(opened.model) is type(plain.model)
    with torch.no_grad():
        torch.testing.assert_close(opened.model(**inputs).logits, adapted.eval()(**inputs).logits)
    assert not torch.allclose(thought(opened), thought(plain))


def test_pickled_weights_only_open_when_asked_for(saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved, tmp_path / "pickled")
    state = open_mind(str(saved)).model.state_dict()
    torch.save({k: v.clone() for k, v in state.items()}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(PhospheneError, match="--allow-pickle"):
        open_mind(str(folder))
    opened = open_mind(BackboneSpec(str(folder), allow_pickle=True))
    torch.testing.assert_close(thought(opened), thought(open_mind(str(saved))))


def test_a_checkpoint_that_doesn_t_fill_the_model_is_refused(saved: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(saved, tmp_path / "holes")
    held = load_file(folder / "model.safetensors")
    gone = next(name for name in held if "c_attn.weight" in name)
    save_file(
        {k: v for k, v in held.items() if k != gone}, folder / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(PhospheneError, match=r"1 are absent.*c_attn\.weight"):
        open_mind(str(folder))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cache": "first-block"}, "--cache first-block"),
        ({"offload": "model"}, "--offload model.*--device auto"),
        ({"compile": True}, "--compile can't"),
        ({"revision": "main"}, "--revision main.*is a directory"),
        ({"variant": "fp8"}, "can't open.*fp8"),
        ({"dtype": "float8"}, "unknown dtype 'float8'"),
        ({"device": "cuda:99"}, "device 'cuda:99' is not on this machine"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"quantize": "gguf"}, "unknown quantize scheme 'gguf'"),
        ({"lora": ("nowhere",)}, "lora 'nowhere' doesn't fit"),
    ],
)
def test_an_option_that_can_t_be_honoured_is_named(
    saved: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(PhospheneError, match=said) as told:
        open_mind(BackboneSpec(str(saved), **options))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("scheme", ["bnb-8bit", "bnb-4bit", "torchao-int8"])
def test_quantization_says_which_package_is_missing(
    saved: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PhospheneError, match=f"--quantize {scheme}.*pip install"):
        open_mind(BackboneSpec(str(saved), quantize=scheme))


@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("hf:org/no-such-model", "can't be reached"),
        ("hf:no-such-model", "can't be reached"),
        ("hf:", "not a directory"),
        ("hf:/no/such/place", "not a directory"),
        ("hf:a/b/c", "not a directory"),
        ("mind/no-such-mind", "unknown mind 'mind/no-such-mind'"),
        ("openai:http://localhost:1/v1#model", "its inside can't be read"),
        ("org/model", "hf:org/model"),
    ],
)
def test_what_is_not_there_gets_one_line(id: str, said: str) -> None:
    with pytest.raises(PhospheneError, match=said) as told:
        open_mind(id)
    assert "\n" not in str(told.value)


def broken(saved: Path, folder: Path, how: str) -> str:
    """A copy of a good directory with one thing wrong; returns what is to be said of it."""
    shutil.copytree(saved, folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    if how == "no weights":
        (folder / "model.safetensors").unlink()
        return "holds no weights"
    if how == "no tokenizer":
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).unlink()
        return "tokenizer"
    if how == "no config":
        path.unlink()
        return r"no config\.json"
    if how == "damaged":
        path.write_text(path.read_text()[:40])
        return "can't open"
    if how == "pipeline":
        (folder / "model_index.json").write_text("{}")
        return "diffusers pipeline"
    if how == "own code":
        path.write_text(json.dumps({"auto_map": {"AutoConfig": "a.B"}, "model_type": "own"}))
        return "--trust-remote-code"
    told = {
        "unknown kind": ({**config, "model_type": "brainwave"}, "doesn't know its kind"),
        "encoder-decoder": ({"model_type": "t5"}, "encoder-decoder"),
        "encoder": ({"model_type": "bert"}, "is an encoder"),
        "vision alone": ({"model_type": "clip"}, "no language model"),
    }[how]
    path.write_text(json.dumps(told[0]))
    return told[1]


@pytest.mark.parametrize(
    "how",
    [
        "no weights",
        "no tokenizer",
        "no config",
        "damaged",
        "pipeline",
        "own code",
        "unknown kind",
        "encoder-decoder",
        "encoder",
        "vision alone",
    ],
)
def test_a_directory_of_something_else_gets_one_line(saved: Path, tmp_path: Path, how: str) -> None:
    said = broken(saved, tmp_path / "it", how)
    with pytest.raises(PhospheneError, match=said) as told:
        open_mind(f"hf:{tmp_path / 'it'}")
    assert "\n" not in str(told.value)


def test_which_ids_are_minds(saved: Path, tmp_path: Path) -> None:
    assert all(map(is_mind, ("mind", "mind/chase", "hf:org/model", "openai:http://x", str(saved))))
    assert not any(map(is_mind, ("ember", "org/model", str(tmp_path), "diffusers")))
