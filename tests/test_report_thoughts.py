"""The page of thoughts: candidates, shares and strips as they were handed over, and safe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chromium import BROWSER, Chromium
from PIL import Image

from phosphene.minds.probes.decode import Decode
from phosphene.probe import Chain, Result, Thought, Thoughts
from phosphene.report.plot import png
from phosphene.report.probe import save_result
from phosphene.report.scale import LEVELS
from phosphene.report.sheet import rows
from phosphene.report.thoughts import BARS, bars, thoughts_html

WORDS = (("ash", 0.9, "hop 1"), ("<b>", 0.1, ""))
CHAIN = Chain(
    "ash to <i>. from ash 1 hops.",
    (("hop 1", "ash"),),
    "ash",
    "",
    False,
    tuple(Thought(f"thought {t}", np.linspace(-1, 1, 80), WORDS) for t in (1, 2, 3)),
)
HELD = Thoughts("chains", [CHAIN, CHAIN], "probability")
ABOUT = {"backbone": "mind", "fingerprint": "12ab", "setup": {"task": "chase"}}


def test_a_strip_keeps_signs_and_means() -> None:
    levels = bars(np.array([-2.0, 0.0, 1.0, 2.0]))
    assert levels.tolist() == [0, LEVELS // 2, round(0.75 * (LEVELS - 1)), LEVELS - 1]
    assert len(bars(np.ones(1000))) == BARS
    assert set(bars(np.zeros(8)).tolist()) == {LEVELS // 2}


def test_the_page_says_what_was_read() -> None:
    html = thoughts_html(HELD)
    assert "&lt;b&gt;" in html
    assert "<i>." not in html
    assert html.count("✓ hop 1") == 6
    assert "width:90.0%" in html
    assert "said <b>nothing</b> wanted <b>ash</b>" in html
    assert "No chain to show" in thoughts_html(Thoughts("none", []))


def test_the_numbers_and_the_picture() -> None:
    told = rows(HELD)
    assert len(told) == 2 * 3 * 2
    assert told[0]["word"] == "ash"
    assert told[0]["value"] == "hop 1"
    for held in (HELD, Thoughts("none", [])):
        assert png(held).startswith(b"\x89PNG")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_the_page_fits_a_phone(tmp_path: Path) -> None:
    page = save_result(Result([], [], {"thoughts": HELD}), Decode(), ABOUT, tmp_path, "phosphene")
    assert Image.open(tmp_path / "figures" / "thoughts.png").size[0] > 300
    (tmp_path / "profile").mkdir()
    with Chromium(tmp_path / "profile", 375, 800) as browser:
        browser.open(page.as_uri())
        assert browser.ask("document.documentElement.scrollWidth") <= 375
        assert browser.ask("document.querySelectorAll('.vector').length") == 6
        assert browser.ask("document.querySelector('.vector').getBoundingClientRect().width") > 90
        assert not browser.errors
