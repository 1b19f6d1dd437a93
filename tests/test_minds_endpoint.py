"""An endpoint: what it sends, what it makes of answers, and how it takes trouble."""

from __future__ import annotations

import math

import pytest

from phosphene.errors import PhospheneError
from phosphene.minds.endpoint import Endpoint
from phosphene.minds.opening import open_mind
from phosphene.minds.speaker import Message
from phosphene.minds.speaking import open_speaker
from phosphene.testing.server import Script, serving

CHAT = (Message("system", "be brief"), Message("user", "soup?"))


def endpoint(base: str, **settings) -> tuple[Endpoint, list[float]]:
    waits: list[float] = []
    return Endpoint(base, "any", sleep=waits.append, **settings), waits


def test_it_says_the_turns_and_hears_the_reply() -> None:
    script = Script(lambda turns: f"{turns[-1]['content']} yes")
    with serving(script) as base:
        one, _ = endpoint(base)
        assert one.reply([CHAT, CHAT[1:]], limit=7, seed=3) == ["soup? yes", "soup? yes"]
    body = max(script.seen, key=lambda b: len(b["messages"]))
    assert body["messages"][0] == {"role": "system", "content": "be brief"}
    assert (body["model"], body["max_tokens"], body["seed"]) == ("any", 7, 3)
    assert "logprobs" not in body


def test_scores_are_summed_over_the_tokens_that_begin_an_option() -> None:
    told = {"accept": math.log(0.5), "acc": math.log(0.2), "decline": math.log(0.1), "I": -3.0}
    with serving(Script(lambda turns: "accept", lambda turns: told)) as base:
        one, _ = endpoint(base)
        assert one.scores
        found = one.score([CHAT], ["accept", "decline", "never"])[0]
    assert found[0] == pytest.approx(math.log(0.7))
    assert found[1] == pytest.approx(math.log(0.1))
    assert found[2] <= min(told.values())


def test_a_server_without_probabilities_is_refused_for_scores_only() -> None:
    with serving(lambda turns: "accept.") as base:
        one, _ = endpoint(base)
        assert not one.scores
        assert one.reply([CHAT]) == ["accept."]
        with pytest.raises(PhospheneError, match="tells no probabilities"):
            one.score([CHAT], ["accept"])


def test_trouble_that_passes_is_waited_out_longer_each_time() -> None:
    script = Script(lambda turns: "ok", troubles=(503, "cut", "garbage", 429))
    with serving(script) as base:
        one, waits = endpoint(base, wait=0.5)
        assert one.reply([CHAT]) == ["ok"]
    assert waits == [0.5, 1.0, 2.0, 4.0]
    assert len(script.seen) == 5


@pytest.mark.parametrize(
    ("script", "settings", "message", "requests"),
    [
        (
            Script(lambda t: "", troubles=[500] * 9),
            {"attempts": 3},
            "failed 3 times: status 500",
            3,
        ),
        (Script(lambda t: "", troubles=[400]), {}, r"refuses \(status 400\): not now", 1),
        (Script(lambda t: "", key="right"), {"key": "wrong"}, "set OPENAI_API_KEY", 1),
    ],
)
def test_trouble_that_stays_is_told_in_one_line(script, settings, message, requests) -> None:
    with serving(script) as base:
        one, _ = endpoint(base, **settings)
        with pytest.raises(PhospheneError, match=message) as told:
            one.reply([CHAT])
    assert "\n" not in str(told.value)
    assert len(script.seen) == requests


def test_the_key_comes_from_the_environment_and_never_shows(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    with serving(Script(lambda t: "ok", key="right")) as base:
        one, _ = endpoint(base)
        assert one.reply([CHAT]) == ["ok"]
        assert "right" not in repr(one) + one.id


def test_answers_keep_their_order_when_many_are_asked_at_once() -> None:
    with serving(lambda turns: turns[-1]["content"]) as base:
        one, _ = endpoint(base)
        said = [str(i) for i in range(40)]
        assert one.reply([(Message("user", text),) for text in said]) == said


def test_nobody_there() -> None:
    one, waits = endpoint("http://127.0.0.1:9/v1", attempts=2)
    with pytest.raises(PhospheneError, match="failed 2 times"):
        one.reply([CHAT])
    assert waits == [1.0]


def test_addresses() -> None:
    one = open_speaker("openai:http://localhost:8000/v1/#org/model-7b")
    assert isinstance(one, Endpoint)
    assert (one.base, one.model) == ("http://localhost:8000/v1", "org/model-7b")
    for wrong in ("openai:localhost:8000#m", "openai:http://localhost/v1", "openai:#m"):
        with pytest.raises(PhospheneError, match="HOST:PORT"):
            open_speaker(wrong)


def test_white_box_questions_are_refused() -> None:
    with pytest.raises(PhospheneError, match="is a server"):
        open_mind("openai:http://localhost:8000/v1#m")
