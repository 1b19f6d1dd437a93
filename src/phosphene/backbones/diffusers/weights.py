"""Weights: what may be opened, and what identifies it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from phosphene.backbone import BackboneSpec
from phosphene.backbones.diffusers.source import INDEX, Source
from phosphene.errors import PhospheneError

_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle")
# Sample code in a repository that no loader runs, and prose: neither changes a sample.
_PROSE = (".md", ".txt", ".png", ".jpg", ".jpeg", ".gif", ".mp4", ".webp", ".pdf")


def check_safety(source: Source, spec: BackboneSpec) -> None:
    """Refuse pickled weights and shipped code unless the spec allows them.

    Raises:
        PhospheneError: names the file, what it could do, and the flag that allows it.
    """
    if not spec.trust_remote_code:
        code = _shipped_code(source)
        if code is not None:
            raise PhospheneError(
                f"{source.id} ships code that loading it would run ({code}); read it, then allow "
                f"it with --trust-remote-code"
            )
    if not spec.allow_pickle:
        pickled = _pickled(source)
        if pickled is not None:
            raise PhospheneError(
                f"{source.id} has only pickled weights for a component ({pickled}), and opening a "
                f"pickle can run any code; use safetensors, or accept it with --allow-pickle"
            )


def _shipped_code(source: Source) -> str | None:
    named = source.index.get("_class_name")
    if isinstance(named, list):
        return f"{named[0]}.py"
    for component, (library, _) in source.components.items():
        if f"{component}/{library}.py" in source.files:
            return f"{component}/{library}.py"
    return None


def _pickled(source: Source) -> str | None:
    for component in source.components:
        files = [f for f in source.files if PurePosixPath(f).parts[0] == component]
        pickles = [f for f in files if f.endswith(_PICKLES)]
        if pickles and not any(f.endswith(".safetensors") for f in files):
            return pickles[0]
    return None


def fingerprint(source: Source, spec: BackboneSpec) -> str:
    """`sha256:...` over a directory's weights and configurations, or `hub:ID@COMMIT`.

    LoRA files on this machine count too: their content, not their path.
    """
    local_loras = [Path(p).expanduser() for p in spec.lora if Path(p).expanduser().exists()]
    if source.commit is not None and not local_loras:
        return f"hub:{source.id}@{source.commit}"
    total = hashlib.sha256()
    if source.commit is not None:
        total.update(f"hub:{source.id}@{source.commit}".encode())
    else:
        _add(total, source.root, _relevant(source))
    for lora in local_loras:
        names = [p.name for p in sorted(lora.iterdir()) if p.is_file()] if lora.is_dir() else None
        _add(total, lora if names else lora.parent, names or [lora.name])
    return f"sha256:{total.hexdigest()}"


def _relevant(source: Source) -> list[str]:
    """The index and what lies in the components' folders, sorted."""
    folders = set(source.components)
    return [
        name
        for name in source.files
        if name == INDEX
        or name.endswith(".py")
        or (PurePosixPath(name).parts[0] in folders and not _is_prose(name))
    ]


def _is_prose(name: str) -> bool:
    # merges.txt and vocab.txt are a tokenizer's content, not prose.
    return name.endswith(_PROSE) and PurePosixPath(name).name not in ("merges.txt", "vocab.txt")


def _add(total: hashlib._Hash, root: Path, names: Iterable[str]) -> None:
    known = _HashCache.load()
    for name in sorted(names):
        total.update(f"{name}\0{known.digest(root / name)}\n".encode())
    known.store()


class _HashCache:
    """File hashes kept between processes, valid while size, inode and mtime (ns) stay the same."""

    def __init__(self, path: Path, entries: dict[str, list]) -> None:
        self._path = path
        self._entries = entries
        self._changed = False

    @classmethod
    def load(cls) -> _HashCache:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        path = Path(base) / "phosphene" / "hashes.json"
        try:
            entries = json.loads(path.read_text())
        except (OSError, ValueError):
            entries = {}  # a cache that can't be read is only slower
        return cls(path, entries if isinstance(entries, dict) else {})

    def digest(self, path: Path) -> str:
        stat = path.stat()
        stamp = [stat.st_size, stat.st_ino, stat.st_mtime_ns]
        key = str(path.resolve())
        held = self._entries.get(key)
        if isinstance(held, list) and held[:-1] == stamp:
            return str(held[-1])
        with path.open("rb") as file:
            value = hashlib.file_digest(file, "sha256").hexdigest()
        self._entries[key] = [*stamp, value]
        self._changed = True
        return value

    def store(self) -> None:
        if not self._changed:
            return
        # A read-only or full home directory costs time on the next run, nothing else.
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._path.parent, prefix="hashes-", delete=False
            ) as file:
                json.dump(self._entries, file)
            os.replace(file.name, self._path)
