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
from phosphene.exploring.contest import Found, pairs
from phosphene.exploring.mining import KEPT, mine, siblings
from phosphene.report.session import summary, unlike, write_session
from phosphene.session import Session

_SIDE = 96  # pixels of a picture in the gallery
_ACROSS = 3  # clips in a row, each by its first, middle and last frame
_MOST = 12


def gallery(items: list[tuple[Session, str]], path: Path) -> None:
    """Clips as one picture."""
    strips = []
    for session, id in items[:_MOST]:
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


def words(
    root: Path, session: Session, found: list[tuple[Session, dict]], asked: str, folder: Path
) -> str:
    """The README of the folder."""
    told = summary(root)
    search = session.manifest["search"]
    head, *rows = told["table"]
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
        f'python docs/explore_reference.py runs/words evals/explore/ember "{asked}"',
        "```",
        "",
        f"**{told['notes'][1]}.** Means over seeds; the ratio is a geometric mean, its interval "
        "Student's t on logarithms.",
        "",
        f"| {' | '.join(head)} |",
        "|" + " --- |" * len(head),
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        *(f"- {note}" for note in told["notes"][2:]),
        "",
        "![QD score over cost](qd-score.png) ![coverage over cost](coverage.png)",
        "",
        "## Nuggets",
        "",
        f"{len(found)} of {sum(len(Found.of(s).ids) for s, _ in pairs(root)):,} different items of "
        "all seeds pass every part of the rule. First, middle and last frame of each:",
        "",
        "![nuggets](nuggets.png)" if found else "None.",
        "",
        "| seed | id | operator | prompt |",
        "| --- | --- | --- | --- |",
    ]
    for held, nugget in found:
        p = held.proposal(nugget["id"])
        seed = held.manifest["search"]["seed"]
        out.append(f"| {seed} | {nugget['id']} | {p.operator} | {p.genome.prompt} |")
    out += [
        "",
        f"The best items of seed {search['seed']}, no two alike (by quality and distance):",
        "",
        "![items](items.png)",
    ]
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
    shutil.rmtree(out, ignore_errors=True)
    (out / "nuggets").mkdir(parents=True)
    for name in ("report.json", "qd-score.png", "coverage.png", "session.json"):
        shutil.copyfile(root / name, out / name)
    log = (root / "events.jsonl").read_bytes()
    (out / "events.jsonl.gz").write_bytes(gzip.compress(log, mtime=0))
    for path in session.pictures.values():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, out / path)
    found = [(s, n) for s, _ in pairs(root) for n in mined(s)]
    for held, nugget in found:
        source = held.root / str(nugget["media"])
        name = f"seed{held.manifest['search']['seed']}-{nugget['id']}"
        shutil.copyfile(source, out / "nuggets" / f"{name}{source.suffix}")
        record = json.dumps(nugget, indent=1) + "\n"
        (out / "nuggets" / f"{name}.json").write_text(record)
    gallery([(s, n["id"]) for s, n in found], out / "nuggets.png")
    own = Found.of(session)
    gallery([(session, own.ids[i]) for i in unlike(own)], out / "items.png")
    (out / "README.md").write_text(words(root, session, found, sys.argv[3], out))


def mined(session: Session) -> list[dict]:
    """The nuggets of a session, looked for now if they weren't before."""
    path = session.root / KEPT
    if not path.exists():
        mine(session, None, siblings(session))
    return json.loads(path.read_text())["nuggets"]


if __name__ == "__main__":
    main()
