"""Reading text: what was drawn comes back, in any ink, and nothing comes of nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from phosphene.errors import PhospheneError
from phosphene.readers import ocr

FONTS = sorted((Path(__file__).parents[1] / "assets/fonts").glob("Liberation*.ttf"))
DIGITS = "0123456789"


def drawn(text: str, size: int = 24, ink="black", paper="white", font: Path = FONTS[1]):
    face = ImageFont.truetype(font, size)
    left, top, right, bottom = face.getbbox(text)
    image = Image.new("RGB", (round(right - left) + size, round(bottom - top) + size), paper)
    ImageDraw.Draw(image).text((size / 2 - left, size / 2 - top), text, fill=ink, font=face)
    return np.asarray(image)


@pytest.mark.parametrize(
    ("ink", "paper", "size"),
    [
        ("black", "white", 14),
        ("white", "black", 24),
        ("yellow", "#808080", 60),
        ("red", "navy", 24),
    ],
)
def test_numbers_are_read_in_any_ink_and_size(ink: str, paper: str, size: int) -> None:
    texts = [*DIGITS, "42", "100", "177", "9056"]
    read = ocr.read_lines([drawn(text, size, ink, paper) for text in texts], DIGITS)
    assert [text for text, _ in read] == texts
    assert min(sure for _, sure in read) > 0.6


def test_equations_are_read_in_every_font() -> None:
    texts = ["12 + 7 = 19", "9 × ? = 63", "56 ÷ 8 =", "8 - 3 =", "(2 + 3) × 4 = 20"]
    for font in FONTS:
        read = ocr.read_lines([drawn(text, 30, font=font) for text in texts], DIGITS + "+-×÷=?()")
        assert [text.replace(" ", "") for text, _ in read] == [t.replace(" ", "") for t in texts]


def test_an_alphabet_decides_between_lookalikes() -> None:
    letter = drawn("O", 40)
    assert ocr.read_line(letter, DIGITS)[0] == "0"
    assert ocr.read_line(letter, "XO")[0] == "O"
    assert ocr.read_line(drawn("X", 40), "XO")[0] == "X"


def test_what_the_alphabet_lacks_is_not_sure() -> None:
    for text in ("K", "W", "@"):
        assert ocr.read_line(drawn(text, 40), DIGITS)[1] < 0.5


def test_nothing_is_read_from_nothing() -> None:
    blank = np.full((30, 60, 3), 200, np.uint8)
    specks = blank.copy()
    specks[::7, ::9] += 8
    for picture in (blank, specks, blank[:1, :1]):
        assert ocr.read_line(picture, DIGITS) == ("", 0.0)
    assert ocr.read_lines([]) == []


def test_many_crops_read_as_one_by_one_and_twice_the_same() -> None:
    crops = [drawn(text, size) for text in ("7", "31 + 5 =", "8") for size in (14, 40)]
    together = ocr.read_lines(crops, DIGITS + "+=")
    alone = [ocr.read_line(crop, DIGITS + "+=") for crop in crops]
    assert [text for text, _ in together] == [text for text, _ in alone]
    assert together == ocr.read_lines(crops, DIGITS + "+=")
    assert [sure for _, sure in together] == pytest.approx([s for _, s in alone], abs=1e-4)


def test_lines_are_found_where_they_were_drawn() -> None:
    page = Image.new("RGB", (640, 360), "white")
    face = ImageFont.truetype(FONTS[1], 36)
    for at, text in (((40, 60), "12 + 7 = 19"), ((330, 240), "hello")):
        ImageDraw.Draw(page).text(at, text, fill="black", font=face)
    found = ocr.find_lines(np.asarray(page))
    assert [text.replace(" ", "") for _, text, _ in found] == ["12+7=19", "hello"]
    (left, top, right, bottom), _, sure = found[0]
    assert left == pytest.approx(40, abs=12)
    assert top < 70 < bottom < 120
    assert right < 300
    assert sure > 0.8
    assert ocr.find_lines(np.full((100, 100, 3), 255, np.uint8)) == []
    # The recogniser's flags don't leak into the next call.
    assert ocr.read_line(drawn("5", 30), DIGITS)[0] == "5"


def test_other_arrays_are_refused() -> None:
    for picture in (np.zeros((20, 20), np.uint8), np.zeros((20, 20, 3), np.float32)):
        with pytest.raises(PhospheneError, match="uint8"):
            ocr.read_line(picture)


def test_the_reader_is_named() -> None:
    assert ocr.version().startswith("rapidocr 3.")
