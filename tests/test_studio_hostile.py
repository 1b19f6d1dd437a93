"""The Studio against other pages, other people's sessions and broken requests."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from studio_session import POSTER, Served, Written, served

from phosphene.studio.acts import LARGEST, LONGEST, act
from phosphene.studio.feed import MOST
from phosphene.studio.security import Lock
from phosphene.studio.state import State

LIKE = {"kind": "like", "id": "0000-00", "by": "ann"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    session = Written(tmp_path_factory.mktemp("hostile") / "session")
    session.round(8)
    with served(session.root) as running:
        yield running


def raw(studio: Served, request: bytes) -> bytes:
    """What comes back for exactly these bytes."""
    with socket.create_connection(("127.0.0.1", studio.lock.port), timeout=10) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        out = b""
        while part := sock.recv(65536):
            out += part
    return out


def get(studio: Served, path: str) -> bytes:
    host = f"127.0.0.1:{studio.lock.port}"
    return raw(studio, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil:{port}",
     "127.0.0.1:{port}.evil", "127.0.0.2:{port}", "", "0.0.0.0:{port}", "user@127.0.0.1:{port}"],
)  # fmt: skip
def test_foreign_hosts_are_refused(studio: Served, host: str) -> None:
    for path in ("/", "/api/state", "/api/events"):
        status, _, body = studio.ask(path, headers={"Host": host.format(port=studio.lock.port)})
        assert status == 421
        assert b"ember" not in body


def test_two_hosts_and_no_host_are_refused(studio: Served) -> None:
    host = f"Host: 127.0.0.1:{studio.lock.port}\r\n"
    twice = raw(studio, f"GET / HTTP/1.1\r\n{host}Host: evil\r\n\r\n".encode())
    none = raw(studio, b"GET / HTTP/1.0\r\n\r\n")
    assert b" 200 " not in twice.split(b"\r\n")[0]
    assert b" 421 " in none.split(b"\r\n")[0]


def test_the_page_itself_may_call_by_each_loopback_name(studio: Served) -> None:
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        host = f"{name}:{studio.lock.port}"
        assert studio.ask("/api/state", headers={"Host": host})[0] == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1", "",
     "http://127.0.0.1:{port}.evil.example", "http://127.0.0.1:{port}/", "file://"],
)  # fmt: skip
def test_foreign_origins_change_and_read_nothing(studio: Served, origin: str) -> None:
    before = studio.studio.state.line
    origin = origin.format(port=studio.lock.port)
    assert studio.say(LIKE, Origin=origin)[0] == 403
    assert studio.ask("/api/state", headers={"Origin": origin})[0] == 403
    studio.studio.state.refresh()
    assert studio.studio.state.line == before


@pytest.mark.parametrize("token", ["", "x", "é", "undefined", "null"])
def test_a_wrong_token_changes_nothing(studio: Served, token: str) -> None:
    before = studio.studio.state.line
    assert studio.say(LIKE, X_Phosphene_Token=token)[0] == 403
    studio.studio.state.refresh()
    assert studio.studio.state.line == before


def test_a_form_of_another_page_changes_nothing(studio: Served) -> None:
    body = json.dumps(LIKE).encode()
    plain = {"Content-Type": "text/plain"}
    assert studio.ask("/api/act", "POST", body, plain)[0] == 403
    assert studio.ask("/api/act", "POST", body, plain | {"Origin": studio.origin})[0] == 403
    assert studio.say(LIKE, Content_Type="text/plain")[0] == 415
    assert studio.ask(f"/api/act?token={studio.lock.token}", "POST", body)[0] == 403


def test_a_change_from_nowhere_is_refused(studio: Served) -> None:
    headers = {"Content-Type": "application/json", "X-Phosphene-Token": studio.lock.token}
    body = json.dumps(LIKE).encode()
    assert studio.ask("/api/act", "POST", body, headers)[0] == 403
    assert studio.ask("/api/act", "POST", body, {**headers, "Origin": studio.origin})[0] == 200


def test_every_method_that_changes_wants_the_token(studio: Served) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
        status, headers, _ = studio.ask("/api/act", method, b"{}", {"Origin": studio.origin})
        assert status == 403
        assert "access-control-allow-origin" not in headers
    assert studio.ask("/api/act")[0] == 405


def test_the_token_is_long_random_and_told_to_nobody(studio: Served) -> None:
    assert len(studio.lock.token) >= 32
    assert Lock(1).token != Lock(1).token
    assert studio.lock.token not in repr(studio.lock)
    for path in ("/", "/studio.js", "/api/state", "/nothing"):
        _, headers, body = studio.ask(path)
        assert studio.lock.token not in str(headers) + body.decode()


@pytest.mark.parametrize("path", ["/", "/api/state", "/studio.js", "/nothing", "/media/aa/x"])
def test_every_answer_keeps_other_pages_out(studio: Served, path: str) -> None:
    _, headers, _ = studio.ask(path)
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


ESCAPES = [
    "/media/../session.json", "/media/%2e%2e/session.json", "/media/..%2f..%2fsession.json",
    "/media/ab/..%2f..%2fsession.json", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
    "//etc/passwd", "/media//etc/passwd", "/media/ab/%00.png", "/page/../server.py",
    "/..%2fserver.py", "/server.py", "/__init__.py", "/media/ab/" + "a" * 5000,
    "/media/AB/" + "AB" + "0" * 62 + ".png", "/media/ab/" + "cd" + "0" * 62 + ".png",
    "/media/ab/" + "ab" + "0" * 62 + ".html", "/media/ab/" + "ab" + "0" * 62 + ".png%0a",
    "/media/ab%2f" + "ab" + "0" * 62 + ".png", "/events.jsonl", "/.lock", "/session.json",
    "/api/item/..%2f..%2fsession.json", "/api/item/" + "9" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_leads_out(studio: Served, path: str) -> None:
    answer = get(studio, path)
    assert answer.split(b"\r\n")[0].split(b" ")[1] in (b"400", b"404")
    for secret in (b"root:", b'"schema"', b"from __future__", b'"kind"'):
        assert secret not in answer


def test_links_inside_the_session_lead_nowhere(studio: Served, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    root = studio.studio.root
    name = "cd" + "0" * 62 + ".png"
    (root / "media/cd").mkdir(parents=True)
    (root / "media/cd" / name).symlink_to(secret)
    (root / "media/ef").symlink_to(tmp_path)
    (tmp_path / ("ef" + "0" * 62 + ".png")).write_bytes(b"secret")
    (root / "media/cd" / ("cd" + "1" * 62 + ".png")).mkdir()
    for path in (f"/media/cd/{name}", f"/media/ef/ef{'0' * 62}.png", f"/media/cd/cd{'1' * 62}.png"):
        assert studio.ask(path)[0] == 404


def test_a_session_reached_through_a_link_is_served(tmp_path: Path) -> None:
    session = Written(tmp_path / "session")
    session.round(4)
    (tmp_path / "link").symlink_to(session.root)
    with served(tmp_path / "link") as studio:
        poster = json.loads(studio.ask("/api/state")[2])["rows"][0]["poster"]
        assert studio.ask(f"/{poster}")[2] == POSTER


BAD_ACTS = [
    b"", b"{", b"null", b"[]", b'"like"', b"\xff\xfe", b"[" * 10_000, b"1" * 9_000,
    {}, {"kind": "asked", "by": "ann"}, {"kind": "made", "id": "0000-00", "by": "ann"},
    {"kind": ["like"], "id": "0000-00", "by": "ann"}, {"kind": "like", "id": "0000-00"},
    {**LIKE, "id": "0099-00"}, {**LIKE, "id": None}, {**LIKE, "id": ["0000-00"]},
    {**LIKE, "id": {}}, {**LIKE, "more": 1}, {**LIKE, "time": 5}, {**LIKE, "by": ""},
    {**LIKE, "by": "Ann"}, {**LIKE, "by": "a" * 33}, {**LIKE, "by": 5}, {**LIKE, "by": "a\n"},
    {"kind": "blend", "by": "ann", "ids": ["0000-00"]},
    {"kind": "blend", "by": "ann", "ids": ["0000-00", "0000-00"]},
    {"kind": "blend", "by": "ann", "ids": "0000-00"},
    {"kind": "blend", "by": "ann", "ids": ["0000-00", "0000-01", "0000-02"]},
    {"kind": "prefer", "by": "ann", "id": "0000-00", "over": "0000-00"},
    {"kind": "prefer", "by": "ann", "id": "0000-00", "over": "9999-00"},
    {"kind": "prompt", "by": "ann", "id": "0000-00", "prompt": ""},
    {"kind": "prompt", "by": "ann", "id": "0000-00", "prompt": " \n "},
    {"kind": "prompt", "by": "ann", "id": "0000-00", "prompt": ["a"]},
    {"kind": "prompt", "by": "ann", "id": "0000-00", "prompt": "a\x00b"},
    {"kind": "prompt", "by": "ann", "id": "0000-00", "prompt": "a\ud800b"},
    {"kind": "prompt", "by": "ann", "id": "0000-00", "prompt": "x" * (LONGEST + 1)},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_ACTS, ids=lambda b: str(b)[:40])
def test_bad_acts_are_refused_and_not_written(studio: Served, bad: object) -> None:
    log = studio.studio.root / "events.jsonl"
    before = log.read_bytes()
    status, answer = studio.say(bad)
    assert status == 400
    assert answer["error"]
    assert log.read_bytes() == before


def test_long_bodies_are_cut_off(studio: Served) -> None:
    log = studio.studio.root / "events.jsonl"
    before = log.read_bytes()
    padded = json.dumps(LIKE).encode() + b" " * LARGEST
    assert studio.say(padded)[0] == 413
    assert log.read_bytes() == before


def test_a_body_that_never_ends_is_answered(studio: Served) -> None:
    head = (
        f"POST /api/act HTTP/1.1\r\nHost: 127.0.0.1:{studio.lock.port}\r\n"
        f"Origin: {studio.origin}\r\nX-Phosphene-Token: {studio.lock.token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", studio.lock.port), timeout=10) as sock:
        sock.sendall(head)
        try:
            for _ in range(64):
                sock.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return
        assert b" 413 " in sock.recv(65536).split(b"\r\n")[0]


def test_a_prompt_cannot_forge_a_line_of_the_log() -> None:
    forged = 'x"}\n{"kind":"stop"}'
    said = act(
        json.dumps({"kind": "prompt", "by": "ann", "id": "a", "prompt": forged}).encode(), {"a"}
    )
    assert "\n" not in said["prompt"]
    assert "\n" not in json.dumps(said)


@pytest.mark.parametrize("since", ["-1", "x", "1e9", "9" * 40, "1 OR 1", "%D9%A3"])
def test_bad_lines_to_listen_from_are_refused(studio: Served, since: str) -> None:
    assert studio.ask(f"/api/events?since={since.replace(' ', '+')}")[0] == 400


def test_no_more_pages_listen_than_there_is_room_for(studio: Served) -> None:
    ask = f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{studio.lock.port}\r\n\r\n".encode()
    held = []
    for _ in range(MOST):
        sock = socket.create_connection(("127.0.0.1", studio.lock.port), timeout=10)
        sock.sendall(ask)
        assert b" 200 " in sock.recv(200)
        held.append(sock)
    assert studio.ask("/api/events")[0] == 503
    assert studio.say(LIKE)[0] == 200
    for sock in held:
        sock.close()


def test_noise_instead_of_requests_is_survived(studio: Served) -> None:
    for noise in (b"\x00" * 100, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00" * 50):
        raw(studio, noise)
    long = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{studio.lock.port}\r\nX: {'y' * 200_000}\r\n\r\n"
    with contextlib.suppress(ConnectionError):
        assert b" 200 " not in raw(studio, long.encode()).split(b"\r\n")[0]
    assert studio.ask("/")[0] == 200


def test_a_session_by_somebody_else_cannot_point_elsewhere(tmp_path: Path) -> None:
    session = Written(tmp_path / "session")
    session.round(4)
    genome = {"prompt": "<img src=x onerror=alert(1)>", "atoms": {"a": 1}}
    asked = [
        {"id": f"0001-{i:02d}", "genome": genome, "operator": "<b>", "parents": ["../x", "0000-01"]}
        for i in range(6)
    ]
    asked.append({"id": "../../x", "genome": genome, "operator": "pcn"})
    session.add({"kind": "asked", "round": 1, "heard": 0, "proposals": asked})
    places = [
        "https://evil.example/a.png", "../../../etc/passwd", "media/ab/../../session.json",
        "javascript:alert(1)", "//evil.example/a.png", "media/ab/" + "cd" + "0" * 62 + ".png",
    ]  # fmt: skip
    for i, place in enumerate(places):
        made = session.made(f"0001-{i:02d}")
        session.add({**made, "media": place, "poster": place})
    session.add({**session.made("../../x")})
    session.add({"kind": "told", "round": 1, "calls": 1, "quality": {"0001-00": float("nan")}})
    session.add({"kind": "told", "round": 2, "calls": 1, "quality": {"0001-01": 1e999}})
    session.add({"kind": "like", "id": ["0000-00"], "by": {}})
    state = State(session.root)
    state.refresh()
    rows = {row["id"]: row for row in state.since(0)["rows"]}
    assert len(rows) == 10
    for i in range(6):
        row = rows[f"0001-{i:02d}"]
        assert "media" not in row
        assert "poster" not in row
        assert row["parents"] == ("0000-01",)
        assert "quality" not in row
    # A page can read it: no NaN, which is no JSON.
    json.loads(json.dumps(state.since(0), allow_nan=False))
