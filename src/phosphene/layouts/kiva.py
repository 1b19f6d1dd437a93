"""KiVA: visual analogies A:B::C:?, as loose pictures of objects or as one picture a trial.

ey242/KiVA (`PARAM_N_train_0_input.png`, ...) and ey242/KiVA-challenge (`SPLIT.json` beside
`SPLIT/ID.jpg`); arXiv 2407.17773.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from phosphene.layouts._files import PICTURES, files, json_file, safe
from phosphene.pack import Layout, PackItem

_PART = re.compile(
    r"((?:2DRotation|Colour|Color|Counting|Reflect|Resize)[^_]*)_(\d+)_"
    r"(train(?:_0)?_input|train(?:_0)?_output|test(?:_0)?_input|test_mc_\d+_input)"
)
_PROMPT = (
    "The first object changes into the second. "
    "Change the third object in the same way and show the result."
)
_TOLD = "transformation_domain"


class Kiva(Layout):
    """Parts of trials in files of their own, or trials in `SPLIT.json` and `SPLIT/`.

    `facts["parts"]` names the pictures of a trial by role: `train_input`, `train_output`,
    `test_input`, `mc_0` (the right one), `mc_1`; `picture` is the test's input.
    """

    name: ClassVar[str] = "kiva"

    def matches(self, root: Path) -> bool:
        return any(_PART.fullmatch(p.stem) for p in files(root, *PICTURES)) or bool(_splits(root))

    def items(self, root: Path) -> Iterator[PackItem]:
        yield from _loose(root)
        for path, trials in _splits(root):
            yield from _trials(path, trials)


def _loose(root: Path) -> Iterator[PackItem]:
    trials: dict[tuple[Path, str, int], dict[str, Path]] = {}
    for path in files(root, *PICTURES):
        if named := _PART.fullmatch(path.stem):
            param, number, role = named.groups()
            role = re.sub(r"_0_(in|out)put", r"_\1put", role) if "mc" not in role else role
            role = role.removeprefix("test_").removesuffix("_input") if "mc" in role else role
            trials.setdefault((path.parent, param, int(number)), {})[role] = path
    several = len({folder for folder, _, _ in trials}) > 1
    for (folder, param, number), parts in sorted(trials.items()):
        prefix = "_".join(folder.relative_to(root).parts) + "_" if several else ""
        yield PackItem(
            id=safe(f"{prefix}{param}_{number}"),
            kind=param,
            picture=parts.get("test_input", folder / f"{param}_{number}_test_0_input.png"),
            prompt=_PROMPT,
            options=tuple(sorted(name for name in parts if name.startswith("mc"))),
            answer="mc_0",
            facts={"parts": {role: str(path) for role, path in sorted(parts.items())}},
            final_frame=parts.get("mc_0"),
        )


def _splits(root: Path) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for path in files(root, ".json"):
        with path.open("rb") as file:
            if _TOLD.encode() not in file.read(4096):
                continue
        value = json_file(path)
        if isinstance(value, dict):
            found.append((path, value))
    return found


def _trials(path: Path, trials: dict[str, Any]) -> Iterator[PackItem]:
    for name, trial in sorted(trials.items()):
        clean = safe(name)
        wanted = [path.with_suffix("") / f"{clean}{suffix}" for suffix in (".jpg", ".png")]
        yield PackItem(
            id=clean,
            kind=str(trial.get("concept", trial[_TOLD])),
            picture=next((p for p in wanted if p.is_file()), wanted[0]),
            prompt=_PROMPT,
            options=tuple(
                str(trial[k]) for k in ("correct", "incorrect1", "incorrect2") if k in trial
            ),
            answer=None if "correct" not in trial else str(trial["correct"]),
            facts=dict(trial),
        )


COMPONENT = Kiva
