"""The Studio's page in a real browser."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import BROWSER, Chromium
from studio_session import Served, Written, served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]

TILES = "document.querySelectorAll('.tile').length"
# Shifts in the page that nobody asked for, summed as browsers sum them.
SHIFTS = """new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((e) => (sum += e.value)))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 300);
})"""


@pytest.fixture
def session(tmp_path: Path) -> Written:
    written = Written(tmp_path / "session")
    written.round(16)
    written.round(8)
    return written


@pytest.fixture
def studio(session: Written) -> Iterator[Served]:
    with served(session.root) as running:
        yield running


@pytest.fixture
def page(tmp_path: Path, studio: Served) -> Iterator[Chromium]:
    with Chromium(tmp_path / "profile") as browser:
        browser.open(f"{studio.origin}/#token={studio.lock.token}")
        browser.wait(f"{TILES} > 5")
        yield browser


def said(session: Written, *kinds: str, seconds: float = 10) -> list[dict]:
    """People's events of these kinds, once there are any."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = [e for e in session.events() if e["kind"] in kinds]
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"no {kinds} in the log")


def test_items_appear_without_a_complaint_or_a_shift(page: Chromium) -> None:
    assert page.ask(TILES) == 24
    assert "24 items" in page.ask("document.body.innerText")
    assert page.ask("document.querySelectorAll('#timeline polyline').length") == 3
    painted = "[...map.getContext('2d').getImageData(0,0,map.width,map.height).data].some(Boolean)"
    assert page.wait(painted)
    assert page.ask(SHIFTS) < 0.02
    assert page.errors == []


def test_the_token_leaves_the_address(page: Chromium, studio: Served) -> None:
    assert page.ask("location.href") == f"{studio.origin}/"
    assert page.ask("sessionStorage.getItem('phosphene-token')") == studio.lock.token


def test_keys_reach_the_log(page: Chromium, session: Written) -> None:
    page.press("ArrowRight")
    page.press("ArrowRight")
    chosen = page.wait("document.querySelector('.tile[aria-selected=true]')?.dataset.id")
    page.press("l")
    assert said(session, "like")[0]["id"] == chosen
    page.wait("document.querySelector('.tile[aria-selected=true] .signs svg')")
    page.press("p")
    assert said(session, "pin")[0]["id"] == chosen
    page.press("b")
    page.press("ArrowRight")
    page.press("b")
    first, second = said(session, "blend")[0]["ids"]
    assert first == chosen != second
    page.press("e")
    page.ask("document.querySelector('#edit textarea').value = 'two kites'")
    page.press("Enter")
    assert said(session, "prompt")[0]["prompt"] == "two kites"
    page.press("h")
    gone = said(session, "hide")[0]["id"]
    page.wait(f"!document.querySelector('.tile[data-id=\"{gone}\"]')")
    assert page.errors == []


def test_a_click_shows_recipe_and_lineage(page: Chromium, session: Written) -> None:
    page.click(".tile[data-id='0001-03']")
    page.wait("document.querySelector('.recipe pre')?.textContent.includes('0001-03')")
    assert page.ask("document.querySelector('.prompt mark').textContent") == "red"
    shown = page.ask("[...document.querySelectorAll('.tree button')].map((b) => b.ariaLabel)")
    assert any("0000-03" in label for label in shown)
    page.click(".tree button:not(.here)")
    page.wait("document.querySelector('.head small').textContent === '0000-03'")


def test_new_items_come_by_themselves(page: Chromium, session: Written) -> None:
    session.round(4)
    page.wait("document.querySelector('[data-id=\"0002-03\"]')", 10)
    assert "28 items" in page.ask("document.body.innerText")


def test_tiles_do_not_move_under_the_pointer(page: Chromium, session: Written) -> None:
    page.click(".tile[data-id='0001-07']")
    where = "document.querySelector('[data-id=\"0001-07\"]').getBoundingClientRect().x"
    before = page.ask(where)
    session.round(5)
    page.wait("!document.querySelector('#fresh').hidden", 10)
    assert page.ask(where) == before
    page.click("#fresh")
    page.wait("document.querySelector('[data-id=\"0002-04\"]')")


def test_filters_narrow_grid_and_count(page: Chromium) -> None:
    page.ask("document.querySelector('[name=operator]').value = 'pcn'")
    page.ask("document.querySelector('#filters').dispatchEvent(new Event('input'))")
    page.wait(f"{TILES} === 8")
    assert page.ask("document.querySelector('#count').textContent") == "8 of 24"
    page.click("[type=reset]")
    page.wait(f"{TILES} === 24")


