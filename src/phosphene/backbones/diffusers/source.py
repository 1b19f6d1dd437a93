"""Where a pipeline lives: a directory or one pinned commit on the hub, read without its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from phosphene.backbone import BackboneSpec
from phosphene.errors import PhospheneError

INDEX = "model_index.json"
_CONFIGS = ("config.json", "scheduler_config.json", "tokenizer_config.json")
_CONFIGS += ("preprocessor_config.json",)


@dataclass(frozen=True)
class Source:
    """A pipeline's configuration.

    Args:
        id: the directory or hub id it was asked for by.
        root: the directory on this machine that holds the index and the configurations.
        commit: the hub commit everything is pinned to; None for a local directory.
        index: the content of `model_index.json`.
        configs: component name -> its configuration.
        files: every file of the pipeline, as posix paths below the root.
    """

    id: str
    root: Path
    commit: str | None
    index: Mapping[str, Any]
    configs: Mapping[str, Mapping[str, Any]]
    files: tuple[str, ...]

    @property
    def components(self) -> dict[str, tuple[str, str]]:
        """Component name -> (library, class name), of the components that are there."""
        found = {}
        for name, entry in self.index.items():
            pair = isinstance(entry, list) and len(entry) == 2 and not name.startswith("_")
            if pair and all(isinstance(word, str) for word in entry):
                found[name] = (entry[0], entry[1])
        return found


def resolve(spec: BackboneSpec) -> Source:
    """Read the index and the configurations of what `spec.id` names.

    Raises:
        PhospheneError: no such directory or hub id, no index in it, or the hub can't be reached.
    """
    path = Path(spec.id).expanduser()
    if path.is_dir():
        return _local(spec.id, path, None)
    if spec.id.startswith((".", "/", "~")) or spec.id.count("/") != 1:
        raise PhospheneError(f"backbone {spec.id!r} is not a directory with a {INDEX}")
    return _hub(spec)


def _local(name: str, root: Path, commit: str | None) -> Source:
    if not (root / INDEX).is_file():
        held = sorted(p.name for p in root.iterdir() if not p.name.startswith("."))[:4]
        raise PhospheneError(
            f"{name} has no {INDEX}, so it isn't a saved pipeline (it holds "
            f"{', '.join(held) or 'nothing'}); give a directory written by save_pretrained"
        )
    files = tuple(
        sorted(
            p.relative_to(root).as_posix()
            for p in root.rglob("*")
            if p.is_file() and not any(part.startswith(".") for part in p.relative_to(root).parts)
        )
    )
    index = _read(root / INDEX)
    return Source(name, root, commit, index, _configs(root, files), files)


def _configs(root: Path, files: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    configs: dict[str, dict[str, Any]] = {}
    for name in files:
        path = PurePosixPath(name)
        if len(path.parts) == 2 and path.name in _CONFIGS and (root / name).is_file():
            configs.setdefault(path.parts[0], {}).update(_read(root / name))
    return configs


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PhospheneError(f"can't read {path}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise PhospheneError(f"{path} holds a {type(content).__name__}, not a JSON object")
    return content


def _hub(spec: BackboneSpec) -> Source:
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        if HF_HUB_OFFLINE:
            root = Path(snapshot_download(spec.id, revision=spec.revision, local_files_only=True))
            return _local(spec.id, root, root.name)
        info = HfApi().model_info(spec.id, revision=spec.revision)
        files = tuple(sorted(s.rfilename for s in info.siblings or ()))
        if INDEX not in files:
            raise PhospheneError(
                f"hub id {spec.id!r} has no {INDEX}, so it isn't a diffusers pipeline; look for a "
                f"repository whose name ends in -diffusers"
            )
        wanted = [INDEX, *(f for f in files if PurePosixPath(f).name in _CONFIGS)]
        got = [hf_hub_download(spec.id, name, revision=info.sha) for name in wanted]
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise PhospheneError(
            f"hub id {spec.id!r} is not in the local cache and the hub is switched off "
            f"(HF_HUB_OFFLINE); unset it, or give a directory"
        ) from error
    except PhospheneError:
        raise
    except Exception as error:  # the hub client's errors, and those of whatever it speaks HTTP with
        reason = " ".join(str(error).split())[:160]
        raise PhospheneError(
            f"can't open hub id {spec.id!r}{_at(spec)}: {reason}; check the name and revision, or "
            f"give a directory"
        ) from error
    root = Path(got[0]).parent
    return Source(spec.id, root, info.sha, _read(root / INDEX), _configs(root, files), files)


def _at(spec: BackboneSpec) -> str:
    return f" at revision {spec.revision!r}" if spec.revision else ""
