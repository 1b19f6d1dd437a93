"""Draw the README's picture from a demo: the first two of each scene, not the best.

phosphene demo --clips 3 --out runs/demo
python docs/readme_picture.py runs/demo assets/readme/ember.png
"""

import json
import sys
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from phosphene import Run, load


def main(demo: Path, out: Path) -> None:
    run = Run.load(demo / "clips")
    place = {record.index: run.path(record) for record in run.records() if record.file}
    clips = json.loads((demo / "summary.json").read_text())[0]["right"]["n"]
    columns = []
    for scenes in ((0, 2), (1, 3)):
        strips = []
        for scene, i in product(scenes, range(2)):
            frames = load(place[scene * 2 * clips + i]).frames
            assert frames is not None
            framed = np.pad(frames[[0, 2, 4, 6, 8]], ((0, 0), (2, 2), (2, 2), (0, 0)))
            strips.append(np.concatenate(list(framed), 1))
        columns.append(np.concatenate(strips, 0))
    picture = Image.fromarray(np.concatenate(columns, 1))
    picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.NEAREST).save(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
