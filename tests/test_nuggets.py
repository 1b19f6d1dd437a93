"""Nuggets: one planted item that passes, and a mutant for every part of the rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.exploring.nuggets import Finds, judge, unlike

N = 60
IDS = [f"{i:04d}-00" for i in range(N)]
STAR = 7


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def finds(**changes):
    """A crowd around one point in two unlike embeddings, and one item far from it in both."""
    rng = np.random.default_rng(4)
    vectors = {}
    for name in ("form", "meaning"):
        rows = np.eye(1, 12) + 0.2 * rng.standard_normal((N, 12))
        rows[STAR] = np.eye(12)[5]
        vectors[name] = unit(rows)
    base = Finds(
        ids=IDS,
        vectors=vectors,
        quality=np.where(np.arange(N) == STAR, 0.9, rng.random(N)),
        digests=[f"digest {i}" for i in range(N)],
        descriptors=vectors["form"],
        typical=0.5,
        coherence=np.where(np.arange(N) == STAR, 0.8, rng.random(N) - 0.5),
        coherences=list(rng.random(20)),
    )
    return replace(base, **changes)


def at(values, value):
    out = np.array(values, float)
    out[STAR] = value
    return out


def again(found):
    return lambda id: (found.digests[IDS.index(id)], found.descriptors[IDS.index(id)])


def near(found, quality=0.9, apart=0.02):
    def children(id):
        vector = found.descriptors[IDS.index(id)]
        return [(unit(vector + apart * np.roll(vector, k)), quality) for k in (1, 2, 3)]

    return children


def rule(found, rerender=None, perturb=None):
    judged = judge(found, rerender or again(found), perturb or near(found))
    assert [j.id for j in judged] == IDS
    return judged


def failed(judgement):
    return [name for name, reason in judgement.reasons.items() if not reason.passed]


def test_the_planted_one_is_found_with_all_its_reasons():
    judged = rule(finds())
    star = judged[STAR]
    assert star.nugget
    assert set(star.reasons) == {
        "unlike embeddings", "new in form", "new in meaning", "good", "coherent", "repeats",
        "stays near", "stays good",
    }  # fmt: skip
    assert star.reasons["good"].value == 0.9
    assert star.reasons["good"].threshold == 0.5
    # Nothing that is common in one of the embeddings is one.
    others = [j for j in judged if j.nugget and j.id != IDS[STAR]]
    assert len(others) <= 3


def test_each_part_of_the_rule_can_fail_it():
    base = finds()
    common = base.vectors["meaning"].copy()
    common[STAR] = common[0]
    mutants = {
        "new in meaning": finds(vectors={**base.vectors, "meaning": common}),
        "good": finds(quality=at(base.quality, 0.49)),
        "coherent": finds(coherence=at(base.coherence, -0.9)),
        "new to all sessions": finds(
            earlier={
                "form": base.vectors["form"][[STAR]],
                "meaning": base.vectors["meaning"][[STAR]],
            }
        ),
    }
    for part, found in mutants.items():
        assert failed(rule(found)[STAR]) == [part]
    assert failed(rule(finds(coherence=at(base.coherence, np.nan)))[STAR]) == ["coherent"]


def test_what_costs_samples_is_asked_only_of_the_rest():
    asked = []

    def rerender(id):
        asked.append(id)
        return again(found)(id)

    found = finds()
    judged = rule(found, rerender)
    assert IDS[STAR] in asked
    assert set(asked) == {j.id for j in judged if "repeats" in j.reasons}
    assert len(asked) <= 4


def test_accidents_are_no_nuggets():
    found = finds()
    other = np.roll(found.descriptors[STAR], 1)
    lost = rule(found, lambda id: ("another", other))[STAR]
    assert failed(lost) == ["repeats"]
    assert "stays near" not in lost.reasons
    # The same picture in other bytes will do.
    assert rule(found, lambda id: ("other", found.descriptors[IDS.index(id)]))[STAR].nugget
    assert failed(rule(found, perturb=near(found, quality=0.4))[STAR]) == ["stays good"]
    assert failed(rule(found, perturb=near(found, apart=3.0))[STAR]) == ["stays near"]
    none = rule(found, perturb=lambda id: [])[STAR]
    assert failed(none) == ["stays near", "stays good"]
    assert none.reasons["stays good"].value is None


def test_without_sound_nothing_need_be_coherent():
    star = rule(finds(coherence=None))[STAR]
    assert star.nugget
    assert "coherent" not in star.reasons
    assert failed(rule(finds(coherences=[]))[STAR]) == ["coherent"]


def test_one_embedding_twice_is_no_second_opinion():
    base = finds()
    same = {"form": base.vectors["form"], "again": base.vectors["form"]}
    assert not any(j.nugget for j in rule(finds(vectors=same)))
    assert failed(rule(finds(vectors=same))[STAR]) == ["unlike embeddings"]


def test_the_two_that_agree_least_are_taken():
    base = finds().vectors
    jittered = unit(base["form"] + 0.01 * np.random.default_rng(5).standard_normal((N, 12)))
    first, second, agreement = unlike(
        {"form": base["form"], "twin": jittered, "meaning": base["meaning"]}
    )
    assert "meaning" in (first, second)
    assert agreement < 0.8
    assert unlike({"form": base["form"], "twin": jittered})[2] > 0.9


def test_an_earlier_nugget_must_be_alike_in_every_embedding():
    base = finds()
    form, meaning = base.vectors["form"], base.vectors["meaning"]
    half = {"form": form[[STAR]], "meaning": meaning[[0]]}
    assert rule(finds(earlier=half))[STAR].nugget
    with pytest.raises(PhospheneError, match="earlier nuggets are known in sound"):
        finds(earlier={"sound": form[:1]})


def test_too_little_to_judge_by():
    base = finds()
    with pytest.raises(PhospheneError, match="two embeddings"):
        finds(vectors={"form": base.vectors["form"]})
    with pytest.raises(PhospheneError, match="quality has 3 rows"):
        finds(quality=np.zeros(3))
    one = replace(
        base,
        ids=IDS[:1],
        vectors={k: v[:1] for k, v in base.vectors.items()},
        quality=base.quality[:1],
        digests=base.digests[:1],
        descriptors=base.descriptors[:1],
        coherence=None,
    )
    assert not judge(one, again(base), near(base))[0].nugget
