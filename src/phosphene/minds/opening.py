"""Which mind: an embedded one by name, a directory, or a hub model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.assets import asset, shipped_names
from phosphene.backbone import BackboneSpec, backbones
from phosphene.errors import PhospheneError, unknown

if TYPE_CHECKING:
    from phosphene.minds.mind import Mind

DEFAULT = "prosqa"
ENDPOINT = "openai:"
HUB = "hf:"


@dataclass(frozen=True)
class Place:
    """Where weights lie.

    Args:
        name: a directory's path or a hub id: what transformers is given.
        local: whether it is a directory.
    """

    name: str
    local: bool


def is_mind(id: str) -> bool:
    """Whether a backbone's id names a language model: mind, mind/NAME, hf:..., openai:..., or a
    directory that holds one."""
    if id == "mind" or id.startswith(("mind/", HUB, ENDPOINT)):
        return True
    if id in backbones.names():
        return False
    path = _home(Path(id).expanduser())
    return (path / "config.json").exists() and not (path / "model_index.json").exists()


def embedded() -> list[str]:
    """Names of the minds that travel with Phosphene: `mind/NAME`."""
    return [f"mind/{name}" for name in shipped_names("assets/minds", "mind.json")]


def open_mind(spec: str | BackboneSpec) -> Mind:
    """A mind with its weights loaded, in evaluation mode.

    Args:
        spec: `mind`, `mind/NAME`, a directory (also that of a training run), `hf:ID_OR_DIR`, or a
            spec with one of them as id and dtype, device (`auto` spreads a model over all devices),
            quantize, lora, variant, revision, allow_pickle, trust_remote_code.

    Raises:
        PhospheneError: an endpoint, which can't be looked into; no such model; an option that can't
            be honoured; weights that can't be read.
    """
    from phosphene.minds.loading import load

    spec = BackboneSpec(spec) if isinstance(spec, str) else spec
    return load(spec, place(spec.id))


def place(id: str) -> Place:
    """Where the weights of an id lie; nothing is read but the names of local files.

    Raises:
        PhospheneError: an endpoint, no embedded mind of that name, no such directory, or one that
            holds something else.
    """
    if id.startswith(ENDPOINT):
        raise PhospheneError(
            f"{id} is a server: its inside can't be read; give hf:ID_OR_DIR for this, or use "
            f"`phosphene bench compliance`, which only talks"
        )
    if id == "mind" or id.startswith("mind/"):
        name = id.partition("/")[2] or DEFAULT
        if f"mind/{name}" not in embedded():
            raise unknown("mind", id, embedded())
        return Place(str(asset(f"minds/{name}")), True)
    name = id.removeprefix(HUB)
    path = Path(name).expanduser()
    if name and path.is_dir():
        return _directory(_home(path))
    if not name or name.startswith((".", "/", "~")) or path.exists() or name.count("/") > 1:
        raise PhospheneError(
            f"mind {id!r} is not a directory; give one, or {HUB}ORG/NAME, or one of "
            f"{', '.join(embedded()) or 'the embedded ones (none are here)'}"
        )
    if not id.startswith(HUB):
        raise unknown("mind", id, embedded(), f"(or {HUB}{id} from the hub)")
    return Place(name, False)


def _home(path: Path) -> Path:
    """The directory itself, or the one below it that a training run exports to."""
    inner = path / "mind"
    there = (path / "config.json").exists()
    return inner if not there and (inner / "config.json").exists() else path


def _directory(path: Path) -> Place:
    if (path / "model_index.json").exists():
        raise PhospheneError(
            f"{path} holds a diffusers pipeline, which is a generator; give it without {HUB} to "
            f"the verbs for generators"
        )
    if not (path / "config.json").exists():
        raise PhospheneError(f"{path} holds no config.json, so no transformers model; give another")
    return Place(str(path), True)
