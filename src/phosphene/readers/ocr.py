"""Text in pictures, by rapidocr 3.10 (PP-OCRv6 small); its models ship in the wheel."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from phosphene.errors import PhospheneError

_HEIGHT = 48
_WIDTHS = (96, 160, 320, 640, 960, 1440, 1920)
_BATCH = 16
_CONTRAST = 24
# What the recogniser says for a mark when the alphabet leaves its first choice out.
_LOOKALIKES = {
    "0": "OoQDοО〇○θ日",
    "1": "lI|i丨!",
    "2": "Zz",
    "5": "Ss",
    "8": "B",
    "9": "gq",
    "6": "bG",
    "7": "T",
    "-": "−–—一―ー_",
    "×": "xX*✕х",
    "x": "X×х",
    "X": "x×✕",
    "O": "0oο○",
    "÷": "+",
    "=": "≡二＝",
    "+": "十＋",
    "?": "？",
    "(": "（",
    ")": "）",
    "*": "×",
}

Box = tuple[int, int, int, int]


def read_line(picture: np.ndarray, alphabet: str | None = None) -> tuple[str, float]:
    """Text and confidence of one line of text.

    Args:
        picture: uint8 `(h, w, 3)`, the crop of one line, any ink on any plain ground.
        alphabet: the only characters that may be read; all that the recogniser knows where None.

    Returns:
        the text, and the confidence of its least certain character in 0..1; `("", 0.0)` for a
        crop with nothing in it.
    """
    return read_lines([picture], alphabet)[0]


def read_lines(
    pictures: Sequence[np.ndarray], alphabet: str | None = None
) -> list[tuple[str, float]]:
    """`read_line` of many crops, in few calls of the network; in the order given."""
    lines = [_line(picture) for picture in pictures]
    found: list[tuple[str, float]] = [("", 0.0)] * len(lines)
    by_width: dict[int, list[int]] = {}
    for index, line in enumerate(lines):
        if line is not None:
            by_width.setdefault(line.shape[1], []).append(index)
    for indices in by_width.values():
        for start in range(0, len(indices), _BATCH):
            part = indices[start : start + _BATCH]
            batch = np.stack([np.repeat(lines[i][None], 3, 0) for i in part])  # type: ignore[index]
            scores = _recogniser().session(batch.astype(np.float32))
            for index, steps in zip(part, scores, strict=True):
                found[index] = _decode(np.asarray(steps, np.float32), alphabet)
    return found


def find_lines(picture: np.ndarray) -> list[tuple[Box, str, float]]:
    """Every line of text that the detector finds in uint8 `(h, w, 3)`, top to bottom.

    Returns:
        for each line its box `(left, top, right, bottom)` in pixels, right and bottom exclusive;
        its text; the confidence in 0..1.
    """
    # rapidocr keeps the flags of one call for the next.
    output = _engine()(
        np.ascontiguousarray(picture[..., ::-1]),
        use_det=True,
        use_cls=False,
        use_rec=True,
        return_word_box=False,
        return_single_char_box=False,
        text_score=0.0,
        box_thresh=0.5,
        unclip_ratio=1.6,
    )
    if output.boxes is None:
        return []
    found = []
    for corners, text, score in zip(output.boxes, output.txts, output.scores, strict=True):
        (left, top), (right, bottom) = np.floor(corners.min(0)), np.ceil(corners.max(0))
        box = (int(max(left, 0)), int(max(top, 0)), int(right), int(bottom))
        found.append((box, str(text), float(score)))
    return sorted(found, key=lambda line: (line[0][1], line[0][0]))


def version() -> str:
    """What reads, e.g. `"rapidocr 3.10.0"`."""
    from importlib.metadata import version as installed

    return f"rapidocr {installed('rapidocr')}"


def ink(picture: np.ndarray) -> np.ndarray | None:
    """Dark-on-light float32 `(h, w)` in 0..1 (0 ink, 1 ground) of a crop with any two colours.

    The ground is the median of the border. None where nothing differs from it.
    """
    values = picture.astype(np.float32)
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    distance = np.abs(values - np.median(border, axis=0)).max(axis=2)
    most = float(np.percentile(distance, 99.8))
    peak = max(most, 0.75 * float(distance.max()))
    return None if peak < _CONTRAST else 1 - np.clip(distance / peak, 0, 1)


def _line(picture: np.ndarray) -> np.ndarray | None:
    """The crop as the recogniser wants it: `(48, w)` in -1..1, w one of `_WIDTHS`."""
    import cv2

    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise PhospheneError(f"to read needs uint8 (h, w, 3); got {picture.dtype} {picture.shape}")
    grey = ink(picture) if min(picture.shape[:2]) > 1 else None
    if grey is None:
        return None
    grey = _tight(grey)
    height, width = grey.shape
    wide = max(1, min(round(width * _HEIGHT / height), _WIDTHS[-1]))
    method = cv2.INTER_AREA if height > _HEIGHT else cv2.INTER_CUBIC
    scaled = np.clip(cv2.resize(grey, (wide, _HEIGHT), interpolation=method), 0, 1)
    line = np.ones((_HEIGHT, next(w for w in _WIDTHS if w >= wide)), np.float32)
    line[:, :wide] = scaled
    return line * 2 - 1


def _tight(grey: np.ndarray) -> np.ndarray:
    """Cut to the ink with a margin. A dash keeps room above and below, or it'd look a bar."""
    dark = grey < 0.5
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    least = 0.4 * len(grey)
    if bottom - top < least:
        middle = (top + bottom) / 2
        top, bottom = int(max(0, middle - least / 2)), int(min(len(grey), middle + least / 2)) + 1
    cut = grey[top:bottom, int(columns[0]) : int(columns[-1]) + 1]
    margin = max(1, round(0.22 * len(cut)))
    return np.pad(cut, margin, constant_values=1.0)


