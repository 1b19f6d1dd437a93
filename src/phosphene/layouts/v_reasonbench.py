"""V-ReasonBench: `KIND_NN.png` first frames and `prompts.txt`; no answers.

yangluo7/V-ReasonBench, `dataset/`; arXiv 2511.16668.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from phosphene.layouts._files import PICTURES, files, safe
from phosphene.pack import Layout, PackItem

_NAME = re.compile(
    r"((?:math_level|code|sudoku|tic_tac_toe|shape_fit|visual_symmetry|color_connect|"
    r"sequence_completion|visual_analogy|rule_follow|temperature|lever|communicating_vessels?|"
    r"block_slide)[a-z0-9_]*?)_(\d+)"
)
# First match wins.
_PUZZLES = {
    "math": "math",
    "sudoku": "sudoku",
    "tic_tac_toe": "tic_tac_toe",
    "visual_symmetry_rotational": "point_symmetry",
    "visual_symmetry": "symmetry",
    "sequence_completion": "sequence_completion",
}
# The prompt file's headings where they aren't how the kind begins.
_HEADINGS = {
    "sudoku_easy_3": "9x9",
    "sudoku_medium_3": "9x9",
    "sudoku_hard_3": "9x9",
    "sudoku": "4x4",
    "visual_symmetry_vertical": "vertical",
    "visual_symmetry_horizontal": "horizontal",
    "visual_symmetry_rotational": "rotational",
    "visual_symmetry_diagonal": "diagonal",
}


class VReasonBench(Layout):
    """A folder of pictures whose names begin with one of the benchmark's kinds."""

    name: ClassVar[str] = "v_reasonbench"

    def matches(self, root: Path) -> bool:
        return any(_NAME.fullmatch(path.stem) for path in files(root, ".png"))

    def items(self, root: Path) -> Iterator[PackItem]:
        prompts = _prompts(root)
        for path in files(root, *PICTURES):
            named = _NAME.fullmatch(path.stem)
            if named is None:
                continue
            kind, number = named.groups()
            yield PackItem(
                id=safe(path.stem),
                kind=kind,
                puzzle=next((p for start, p in _PUZZLES.items() if kind.startswith(start)), None),
                picture=path,
                prompt=_prompt(prompts, kind, number),
            )


def _prompts(root: Path) -> dict[str, str]:
    """Heading in lower case to the text under it."""
    found = [p for p in (*files(root, ".txt"), root.parent / "prompts.txt") if p.is_file()]
    path = next((p for p in found if p.name == "prompts.txt"), None)
    if path is None:
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    parts = re.split(r"^([A-Za-z0-9_]+):[ \t]*$", text, flags=re.MULTILINE)
    return {
        heading.lower(): " ".join(body.split("=====")[0].split())
        for heading, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def _prompt(prompts: dict[str, str], kind: str, number: str) -> str:
    heading = next((h for start, h in _HEADINGS.items() if kind.startswith(start)), None)
    if kind.startswith("temperature"):
        heading = number
    if heading is None:
        heading = next((h for h in prompts if kind.startswith(h)), "")
    return prompts.get(heading, "")


COMPONENT = VReasonBench
