"""The Studio: what the page is told is what the log says, while it grows."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from studio_session import POSTER, Served, Written, served

from phosphene.errors import PhospheneError
from phosphene.progress import Event
from phosphene.studio.charting import Chart, Coverage
from phosphene.studio.descriptors import Descriptors
from phosphene.studio.server import Studio, listening
from phosphene.studio.state import State


@pytest.fixture
def session(tmp_path: Path) -> Written:
    written = Written(tmp_path / "session")
    written.round(16)
    return written


def state_of(session: Written) -> State:
    state = State(session.root)
    state.refresh()
    return state


def rows_of(change: dict) -> dict[str, dict]:
    return {row["id"]: row for row in change["rows"]}


def descriptors(rows: np.ndarray) -> Descriptors:
    out = Descriptors()
    for row in rows:
        out.add({"one": base64.b64encode(row.astype("<f2").tobytes()).decode()})
    return out


def test_rows_say_what_the_log_says(session: Written) -> None:
    session.round(4)
    change = state_of(session).since(0)
    rows = rows_of(change)
    assert list(rows) == session.ids
    told = next(e for e in session.events() if e["kind"] == "told" and e["round"] == 1)
    row = rows["0001-02"]
    assert row["quality"] == told["quality"]["0001-02"]
    assert row["parents"] == ("0000-02",)
    assert row["operator"] == "pcn"
    assert row["spent"] == 8 * 19
    assert row["admitted"]
    assert {"x", "y"} <= row.keys()
    assert [r["calls"] for r in change["told"]] == [128, 160]
    assert change["spent"] == 160


def test_a_growing_log_and_a_finished_one_give_the_same(session: Written, tmp_path: Path) -> None:
    slow = State(session.root)
    slow.refresh()
    for _ in range(2):
        session.round(5)
        slow.refresh()
    session.add({"kind": "like", "id": "0001-01", "by": "ann"})
    slow.refresh()
    quick = state_of(session)
    names = ("x", "y")
    strip = [{k: v for k, v in row.items() if k not in names} for row in slow.since(0)["rows"]]
    whole = [{k: v for k, v in row.items() if k not in names} for row in quick.since(0)["rows"]]
    assert strip == whole
    assert slow.since(0)["told"] == quick.since(0)["told"]


def test_since_tells_only_what_changed(session: Written) -> None:
    state = state_of(session)
    line = state.line
    assert state.since(line)["rows"] == []
    session.add({"kind": "like", "id": "0000-03", "by": "ann"})
    state.refresh()
    change = state.since(line)
    assert list(rows_of(change)) == ["0000-03"]
    assert change["told"] == []


def test_changes_added_up_are_the_whole(session: Written) -> None:
    state = state_of(session)
    seen = rows_of(state.since(0))
    line = state.line
    for step in range(6):
        session.round(6)
        session.add({"kind": "pin", "id": f"0000-{step:02d}", "by": "ann"})
        state.refresh()
        seen |= rows_of(change := state.since(line))
        line = change["line"]
    assert seen == rows_of(state.since(0))


def test_opinions_are_each_persons_latest(session: Written) -> None:
    for kind, by in (("like", "ann"), ("dislike", "ann"), ("like", "bob"), ("pin", "bob")):
        session.add({"kind": kind, "id": "0000-00", "by": by})
    session.add({"kind": "hide", "id": "0000-01", "by": "ann"})
    session.add({"kind": "pin", "id": "0000-02", "by": "ann"})
    session.add({"kind": "unpin", "id": "0000-02", "by": "ann"})
    rows = rows_of(state_of(session).since(0))
    assert rows["0000-00"]["opinions"] == {"ann": -1, "bob": 1}
    assert rows["0000-00"]["pinned"]
    assert rows["0000-01"]["hidden"]
    assert "pinned" not in rows["0000-02"]


def test_wishes_wait_until_they_are_heard(session: Written) -> None:
    session.add({"kind": "like", "id": "0000-00", "by": "ann"})
    session.add({"kind": "more", "id": "0000-00", "by": "ann"})
    state = state_of(session)
    assert state.since(0)["waiting"] == 1
    session.round(4, heard=2)
    state.refresh()
    assert state.since(0)["waiting"] == 0


def test_previews_and_failures_are_counted_and_not_shown(session: Written) -> None:
    session.round(3, stop=2)
    session.add(
        {"kind": "asked", "round": 2, "heard": 0, "proposals": [
            {"id": "0002-00", "genome": {"prompt": "x"}, "operator": "fresh"}]}
    )  # fmt: skip
    session.add({"kind": "made", "id": "0002-00", "calls": 8, "failed": "out of memory"})
    change = state_of(session).since(0)
    assert len(change["rows"]) == 16
    assert change["previews"] == 3
    assert change["failed"] == 1


def test_what_was_made_twice_counts_once(session: Written) -> None:
    session.add(session.made("0000-00"))
    assert state_of(session).since(0)["spent"] == 128


def test_damaged_lines_are_passed_over(session: Written) -> None:
    with session.log.open("ab") as file:
        file.write(b'\xff\xfe\n{"kind":"made"}\n[]\nnull\n{"kind":"like"}\n{"kind":"told"}\n')
    session.round(2)
    with session.log.open("ab") as file:
        file.write(b'{"kind":"like","id":"0000-00","by":"a')  # its writer is still at it
    state = state_of(session)
    assert len(state.items) == 18
    assert not state.items["0000-00"].opinions


def test_no_session_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(PhospheneError, match="no session"):
        Studio(tmp_path)
    (tmp_path / "session.json").write_text('{"schema": 99}')
    with pytest.raises(PhospheneError, match="schema 99"):
        Studio(tmp_path)


def test_the_map_finds_the_directions_of_most_spread() -> None:
    rng = np.random.default_rng(0)
    # Two strong directions at right angles to a common offset, and faint noise elsewhere.
    hidden = rng.normal(size=(80, 2)) * [1.0, 0.5]
    rows = np.zeros((80, 20))
    rows[:, 3:5], rows[:, 10] = hidden, 8
    rows += 0.01 * rng.normal(size=rows.shape)
    away = hidden - hidden.mean(0)
    chart = Chart(descriptors(rows))
    chart.update()
    # Descriptors are of unit length, so that directions count: compare with those.
    unit = away / np.linalg.norm(away, axis=1, keepdims=True)
    left, values, right = np.linalg.svd((unit - unit.mean(0)).T @ chart.places)
    fitted = (unit - unit.mean(0)) @ left @ right * values.sum() / (unit**2).sum()
    assert np.corrcoef(fitted.ravel(), chart.places.ravel())[0, 1] > 0.95


def test_the_map_does_not_flip_as_it_grows() -> None:
    rng = np.random.default_rng(1)
    spread = np.linspace(2, 0.1, 30)
    rows = rng.normal(size=(400, 30)) * spread
    kept = descriptors(rows[:60])
    chart = Chart(kept)
    chart.update()
    before = chart.places.copy()
    for row in rows[60:]:
        kept.add({"one": base64.b64encode(row.astype("<f2").tobytes()).decode()})
    assert chart.update()
    after = chart.places[:60]
    for axis in (0, 1):
        assert np.corrcoef(before[:, axis], after[:, axis])[0, 1] > 0.6
    assert chart.drawing == 2


def test_new_items_are_placed_without_moving_the_others() -> None:
    rng = np.random.default_rng(2)
    kept = descriptors(rng.normal(size=(50, 12)))
    chart = Chart(kept)
    chart.update()
    before = chart.places.copy()
    kept.add({"one": base64.b64encode(rng.normal(size=12).astype("<f2").tobytes()).decode()})
    assert not chart.update()
    assert np.array_equal(chart.places[:50], before)
    assert len(chart.places) == 51


def test_identical_items_share_a_place() -> None:
    chart = Chart(descriptors(np.ones((9, 5))))
    chart.update()
    assert np.allclose(chart.places, chart.places[0])
    assert np.isfinite(chart.places).all()


def test_coverage_counts_cells_once() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(300, 10))
    kept = descriptors(rows)
    coverage = Coverage(kept, range(40))
    first, again, more = coverage.take([range(40), range(40), range(300)])
    assert 0 < first <= 40 / 256
    assert again == first
    assert first < more <= 1


def test_vectors_that_cannot_be_read_have_no_place() -> None:
    kept = descriptors(np.ones((2, 4)))
    assert kept.add({"one": "%%%"}) is None
    assert kept.add({"one": ""}) is None
    assert kept.add({}) is None
    nan = np.full(4, np.nan, "<f2")
    assert kept.add({"one": base64.b64encode(nan.tobytes()).decode()}) is None
    assert len(kept) == 2


def test_the_page_and_its_parts_are_served(session: Written) -> None:
    with served(session.root) as studio:
        status, headers, body = studio.ask("/")
        assert status == 200
        assert headers["content-type"].startswith("text/html")
        for name in {*body.decode().split('"')} & {"studio.js", "studio.css", "panes.css"}:
            assert studio.ask(f"/{name}")[0] == 200
        status, headers, body = studio.ask("/api/state")
        assert headers["cache-control"] == "no-store"
        whole = json.loads(body)
        assert whole["session"]["backbone"] == "ember"
        assert len(whole["rows"]) == 16
        assert b"vectors" not in body
        poster = whole["rows"][0]["poster"]
        status, headers, body = studio.ask(f"/{poster}")
        assert (status, headers["content-type"], body) == (200, "image/png", POSTER)
        found = json.loads(studio.ask("/api/item/0000-01")[2])
        assert found["recipe"]["genome"]["atoms"] == {"colour": "red"}
        assert found["scores"] == {"sharpness": 1.5, "coherence": None}


def test_a_range_of_a_clip_is_served(session: Written) -> None:
    name = "media/ab/" + "ab" + "0" * 62 + ".mp4"
    (session.root / "media/ab").mkdir(parents=True)
    (session.root / name).write_bytes(bytes(range(100)))
    with served(session.root) as studio:
        status, headers, body = studio.ask(f"/{name}", headers={"Range": "bytes=10-19"})
        assert (status, body) == (206, bytes(range(10, 20)))
        assert headers["content-range"] == "bytes 10-19/100"
        assert headers["content-type"] == "video/mp4"
        assert studio.ask(f"/{name}", headers={"Range": "bytes=500-600"})[0] == 416


def test_every_act_reaches_the_log(session: Written) -> None:
    one = {"by": "ann", "id": "0000-01"}
    said = [{"kind": k, **one} for k in ("like", "dislike", "pin", "unpin", "hide", "more", "away")]
    said += [
        {"kind": "prefer", **one, "over": "0000-02"},
        {"kind": "blend", "by": "ann", "ids": ["0000-01", "0000-02"]},
        {"kind": "prompt", **one, "prompt": "  two   green\nkites "},
        {"kind": "stop", "by": "ann"},
    ]
    with served(session.root) as studio:
        for act in said:
            assert studio.say(act)[0] == 200
        assert json.loads(studio.ask("/api/state")[2])["stopped"]
    written = [{k: v for k, v in e.items() if k != "time"} for e in session.events()[-len(said) :]]
    said[-2]["prompt"] = "two green kites"
    assert written == said
    assert abs(session.events()[-1]["time"] - time.time()) < 60


def test_many_browsers_at_once_lose_nothing(session: Written) -> None:
    each, browsers = 25, 6

    def rate(studio: Served, name: str) -> None:
        for i in range(each):
            kind = "like" if i % 2 else "dislike"
            assert studio.say({"kind": kind, "id": f"0000-{i % 16:02d}", "by": name})[0] == 200

    with served(session.root) as studio:
        threads = [threading.Thread(target=rate, args=(studio, f"p{i}")) for i in range(browsers)]
        writer = threading.Thread(target=lambda: [session.round(2) for _ in range(10)])
        for thread in [*threads, writer]:
            thread.start()
        for thread in [*threads, writer]:
            thread.join()
        deadline = time.monotonic() + 10
        while len(studio.studio.state.items) < 36 and time.monotonic() < deadline:
            time.sleep(0.05)
        opinions = [item.opinions for item in studio.studio.state.items.values()]
    said = [e for e in session.events() if e["kind"] in ("like", "dislike")]
    assert len(said) == each * browsers
    for i in range(browsers):
        mine = [(e["id"], e["kind"]) for e in said if e["by"] == f"p{i}"]
        assert mine == [(f"0000-{n % 16:02d}", "like" if n % 2 else "dislike") for n in range(each)]
    assert sum(len(o) for o in opinions) == 16 * browsers


class Listener:
    """A page that listens."""

    def __init__(self, studio: Served, since: int, last: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", studio.lock.port), timeout=10)
        extra = f"Last-Event-ID: {last}\r\n" if last else ""
        host = f"127.0.0.1:{studio.lock.port}"
        ask = f"GET /api/events?since={since} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n"
        self.socket.sendall(ask.encode())
        self.file = self.socket.makefile("rb")

    def next(self) -> tuple[str, dict]:
        """The next event's id and data."""
        id = ""
        while line := self.file.readline():
            if line.startswith(b"id: "):
                id = line[4:].decode().strip()
            if line.startswith(b"data: "):
                return id, json.loads(line[6:])
        raise EOFError

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def test_news_is_pushed_and_a_lost_page_goes_on_where_it_was(session: Written) -> None:
    with served(session.root) as studio:
        line = studio.studio.state.line
        page = Listener(studio, line)
        assert page.next()[1]["rows"] == []
        studio.say({"kind": "like", "id": "0000-04", "by": "ann"})
        id, change = page.next()
        assert [row["id"] for row in change["rows"]] == ["0000-04"]
        page.close()
        session.round(3)
        studio.say({"kind": "pin", "id": "0000-05", "by": "ann"})
        again = Listener(studio, line, last=id)
        seen: set[str] = set()
        while not {"0001-02", "0000-05"} <= seen:
            seen |= {row["id"] for row in again.next()[1]["rows"]}
        assert "0000-04" not in seen
        again.close()


