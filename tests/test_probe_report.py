"""What a probe leaves: pictures whose places are computed by hand, files that read back."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import PhospheneError
from phosphene.probe import Finding, Heat, Lines, Probe, Result, Strip
from phosphene.report.heat import heat_html
from phosphene.report.interval import figures, interval_svg
from phosphene.report.lines import lines_html
from phosphene.report.plot import png
from phosphene.report.probe import save_result
from phosphene.report.scale import LEVELS, Scale, brief, colours, ticks
from phosphene.report.sheet import rows, sheet
from phosphene.report.strip import strip_html

MIDDLE = LEVELS // 2


@dataclass(frozen=True)
class Asking(Probe):
    folds: int = 5
    name: ClassVar[str] = "asking"
    ASKS = "Is it <there>?"
    CONTROLS = "shuffled labels & an untrained twin"

    def run(self, subject: Any, book: Any) -> Result:
        raise NotImplementedError


def heat(values: Any, **changes: Any) -> Heat:
    """A map of these values, `(panels, y, x)`, with names that count."""
    held = np.asarray(values, float)
    panels, y, x = held.shape
    names = [str(i) for i in range(x)], [f"blocks.{i}" for i in range(y)]
    plain = Heat("a map", "step", "layer", *names, held, [f"frame {i}" for i in range(panels)])
    return replace(plain, **changes)


LINE = Lines(
    "a curve", "step", "share", [0, 1, 2], {"knows": np.tile([0.2, 0.5, 0.9], (3, 1))}, 0.25
)
PICTURE = np.full((8, 8, 3), 90, np.uint8)
STRIP = Strip(
    "film", [("wanted: 4", [("0", PICTURE, None), ("1", PICTURE, False), ("2", PICTURE, True)])]
)
FINDINGS = (
    Finding("place", "it is at <3>", True, 0.8, 0.7, 0.9, 0.25, 0.001, 48, "accuracy"),
    Finding("depth", "no layer", False, 0.3, 0.2, 0.4, 0.25, 0.4, 48, "accuracy"),
    Finding("held out", "not asked: too few", None),
)
ABOUT = {
    "backbone": "ember",
    "fingerprint": "sha256:12ab",
    "setup": {"task": "equations", "fields": {"largest": 4}, "items": 48, "size": None},
}
RESULT = Result(
    [{"step": t, "score": s} for t, s in enumerate((0.5, float("nan"), np.float32(0.25)))],
    FINDINGS,
    {"map": heat([[[0.1, 0.9]]], null=0.5), "curve": LINE, "film": STRIP},
    ["two items < left out"],
)


class Page(HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._skip = "", False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        self._skip = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._skip = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._skip else data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.tags if t == tag and wanted.items() <= a.items()]


def places(html: str) -> list[Mapping[int, set[tuple[int, int]]]]:
    """For each panel: level -> (row, column) of the cells that have its colour."""
    found = []
    for panel in Page(html).all("svg", **{"class": "heat"}):
        found.append(({}, [float(v) for v in str(panel["data-box"]).split()]))
    for i, svg in enumerate(re.findall(r"<svg class=\"heat\".*?</svg>", html, re.S)):
        left, top, w, h = found[i][1][:4]
        for level, path in re.findall(r'<path class="d(\d+)" d="([^"]*)"', svg):
            spots = re.findall(r"M([\d.]+) ([\d.]+)", path)
            cells = {(round((float(y) - top) / h), round((float(x) - left) / w)) for x, y in spots}
            found[i][0][int(level)] = cells
    return [cells for cells, _ in found]


# Colours


def luminance(colour: str) -> float:
    return float(np.dot([int(colour[i : i + 2], 16) for i in (1, 3, 5)], [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("dark", [False, True])
def test_colours_run_one_way_from_the_middle(dark: bool) -> None:
    light = np.array([luminance(c) for c in colours(dark)])
    sign = -1 if dark else 1
    assert (np.diff(light[: MIDDLE + 1]) * sign > 0).all()
    assert (np.diff(light[MIDDLE:]) * sign < 0).all()


@pytest.mark.parametrize("dark", [False, True])
def test_both_sides_stay_apart_without_red_or_green_cones(dark: bool) -> None:
    # Machado, Oliveira and Fernandes (2009), severity 1: protanopia and deuteranopia, linear RGB.
    protan = [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.052]]
    deutan = [[0.3673, 0.8606, -0.228], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]
    table = colours(dark)
    for step in (4, 7, MIDDLE):
        pair = [table[MIDDLE - step], table[MIDDLE + step]]
        rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in pair]) ** 2.2
        for matrix in (protan, deutan):
            below, above = np.clip(rgb @ np.array(matrix).T, 0, 1) ** (1 / 2.2)
            assert np.abs(below - above).max() > 0.2, (step, pair)


def test_the_null_has_the_middle_colour_and_both_ways_compare() -> None:
    scale = Scale.of(heat([[[0.1, 0.5, 0.25]]], null=0.25))
    assert scale.level(0.25) == MIDDLE
    assert scale.level(0.5) == LEVELS - 1
    assert scale.level(0.25 - 0.15) + scale.level(0.25 + 0.15) == 2 * MIDDLE
    assert scale.used() == range(scale.level(0.1), LEVELS)


def test_a_scale_of_nothing_shows_the_null() -> None:
    scale = Scale.of(heat([[[np.nan, np.nan]]], null=0.5))
    assert scale.used() == range(MIDDLE, MIDDLE + 1)


@pytest.mark.parametrize(
    ("value", "reach", "said"),
    [
        (0.254, 0.5, "0.25"),
        (0.25, 1.2, "0.25"),
        (12.34, 50, "12.3"),
        (-0.001, 1, "0.00"),
        (3e-9, 1e-8, "3.0e-09"),
    ],
)
def test_values_are_as_long_as_the_scale_tells_apart(value: float, reach: float, said: str) -> None:
    assert brief(value, reach) == said


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-0.07, 1.06), (0, 49), (0.31, 0.34), (-5e4, 9e5)]
)
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 3 <= len(found) <= 11
    assert low <= found[0] <= found[-1] <= high
    assert np.allclose(np.diff(found), found[1] - found[0])


# Heat maps


def test_the_planted_cell_has_the_strongest_colour_at_its_place() -> None:
    values = np.full((2, 4, 5), 0.5)
    values[1, 2, 3], values[0, 0, 4], values[0, 3, 0] = 0.9, 0.1, np.nan
    first, second = places(heat_html(heat(values, null=0.5)))
    assert second[LEVELS - 1] == {(2, 3)}
    assert first[0] == {(0, 4)}
    assert (3, 0) not in first[MIDDLE]
    assert len(first[MIDDLE]) == 18
    assert len(second[MIDDLE]) == 19


def test_panels_share_one_scale() -> None:
    first, second = places(heat_html(heat([[[0.0, 0.2]], [[0.2, 1.0]]])))
    assert {level for level, cells in first.items() if (0, 1) in cells} == {
        level for level, cells in second.items() if (0, 0) in cells
    }


def test_hovering_is_told_value_interval_mark_and_note_of_the_cell() -> None:
    values = np.arange(12.0).reshape(2, 2, 3)
    marks = values == 7
    notes = np.where(marks, "n = 48 </script>", "")
    html = heat_html(
        heat(values, low=values - 1, high=values + 1, marks=marks, notes=notes, unit="u")
    )
    data = json.loads(re.findall(r'json">(.*?)</script>', html, re.S)[0])
    k = (1 * 2 + 0) * 3 + 1  # panel 1, row 0, column 1
    assert (data["value"][k], data["low"][k], data["high"][k], data["marks"][k]) == (7, 6, 8, 1)
    assert data["notes"] == {str(k): "n = 48 </script>"}
    assert html.count('<circle class="dot"') == 1


def test_one_panel_with_room_writes_its_values() -> None:
    assert Page(heat_html(heat([[[0.25, 1.0]]], panels=("",)))).text.count("0.25") >= 1
    assert 'class="value' not in heat_html(heat(np.zeros((1, 40, 50)), panels=("",)))


def test_a_large_map_stays_small() -> None:
    values = np.random.default_rng(0).normal(size=(4, 40, 50))
    assert len(heat_html(heat(values))) < 400_000


# Curves


def points(html: str) -> list[np.ndarray]:
    return [
        np.array([spot.split(",") for spot in line.split()], float)
        for line in re.findall(r'<polyline points="([^"]*)"', html)
    ]


def test_a_curve_runs_right_and_up() -> None:
    (line,) = points(lines_html(LINE))
    assert (np.diff(line[:, 0]) > 0).all()
    assert (np.diff(line[:, 1]) < 0).all()
    # Evenly spaced x, and heights in the ratio of the values.
    assert np.diff(line[:, 0])[0] == pytest.approx(np.diff(line[:, 0])[1], abs=0.11)
    assert np.diff(line[:, 1])[1] / np.diff(line[:, 1])[0] == pytest.approx(4 / 3, abs=0.01)


def test_what_was_not_measured_leaves_a_gap() -> None:
    held = np.tile([0.1, 0.2, np.nan, 0.4, 0.5], (3, 1))
    drawn = points(lines_html(Lines("t", "x", "y", range(5), {"a": held})))
    assert [len(line) for line in drawn] == [2, 2]


@pytest.mark.parametrize("held", [[[0.5], [0.4], [0.6]], [[np.nan]] * 3, [[0.0]] * 3])
def test_curves_of_one_point_or_none_are_drawn(held: Any) -> None:
    lines = Lines("t", "x", "y", [0], {"a": np.array(held)}, 0.5)
    assert "nan" not in lines_html(lines)
    Image.open(io.BytesIO(png(lines))).verify()


# Strips


def test_frames_tell_right_wrong_and_unread_by_sign_too() -> None:
    page = Page(strip_html(STRIP))
    styles = [a["class"] for a in page.all("figure")]
    assert styles == ["unread", "wrong", "right"]
    shown = re.findall(r'aria-hidden="true">(.)<', strip_html(STRIP))
    assert shown == ["?", "✗", "✓"]
    assert all(str(a["src"]).startswith("data:image/png") for a in page.all("img"))


# Files


def test_sheets_read_back() -> None:
    values = np.array([[[0.5, np.nan], [0.25, 1 / 3]]])
    marks = np.array([[[True, False], [False, False]]])
    read = list(csv.DictReader(io.StringIO(sheet(rows(heat(values, marks=marks, null=0.5))))))
    assert [(r["layer"], r["step"]) for r in read] == [
        (f"blocks.{y}", str(x)) for y in range(2) for x in range(2)
    ]
    assert [float(r["value"]) if r["value"] else None for r in read] == [0.5, None, 0.25, 1 / 3]
    assert [r["holds"] for r in read] == ["True", "False", "False", "False"]
    curve = list(csv.DictReader(io.StringIO(sheet(rows(LINE)))))
    assert [(r["series"], float(r["step"]), float(r["value"])) for r in curve][2] == (
        "knows",
        2,
        0.9,
    )
    assert [r["shows"] for r in rows(STRIP)] == ["unread", "wrong", "right"]


def test_pngs_show_the_data() -> None:
    strongest = tuple(int(colours()[-1][i : i + 2], 16) for i in (1, 3, 5))
    values = np.zeros((2, 3, 4))
    values[1, 1, 1] = 1
    shown = np.array(Image.open(io.BytesIO(png(heat(values)))).convert("RGB"))
    assert (shown == strongest).all(-1).sum() > 400
    strip = np.array(Image.open(io.BytesIO(png(STRIP))).convert("RGB"))
    assert (strip == 90).all(-1).sum() > 3 * 60 * 60


def test_a_finding_is_drawn_where_its_interval_lies() -> None:
    svg = interval_svg(FINDINGS[0])
    (null,) = re.findall(r'class="null" x1="([\d.]+)"', svg)
    (left,) = re.findall(r'<rect x="([\d.]+)"', svg)
    (dot,) = re.findall(r'<circle cx="([\d.]+)"', svg)
    assert float(null) < float(left) < float(dot)
    # The dot is 55/65 of the way from the null, 0.25, to the highest, 0.9.
    assert float(dot) == pytest.approx(8 + (150 - 16) * 55 / 65, abs=0.1)
    assert interval_svg(FINDINGS[2]) == ""
    assert dict(figures(FINDINGS[0]))["accuracy"] == "0.8 [0.7, 0.9]"
    assert figures(FINDINGS[2]) == []


def test_everything_is_written_and_the_page_needs_nothing_else(tmp_path: Path) -> None:
    path = save_result(
        RESULT, Asking(folds=3), ABOUT, tmp_path / "new" / "run", "phosphene probe x"
    )
    root = path.parent
    files = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    drawn = {f"figures/{n}.{kind}" for n in ("map", "curve", "film") for kind in ("png", "csv")}
    assert files == {"findings.json", "table.csv", "table.jsonl", "report.html"} | drawn
    record = json.loads((root / "findings.json").read_text(), parse_constant=pytest.fail)
    assert [f["holds"] for f in record["findings"]] == [True, False, None]
    assert record["settings"] == {"folds": 3}
    lines = [json.loads(x) for x in (root / "table.jsonl").read_text().splitlines()]
    assert [row["score"] for row in lines] == [0.5, None, 0.25]
    page = Page(path.read_text())
    assert not page.all("link")
    sources = [str(a.get("src") or "") for _, a in page.tags]
    assert all(s == "" or s.startswith("data:") for s in sources)
    links = {str(a["href"]) for a in page.all("a")}
    assert links <= files
    for said in ("Is it <there>?", "it is at <3>", "untrained twin", "two items < left out"):
        assert said in page.text
    assert "phosphene probe x" in page.text
    assert [str(a["class"]) for a in page.all("li") if "class" in a] == ["holds", "null", "not"]


def test_writing_again_replaces_and_leaves_no_old_figure(tmp_path: Path) -> None:
    save_result(RESULT, Asking(), ABOUT, tmp_path, "x")
    (tmp_path / "units.jsonl").write_text("kept")
    again = replace(RESULT, figures={"curve": LINE}, findings=FINDINGS[:1])
    save_result(again, Asking(), ABOUT, tmp_path, "x")
    names = {p.name for p in (tmp_path / "figures").iterdir()}
    assert names == {"curve.png", "curve.csv"}
    assert len(json.loads((tmp_path / "findings.json").read_text())["findings"]) == 1
    assert (tmp_path / "units.jsonl").read_text() == "kept"
    assert not list(tmp_path.rglob("*.partial"))


def test_a_probe_that_found_nothing_has_a_page(tmp_path: Path) -> None:
    page = Page(save_result(Result([], []), Asking(), ABOUT, tmp_path, "x").read_text())
    assert "claims nothing" in page.text


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden"])
def test_a_figure_that_would_leave_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PhospheneError, match="plain file name"):
        save_result(replace(RESULT, figures={name: LINE}), Asking(), ABOUT, tmp_path, "x")


@pytest.mark.parametrize("values", [[[[np.nan]]], [[[0.0]]], [[[0.5, 0.5]]] * 7])
def test_degenerate_maps_are_drawn(values: Any, tmp_path: Path) -> None:
    figure = heat(values, null=0.5)
    assert "NaN" not in heat_html(figure)
    Image.open(io.BytesIO(png(figure))).verify()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(PhospheneError, match="can't write to"):
        save_result(RESULT, Asking(), ABOUT, tmp_path / "run", "x")
