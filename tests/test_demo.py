"""The demo page: made from real clips, self-contained, honest about what came."""

import re

import pytest

from phosphene import demo as demo_module
from phosphene.demo import SCENES, demo
from phosphene.task import tasks


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    return demo(out, quiet=True, clips=2, cards=1)


def test_page_holds_its_videos_and_needs_nothing_else(page):
    html = page.read_text("utf-8")
    videos = re.findall(r'<video src="([^"]*)"', html)
    assert len(videos) == 2 * 2 * len(SCENES)
    assert all(v.startswith("data:video/mp4;base64,") for v in videos)
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    for scene in SCENES:
        assert scene.task in tasks.names()
        assert html.count(f"<td>{scene.title}</td>") == 2


def test_second_run_makes_nothing_again_and_judges_alike(page, monkeypatch):
    html = page.read_text("utf-8")
    monkeypatch.setattr(
        "phosphene.backbones.diffusers.DiffusersBackbone.generate",
        lambda *a: pytest.fail("a finished clip was made again"),
    )
    again = demo_module.demo(page.parent, quiet=True, clips=2, cards=1)
    assert re.findall(r'class="said[^<]*', again.read_text("utf-8")) == re.findall(
        r'class="said[^<]*', html
    )
