"""`phosphene ls`: what there is to name."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from phosphene.cli.console import say, say_json, say_table
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.registry import Registry

app = App(name="ls", help="List backbones, tasks, suites, probes, explorers, runs and the like.")


@app.command
def backbones(*, json: bool = False) -> None:
    """List the registered backbones and the pipelines in the local model cache.

    Args:
        json: one JSON array on stdout and nothing else.
    """
    from phosphene.backbone import backbones as registry
    from phosphene.doctor import cached_models

    found = [row for row in _components(registry) if row["name"] != "diffusers"]
    found += [{"name": name, "about": "in the local model cache"} for name in cached_models()]
    _say_components(found, json)
    if not json:
        say("Any other pipeline: give its directory or its hub id, ORG/NAME.")


def _list(name: str, module: str, about: str) -> None:
    """A verb that lists the components of one registry, `phosphene.MODULE.NAME`."""

    words = name.replace("_", " ")

    def listing(*, json: bool = False) -> None:
        registry = getattr(importlib.import_module(f"phosphene.{module}"), name)
        _say_components(_components(registry), json)

    listing.__doc__ = f"""List the {words}{about}.

    Args:
        json: one JSON array on stdout and nothing else.
    """
    app.command(listing, name=name.replace("_", "-"))


for _name, _module, _about in (
    ("tasks", "task", ""),
    ("text_tasks", "minds.task", ": what language models are asked"),
    ("baselines", "player", ": players that show what a score is worth"),
    ("explorers", "explorer", ": ways to search a backbone's space"),
    ("operators", "operator", ": ways in which one candidate comes from others"),
    ("embeddings", "embedding", ": what novelty is measured in"),
    ("qualities", "quality", ": what good is measured by"),
):
    _list(_name, _module, _about)


@app.command
def suites(*, json: bool = False) -> None:
    """List the suites.

    Args:
        json: one JSON array on stdout and nothing else.
    """
    from phosphene.suite import load_suite, suite_names

    found = [load_suite(name) for name in suite_names()]
    rows = [
        {
            "name": suite.name,
            "version": suite.version,
            "cells": len(suite.cells()),
            "items": sum(cell.items for cell in suite.cells()),
            "about": suite.about,
        }
        for suite in found
    ]
    if json:
        say_json(rows)
    else:
        say_table([tuple(rows[0]), *(tuple(row.values()) for row in rows)])


@app.command
def probes(*, json: bool = False) -> None:
    """List the probes: what each asks of which models, its controls, and its settings for --with.

    Args:
        json: one JSON array on stdout and nothing else.
    """
    from phosphene.minds.probe import mind_probes
    from phosphene.probe import probes as registry

    kinds = (("generators", registry), ("language models", mind_probes))
    found = [
        {"fits": fits, **_question(each, name)} for fits, each in kinds for name in each.names()
    ]
    if json:
        say_json(found)
        return
    for row in found:
        say(row["name"])
        say_table([("", word, row[word]) for word in ("fits", "asks", "controls")])
        settings = ", ".join(f"{k}={v}" for k, v in row["settings"].items())
        say_table([("", "settings", settings or "none")])


@app.command
def minds(*, json: bool = False) -> None:
    """List the embedded language models: what each was taught, and how it thinks.

    Args:
        json: one JSON array on stdout and nothing else.
    """
    from phosphene.minds.shelf import shelf

    found = shelf()
    if json:
        say_json(found)
        return
    keys = ("name", "task", "way", "thoughts", "parameters")
    if found:
        say_table([keys, *(tuple(str(row[key]) for key in keys) for row in found)])
    say("Any other: give its directory, or hf:ORG/NAME.")


@app.command
def runs(directory: Path = Path("runs"), /, *, json: bool = False) -> None:
    """List the runs in a directory, newest first.

    Args:
        directory: where to look.
        json: one JSON array on stdout and nothing else.
    """
    if not directory.is_dir():
        if directory != Path("runs"):
            raise PhospheneError(f"{directory} is not a directory; give one that holds runs")
        found = []
    else:
        found = [_look(path.parent) for path in directory.glob("*/manifest.json")]
    found.sort(key=lambda row: row["started"], reverse=True)
    if json:
        say_json(found)
    elif not found:
        say(f"no runs in {directory}")
    else:
        say_table([("run", "started", "done", "failed", "backbone"), *map(_row, found)])


def _components(registry: Registry) -> list[dict[str, str]]:
    return [{"name": name, "about": _first_line(registry, name)} for name in registry.names()]


def _first_line(registry: Registry, name: str) -> str:
    """First line of a component's module docstring, read without running the module."""
    tree = _source(registry, name)
    if tree is None:
        return "from another package"
    text = ast.get_docstring(tree)
    return text.splitlines()[0] if text else ""


def _source(registry: Registry, name: str) -> ast.Module | None:
    """A component's module as it is written; None where another package holds it."""
    spec = importlib.util.find_spec(f"{registry.package}.{name}")
    if spec is None or spec.origin is None:
        return None
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _question(registry: Registry, name: str) -> dict[str, Any]:
    """A probe's question, controls and settings with their defaults, from its source."""
    row: dict[str, Any] = {"name": name, "asks": "", "controls": "", "settings": {}}
    tree = _source(registry, name)
    if tree is None:
        return {**row, "asks": "from another package"}
    for kind in (k for k in tree.body if isinstance(k, ast.ClassDef)):
        told = dict(filter(None, map(_assigned, kind.body)))
        if "ASKS" in told:
            row |= {word.lower(): ast.literal_eval(told.pop(word)) for word in ("ASKS", "CONTROLS")}
            row["settings"] = {k: ast.unparse(v) for k, v in told.items()}
    return row


def _assigned(line: ast.stmt) -> tuple[str, ast.expr] | None:
    """Name and value of a field or of a class's constant; None of `name: ClassVar`."""
    if isinstance(line, ast.Assign):
        return ast.unparse(line.targets[0]), line.value
    if not isinstance(line, ast.AnnAssign) or line.value is None:
        return None
    constant = ast.unparse(line.annotation).startswith("ClassVar")
    word = ast.unparse(line.target)
    return None if constant and word not in ("ASKS", "CONTROLS") else (word, line.value)


def _say_components(found: list[dict[str, str]], json: bool) -> None:
    if json:
        say_json(found)
    else:
        say_table([(row["name"], row["about"]) for row in found])


def _look(root: Path) -> dict[str, Any]:
    """One run: where, since when, how many samples, by which backbones."""
    from phosphene.run import Run

    started = datetime.fromtimestamp((root / "manifest.json").stat().st_mtime, UTC)
    row: dict[str, Any] = {"run": str(root), "started": started.isoformat(timespec="seconds")}
    try:
        records = Run.load(root).records()
    except PhospheneError as error:
        return {**row, "error": str(error)}
    return {
        **row,
        "done": sum(record.status == "done" for record in records),
        "failed": sum(record.status == "failed" for record in records),
        "backbones": sorted({r.recipe["spec"]["id"] for r in records if "spec" in r.recipe}),
    }


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    if "error" in found:
        return found["run"], found["started"], "?", "?", found["error"]
    names = ", ".join(found["backbones"])
    return found["run"], found["started"], str(found["done"]), str(found["failed"]), names
