"""Draws assets/readme/tasks.png: each task's problem beside its solution.

python docs/tasks_picture.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from phosphene.assets import asset
from phosphene.draw import FONTS
from phosphene.task import Canvas, tasks

SIDE, COLUMNS, GAP, LINE = 112, 6, 10, 18


def main() -> None:
    canvas, names = Canvas(size=SIDE), tasks.names()
    rows = -(-len(names) // COLUMNS)
    wide, high = 2 * SIDE + 3 + GAP, SIDE + LINE + GAP
    sheet = Image.new("RGB", (COLUMNS * wide + GAP, rows * high + GAP), (252, 252, 252))
    pen = ImageDraw.Draw(sheet)
    face = ImageFont.truetype(str(asset(f"fonts/{FONTS[1]}")), 13)
    for i, name in enumerate(names):
        kind = tasks.get(name)
        task = kind(**kind.LADDER[len(kind.LADDER) // 2])
        problem = task.sample(3)
        x, y = GAP + i % COLUMNS * wide, GAP + i // COLUMNS * high
        first, last = task.first_frame(problem, canvas), task.last_frame(problem, canvas)
        pen.text((x, y), name.replace("_", " "), fill=(70, 70, 70), font=face)
        sheet.paste(Image.fromarray(np.ascontiguousarray(first)), (x, y + LINE))
        sheet.paste(Image.fromarray(np.ascontiguousarray(last)), (x + SIDE + 3, y + LINE))
    sheet.save(Path(__file__).parent.parent / "assets" / "readme" / "tasks.png", optimize=True)


if __name__ == "__main__":
    main()
