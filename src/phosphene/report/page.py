"""One HTML file with everything inside it: pictures, sound, style. No network, no second file."""

from __future__ import annotations

import base64
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from phosphene import media
from phosphene.clip import Clip
from phosphene.media.disk import write_text


def video_url(clip: Clip) -> str:
    """A clip as a `data:video/mp4` address that a browser plays."""
    with tempfile.TemporaryDirectory() as folder:
        path = media.save(clip, Path(folder) / "clip.mp4")
        return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()


def fill(template: str, **context: Any) -> str:
    """The text of `report/TEMPLATE`, filled.

    Raises:
        jinja2.UndefinedError: the template names something that `context` lacks.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(part(template)).render(**context)


def part(name: str) -> str:
    """The text of `report/NAME`: a template, a style sheet or a script."""
    return (files("phosphene.report") / name).read_text("utf-8")


def write_page(path: Path, template: str, **context: Any) -> Path:
    """Fill `report/TEMPLATE` and write it to `path` in one move.

    Raises:
        jinja2.UndefinedError: the template names something that `context` lacks.
        PhospheneError: the disk is full or refuses.
    """
    html = fill(template, **context)
    # File names and reasons from elsewhere may hold halves of characters, which UTF-8 can't.
    write_text(html.encode("utf-8", "replace").decode(), path)
    return path
