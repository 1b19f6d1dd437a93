"""Certificates: where they are kept, and whether they still speak of the code that judges."""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from phosphene.assets import shipped
from phosphene.errors import PhospheneError
from phosphene.task import Task, tasks

# Imported by scorers, but no part of what they see or decide.
_NO_PART = {"errors.py", "registry.py", "clip.py", "assets.py"}


def certificate(task: str) -> dict[str, Any] | None:
    """The committed certificate of a task, with `stale` added; None where there is none.

    Stale means: the task, or something it reads and judges with, has changed since.
    """
    try:
        path = shipped(f"evals/certificates/{task}.json")
    except PhospheneError:
        return None
    record = json.loads(path.read_text())
    return {**record, "stale": record["digest"] != digest_of(tasks.get(task))}


@cache
def digest_of(kind: type[Task]) -> str:
    """16 hex digits over the code of a task and of all it draws, reads and judges with.

    Comments, docstrings and layout don't count.
    """
    h = hashlib.sha256()
    for path in sorted(files_of(kind)):
        h.update(f"{path.name}\0{_code(path, path.stat().st_mtime_ns)}\0".encode())
    return h.hexdigest()[:16]


def files_of(kind: type[Task]) -> set[Path]:
    """A task's file and every one that it, or the core, draws, reads and judges with."""
    package = Path(inspect.getfile(importlib.import_module("phosphene"))).parent
    found: set[Path] = set()
    todo = [Path(inspect.getfile(kind)), package / "task.py", package / "readers" / "scene.py"]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += [p for p in _imported(path, package) if p.name not in _NO_PART]
    return found


@cache
def _code(path: Path, changed: int) -> str:
    """What a file says to Python, docstrings aside, alike in all versions of Python."""
    return _said(_tree(path, changed))


@cache
def _tree(path: Path, changed: int) -> ast.Module:
    """A file's syntax tree without docstrings; `changed` is when the file was last written."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            del node.body[0]
    return tree


def _said(node: Any) -> str:
    """A syntax tree as text. Empty fields are left out: newer Pythons have more of them."""
    if isinstance(node, ast.AST):
        parts = [(name, getattr(node, name, None)) for name in node._fields]
        inner = ",".join(f"{n}={_said(v)}" for n, v in parts if v is not None and v != [])
        return f"{type(node).__name__}({inner})"
    if isinstance(node, list):
        return f"[{','.join(map(_said, node))}]"
    return repr(node)


def _imported(path: Path, package: Path) -> Iterator[Path]:
    """Files of this package that a file imports, at its top or inside a function."""
    for node in ast.walk(_tree(path, path.stat().st_mtime_ns)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("phosphene."):
            dotted = str(node.module).split(".")[1:]
            for names in (dotted, *([*dotted, a.name] for a in node.names)):
                file = package.joinpath(*names).with_suffix(".py")
                if file.exists():
                    yield file
