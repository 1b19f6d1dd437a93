"""Which mind: an embedded one by name, a directory, or a hub model, with how to load it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phosphene.assets import asset, shipped_names
from phosphene.backbone import BackboneSpec
from phosphene.errors import PhospheneError, unknown
from phosphene.minds.mind import Manner, Mind

DEFAULT = "prosqa"
ENDPOINT = "openai:"


def is_mind(id: str) -> bool:
    """Whether a backbone's id names a language model: mind, mind/NAME, hf:..., openai:..., or a
    directory that holds one."""
    if id == "mind" or id.startswith(("mind/", "hf:", ENDPOINT)):
        return True
    path = Path(id)
    return (path / "config.json").exists() and not (path / "model_index.json").exists()


def embedded() -> list[str]:
    """Names of the minds that travel with Phosphene: `mind/NAME`."""
    return [f"mind/{name}" for name in shipped_names("assets/minds", "mind.json")]


def open_mind(spec: str | BackboneSpec) -> Mind:
    """A mind with its weights loaded, in evaluation mode.

    Args:
        spec: `mind`, `mind/NAME`, a directory, `hf:ID_OR_DIR`, or a spec with one of them as id and
            dtype, device (`auto` spreads a model over all devices), quantize, revision.

    Raises:
        PhospheneError: an endpoint, which can't be looked into; no such model; an option that can't
            be honoured.
    """
    spec = BackboneSpec(spec) if isinstance(spec, str) else spec
    if spec.id.startswith(ENDPOINT):
        raise PhospheneError(
            f"{spec.id} is a server: its inside can't be read; give hf:ID_OR_DIR for this, or use "
            f"`phosphene bench compliance`, which only talks"
        )
    return _load(spec, _place(spec.id))


def _place(id: str) -> str:
    """A directory or a hub id."""
    if id == "mind" or id.startswith("mind/"):
        name = id.partition("/")[2] or DEFAULT
        names = shipped_names("assets/minds", "mind.json")
        if name not in names:
            raise unknown("mind", id, [f"mind/{n}" for n in names])
        return str(asset(f"minds/{name}"))
    return id.removeprefix("hf:")


def _load(spec: BackboneSpec, place: str) -> Mind:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    here = Path(place).is_dir()
    common: dict[str, Any] = {
        "revision": spec.revision or "main",
        "local_files_only": here,
        "trust_remote_code": spec.trust_remote_code,
    }
    try:
        config = AutoConfig.from_pretrained(place, **common)
        tokenizer = AutoTokenizer.from_pretrained(place, padding_side="left", **common)
        model = AutoModelForCausalLM.from_pretrained(
            place,
            config=config,
            dtype=getattr(torch, spec.dtype or "float32"),
            use_safetensors=None if spec.allow_pickle else True,
            **common,
        )
    except (OSError, ValueError) as error:
        first = " ".join(str(error).split())[:300]
        raise PhospheneError(f"can't open {spec.id}: {first}") from error
    manner = Manner.load(Path(place)) if here else Manner()
    return Mind(model.eval(), tokenizer, manner, spec.id)