def test_phone_width_has_tabs_and_nothing_sticks_out(page: Chromium) -> None:
    page.resize(375, 800)
    for name in ("map", "time", "details", "grid"):
        page.click(f"#tabs [data-tab={name}]")
        page.wait(f"document.querySelector('#{name}-pane').offsetWidth > 300")
        assert page.ask("document.documentElement.scrollWidth") <= 375
        panes = "[...document.querySelectorAll('.pane')].filter((p) => p.offsetWidth).length"
        assert page.ask(panes) == 1
    page.click(".tile")
    page.wait("document.body.dataset.tab === 'details'")


def test_without_the_token_nothing_is_said(
    page: Chromium, session: Written, studio: Served
) -> None:
    page.ask("sessionStorage.clear()")
    page.open("about:blank")
    page.open(studio.origin)
    page.wait(f"{TILES} > 5")
    page.press("ArrowRight")
    page.press("l")
    page.wait("document.querySelector('#toast.wrong')")
    assert not [e for e in session.events() if e["kind"] == "like"]


def test_another_page_cannot_read_frame_or_steer(
    page: Chromium, session: Written, studio: Served
) -> None:
    # An opaque origin, as any other site is foreign.
    page.open("data:text/html,<p>elsewhere")
    act = f"{studio.origin}/api/act"
    tries = f"""Promise.all([
      fetch("{studio.origin}/api/state").then((r) => r.text()).catch(() => "kept"),
      fetch("{act}", {{ method: "POST", mode: "no-cors", body: '{{"kind":"stop","by":"x"}}' }}).catch(() => 0),
      new Promise((done) => {{
        const image = new Image();
        image.onload = () => done("seen");
        image.onerror = () => done("kept");
        image.src = "{studio.origin}/icon.svg";
      }}),
    ])"""  # noqa: E501
    state, _, image = page.ask(tries)
    assert (state, image) == ("kept", "kept")
    assert not [e for e in session.events() if e["kind"] == "stop"]


def test_markup_in_a_prompt_is_only_text(tmp_path: Path) -> None:
    session = Written(tmp_path / "session")
    evil = "<img src=x onerror='window.broken=1'><script>window.broken=1</script>"
    genome = {"prompt": evil, "atoms": {"a": "<img src=x onerror='window.broken=1'>", "b": 3}}
    session.round(6, genome=genome, operator="<b>bold</b>")
    with served(session.root) as studio, Chromium(tmp_path / "profile") as page:
        page.open(f"{studio.origin}/#token={studio.lock.token}")
        page.wait(f"{TILES} === 6")
        page.click(".tile")
        page.wait("document.querySelector('.prompt')?.textContent.includes('onerror')")
        assert page.ask("window.broken ?? 0") == 0
        assert page.ask("document.querySelectorAll('b b, .prompt img').length") == 0
        assert page.errors == []


def test_ten_thousand_items_are_quick(tmp_path: Path) -> None:
    session = Written(tmp_path / "session", width=16)
    made = session.made("0000-00")
    lines = []
    for n in range(100):
        ids = [f"{n:04d}-{i:02d}" for i in range(100)]
        asked = [{"id": i, "genome": {"prompt": "a ball"}, "operator": "fresh"} for i in ids]
        lines.append({"kind": "asked", "round": n, "heard": 0, "proposals": asked})
        for k, id in enumerate(ids):
            vectors = session.made(id)["vectors"] if k % 10 == 0 else made["vectors"]
            lines.append({**made, "id": id, "vectors": vectors})
        told = {"quality": {i: k / 100 for k, i in enumerate(ids)}, "calls": 800 * (n + 1)}
        lines.append({"kind": "told", "round": n, **told})
    session.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with served(session.root) as studio, Chromium(tmp_path / "profile") as page:
        begun = time.monotonic()
        page.open(f"{studio.origin}/#token={studio.lock.token}")
        page.wait(f"{TILES} > 5")
        assert time.monotonic() - begun < 5
        assert page.ask(TILES) < 150
        page.ask("document.querySelector('#grid').scrollTop = 1e9")
        page.wait("document.querySelector('[data-id=\"0000-00\"]')")
        frames = """new Promise((done) => {
          const times = [];
          const zoom = () => {
            document.querySelector('[data-zoom="1.6"]').click();
            times.push(performance.now());
            if (times.length < 12) requestAnimationFrame(zoom);
            else done((times.at(-1) - times[0]) / 11);
          };
          zoom();
        })"""
        assert page.ask(frames) < 250  # milliseconds a frame, painted by the processor alone
