"""Keep what is worth keeping of a session: figures, nuggets, the log.

phosphene explore --backbone ember --repeats 5 --session runs/explore-ember
phosphene nuggets runs/explore-ember
python docs/explore_reference.py runs/explore-ember evals/explore/ember
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from phosphene import media
from phosphene.exploring.mining import KEPT
from phosphene.report.session import summary, write_session
from phosphene.session import Session

_SIDE = 96  # pixels of a picture in the gallery
_ACROSS = 3  # clips in a row, each by its first, middle and last frame
_MOST = 12


def gallery(session: Session, ids: list[str], path: Path) -> None:
    """Nuggets as one picture."""
    strips = []
    for id in ids[:_MOST]:
        frames = media.load(session.root / str(session.made[id].media)).frames
        assert frames is not None
        chosen = frames[[0, len(frames) // 2, -1]]
        small = [np.asarray(Image.fromarray(f).resize((_SIDE, _SIDE), 0)) for f in chosen]
        strips.append(
            np.pad(np.concatenate(small, 1), ((0, 8), (0, 12), (0, 0)), constant_values=255)
        )
    if not strips:
        return
    while len(strips) % _ACROSS:
        strips.append(np.full_like(strips[0], 255))
    rows = [np.concatenate(strips[i : i + _ACROSS], 1) for i in range(0, len(strips), _ACROSS)]
    Image.fromarray(np.concatenate(rows)).save(path, optimize=True)


def words(root: Path, session: Session, ids: list[str], asked: str) -> str:
    """The README of the folder."""
    found = summary(root)
    search = session.manifest["search"]
    head, *rows = found["table"]
    seeds = f"seeds {search['seed']} to {search['seed'] + int(rows[0][-1]) - 1}"
    out = [
        f"# Exploring {session.manifest['backbone']}",
        "",
        f"Weights `{session.manifest['fingerprint']}`; {json.dumps(search['explorer'])}, budget "
        f"{session.manifest['budget']} samples' worth of denoiser calls, warm-up "
        f"{search['warmup']}, {seeds}. Made by",
        "",
        "```",
        f"phosphene explore {asked} --repeats {int(rows[0][-1]) - 1} --session runs/words",
        "phosphene nuggets runs/words",
        f'python docs/explore_reference.py runs/words evals/explore/ember "{asked}"',
        "```",
        "",
        f"**{found['notes'][1]}.** Means over seeds; the ratio is a geometric mean, its interval "
        "Student's t on logarithms.",
        "",
        f"| {' | '.join(head)} |",
        "|" + " --- |" * len(head),
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        *(f"- {note}" for note in found["notes"][2:]),
        "",
        "![QD score over cost](qd-score.png) ![coverage over cost](coverage.png)",
        "",
        f"## Nuggets of seed {search['seed']}",
        "",
        f"{len(ids)} of {len(session.made)} candidates pass every part of the rule (`nuggets.json` "
        "has the reasons). First, middle and last frame of each:",
        "",
        "![nuggets](nuggets.png)" if ids else "None.",
        "",
        "| id | operator | prompt | first frame |",
        "| --- | --- | --- | --- |",
    ]
    for id in ids:
        p = session.proposal(id)
        out.append(f"| {id} | {p.operator} | {p.genome.prompt} | {p.genome.frame or ''} |")
    out += [
        "",
        f"`events.jsonl.gz` is the whole log of seed {search['seed']}: unpacked beside "
        "`session.json`, any candidate comes out of it again (`phosphene replay`), but for the "
        "first frames, which lie in `media/`.",
    ]
    return "\n".join(out) + "\n"


def main() -> None:
    root, out = (Path(p) for p in sys.argv[1:3])
    session = Session.load(root)
    write_session(root)
    held = json.loads((root / KEPT).read_text())["nuggets"]
    ids = [n["id"] for n in held]
    shutil.rmtree(out, ignore_errors=True)
    (out / "nuggets").mkdir(parents=True)
    for name in ("report.json", "qd-score.png", "coverage.png", KEPT, "session.json"):
        shutil.copyfile(root / name, out / name)
    log = (root / "events.jsonl").read_bytes()
    (out / "events.jsonl.gz").write_bytes(gzip.compress(log, mtime=0))
    for path in session.pictures.values():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, out / path)
    for id in ids:
        source = root / str(session.made[id].media)
        shutil.copyfile(source, out / "nuggets" / f"{id}{source.suffix}")
    gallery(session, ids, out / "nuggets.png")
    (out / "README.md").write_text(words(root, session, ids, sys.argv[3]))


if __name__ == "__main__":
    main()