def test_the_explorer_runs_beside_the_page(session: Written) -> None:
    def explore(on_event) -> None:
        on_event(Event("planned", 16, 64, text="64 samples"))
        session.round(2)
        raise PhospheneError("the disk\nis full")

    with served(session.root, explore) as studio:
        deadline = time.monotonic() + 10
        while True:
            whole = json.loads(studio.ask("/api/state")[2])
            done = whole["explorer"]["state"] == "failed" and len(whole["rows"]) == 18
            if done or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        assert whole["explorer"] == {
            "state": "failed", "finished": 16, "total": 64, "doing": "planned",
            "text": "the disk is full",
        }  # fmt: skip
        assert len(whole["rows"]) == 18


def test_a_taken_port_is_said_in_one_line() -> None:
    with listening(0) as first:
        first.listen()
        with pytest.raises(PhospheneError, match="another --port"):
            listening(first.getsockname()[1])
    with pytest.raises(PhospheneError, match="another --port"):
        listening(70_000)


def test_ten_thousand_items_are_folded_in_seconds(tmp_path: Path) -> None:
    session = Written(tmp_path / "big", width=64)
    vector = session.made("0000-00")
    lines = []
    for n in range(100):
        ids = [f"{n:04d}-{i:02d}" for i in range(100)]
        genome = {"prompt": f"a ball number {n}"}
        asked = [{"id": id, "genome": genome, "operator": "fresh"} for id in ids]
        lines.append({"kind": "asked", "round": n, "heard": 0, "proposals": asked})
        lines += [{**vector, "id": id} for id in ids]
        told = {"quality": dict.fromkeys(ids, 0.5), "admitted": ids, "calls": 800 * (n + 1)}
        lines.append({"kind": "told", "round": n, **told})
    session.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    state = State(session.root)
    begun = time.process_time()
    state.refresh()
    whole = json.dumps(state.since(0))
    assert time.process_time() - begun < 4
    assert len(state.items) == 10_000
    assert len(whole) < 4_000_000
