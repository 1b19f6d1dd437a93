"""Conformance of every task, and of the core that they share."""

from fractions import Fraction

import numpy as np
import pytest

from phosphene.certificates import _code, certificate, digest_of, files_of
from phosphene.certify import certify
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.task import Canvas, tasks
from phosphene.testing.check_task import check_task
from phosphene.trace import Reading, Trace
from phosphene.verdict import Verdict

RUNGS = [
    pytest.param(name, rung, id=f"{name}-{rung}")
    for name in tasks.names()
    for rung in sorted({0, len(tasks.get(name).LADDER) - 1})
]


@pytest.mark.parametrize(("name", "rung"), RUNGS)
def test_conformance(name, rung):
    kind = tasks.get(name)
    check_task(kind(**kind.LADDER[rung]))


@pytest.mark.parametrize("name", tasks.names())
def test_other_canvases(name):
    task = tasks.get(name)()
    for canvas in (Canvas(160), Canvas(96, 25, 24, 48000), Canvas(64, 16, Fraction(24000, 1001))):
        problem = task.sample(5)
        verdict = task.score(problem, task.solve(problem, canvas), canvas=canvas)
        assert verdict.passed, (canvas, verdict)


@pytest.mark.parametrize("name", tasks.names())
def test_committed_certificate_holds_and_speaks_of_this_code(name):
    found = certificate(name)
    assert found is not None, f"make it: phosphene certify {name} --out evals/certificates"
    assert not found["stale"], f"make it anew: phosphene certify {name} --out evals/certificates"
    assert not found["faults"]
    assert found["seeds"] >= 100


@pytest.mark.parametrize("name", tasks.names())
def test_certificate_on_a_sample(name):
    """The certificate's first problems once more, with every mutant."""
    kind = tasks.get(name)
    found = certify(kind, seeds=3)
    assert found.oracle.share == 1
    # Of three, one may be right by luck: another problem may have the same answer.
    assert all(i.share * i.n <= 1 for i in found.nulls.values()), found.nulls


def test_a_task_that_accepts_everything_gets_no_certificate():
    kind = tasks.get("symmetry")

    class Gullible(kind):
        def judge(self, problem, trace, protocol="last"):
            return Verdict("passed")

    faults = certify(Gullible, seeds=4).faults()
    assert len(faults) >= 10
    with pytest.raises(AssertionError, match="static"):
        check_task(Gullible())


def test_a_task_that_rejects_everything_gets_no_certificate():
    kind = tasks.get("symmetry")

    class Sullen(kind):
        def judge(self, problem, trace, protocol="last"):
            return Verdict("failed")

    assert [f for f in certify(Sullen, seeds=4).faults() if f.startswith("oracle")]
    with pytest.raises(AssertionError, match="does not"):
        check_task(Sullen())


def test_digest_follows_readers_and_drawing_but_not_words(tmp_path):
    def said(text):
        path = tmp_path / f"{len(text)}.py"
        path.write_text(text)
        return _code(path, path.stat().st_mtime_ns)

    plain = "def f(x):\n    return x > 0.5\n"
    assert said('def f(x):\n    """Words."""\n    # why\n    return (x > 0.5)\n') == said(plain)
    assert said("def f(x):\n    return x > 0.25\n") != said(plain)
    assert digest_of(tasks.get("symmetry")) != digest_of(tasks.get("maze"))
    files = {p.name for p in files_of(tasks.get("symmetry"))}
    assert {"symmetry.py", "task.py", "scene.py", "cells.py", "draw.py", "trace.py"} <= files


def _trace(*answers):
    readings = {k: Reading(a) for k, a in enumerate(answers)}
    return Trace(len(answers), readings, (0.0,) * len(answers))


def test_blind_protocols_choose_frames_without_knowing_the_truth():
    trace = _trace(None, "a", "b", "b", "b", "c")
    assert trace.frame("last") == 5
    assert trace.frame("first-stable") == 2
    assert trace.frame("majority") == 4
    assert _trace(None, None).frame("majority") == 1
    assert _trace(None, "x", "y").frame("first-stable") == 2
    assert _trace("a", "a", "b", "b").frame("majority") == 3
    with pytest.raises(ValueError, match="no blind"):
        trace.frame("best")


def test_best_is_an_oracle_that_finds_an_answer_shown_and_then_erased():
    task = tasks.get("symmetry")(variety=0.0)
    problem = task.sample(1)
    clip = task.solve(problem, Canvas())
    assert clip.frames is not None
    erased = Clip(np.concatenate([clip.frames, clip.frames[:1]]), clip.fps)
    assert task.score(problem, erased, "best").passed
    assert not task.score(problem, erased, "last").passed


def test_unjudgeable_clips_are_unreadable_not_errors():
    task = tasks.get("symmetry")()
    problem = task.sample(0)
    silent = Clip(None, audio=np.zeros((1, 800), np.float32), rate=8000)
    oblong = Clip(np.zeros((3, 64, 96, 3), np.uint8))
    tiny = Clip(np.zeros((3, 8, 8, 3), np.uint8))
    for clip in (silent, oblong, tiny):
        verdict = task.score(problem, clip)
        assert verdict.headline == "unreadable"
        assert verdict.reason


def test_headline_is_the_conjunction():
    assert Verdict("passed", givens="failed", process="unreadable").headline == "failed"
    assert Verdict("passed", sound="unreadable").headline == "unreadable"
    assert Verdict("passed", givens="passed").passed
    assert not Verdict("passed", sound="failed").passed


def test_unknown_task_offers_near_names():
    with pytest.raises(PhospheneError, match="did you mean maze"):
        tasks.get("mase")