def _decode(steps: np.ndarray, alphabet: str | None) -> tuple[str, float]:
    """Greedy CTC over `(t, characters)` probabilities, blank first.

    With an alphabet each character takes over the score of its lookalikes outside the alphabet, and
    the rest is left out. What is left of the probability is the confidence.
    """
    names = _recogniser().postprocess_op.character
    if alphabet is None:
        scores, letters = steps, names
    else:
        scores, letters = steps @ _merge(alphabet), ["", *alphabet]
    best = scores.argmax(1)
    text, worst = "", 1.0
    start = 0
    for end in range(1, len(best) + 1):
        if end == len(best) or best[end] != best[start]:
            if best[start] != 0:
                text += letters[best[start]]
                worst = min(worst, float(scores[start:end, best[start]].max()))
            start = end
    return (text.strip(), worst) if text.strip() else ("", 0.0)


@functools.lru_cache(maxsize=64)
def _merge(alphabet: str) -> np.ndarray:
    """0/1 matrix `(characters, 1 + len(alphabet))` that adds lookalikes up; blank takes spaces."""
    names = _recogniser().postprocess_op.character
    matrix = np.zeros((len(names), 1 + len(alphabet)), np.float32)
    matrix[0, 0] = 1
    for index, name in enumerate(names[1:], 1):
        if name in alphabet:
            matrix[index, 1 + alphabet.index(name)] = 1
        elif name.isspace():
            matrix[index, 0] = 1
        else:
            for place, letter in enumerate(alphabet):
                if name in _LOOKALIKES.get(letter, ""):
                    matrix[index, 1 + place] = 1
                    break
    return matrix


@functools.cache
def _engine() -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise PhospheneError(
            "reading text needs rapidocr; pip install rapidocr onnxruntime"
        ) from error
    return RapidOCR(
        params={
            "Global.log_level": "error",
            # One thread: the sums, and so the scores, don't depend on the machine's cores.
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


@functools.cache
def _recogniser() -> Any:
    return _engine()._load_rec_model()
