"""Intervals, pass@k and paired tests against closed forms, published tables, scipy and coverage."""

import itertools
from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest, false_discovery_control, norm

from phosphene.statistics import (
    Interval,
    apart,
    benjamini_hochberg,
    bootstrap,
    compare,
    holm,
    mcnemar,
    pass_all,
    pass_at,
    pass_hat,
    share,
    sign_flip,
    wilson,
)
from phosphene.statistics.paired import detectable, items_needed, power


@pytest.mark.parametrize(("passed", "n"), [(0, 4), (4, 4), (7, 24), (50, 100), (1, 1000)])
def test_wilson_agrees_with_scipy(passed, n):
    low, high = binomtest(passed, n).proportion_ci(method="wilson")
    interval = wilson(passed, n)
    assert interval.share == passed / n
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-12)


def test_wilson_covers_about_as_often_as_it_says():
    draws = np.random.default_rng(0).binomial(40, 0.3, 4000)
    covered = np.mean([wilson(int(d), 40).low <= 0.3 <= wilson(int(d), 40).high for d in draws])
    assert 0.93 < covered < 0.97


def test_wilson_refuses_the_impossible():
    for passed, n in ((1, 0), (-1, 5), (6, 5)):
        with pytest.raises(ValueError, match="passed"):
            wilson(passed, n)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(0.84, 0.76, 0.9, 50), "84 % [76, 90]"),
        (Interval(1.0, 0.95, 1.0, 50), "100 % [95, 100]"),
        (Interval(0.996, 0.99, 0.9999, 500), "99.6 % [99, >99.9]"),
        (Interval(0.0, 0.0, 0.004, 500), "0 % [0, 0.4]"),
        (Interval(0.005, 0.0001, 0.028, 200), "0.5 % [<0.1, 3]"),
    ],
)
def test_numbers_in_tables_never_round_to_certainty(interval, text):
    assert interval.brief() == text


# Several samples an item


def test_bootstrap_of_many_items_is_the_normal_interval():
    values = np.random.default_rng(1).binomial(4, 0.6, 2000) / 4
    found = bootstrap(values)
    half = 1.96 * values.std() / len(values) ** 0.5
    assert found.share == values.mean()
    assert found.low == pytest.approx(values.mean() - half, abs=0.003)
    assert found.high == pytest.approx(values.mean() + half, abs=0.003)


def test_bootstrap_is_the_same_every_time_and_says_so_by_seed():
    values = np.random.default_rng(2).random(30)
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap(values, seed=1) != bootstrap(values)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (9, 1), (9.5, 0.5)])
def test_clustered_interval_covers_where_a_naive_one_does_not(a, b):
    """Items of very different difficulty, four samples each."""
    rng, n, k, truth = np.random.default_rng(3), 30, 4, a / (a + b)
    clustered = naive = 0
    for _ in range(300):
        passed = rng.binomial(k, rng.beta(a, b, n))
        c, w = bootstrap(passed / k), wilson(int(passed.sum()), n * k)
        clustered += c.low <= truth <= c.high
        naive += w.low <= truth <= w.high
    assert clustered / 300 > 0.92
    assert clustered >= naive


def test_agreement_of_all_items_is_no_certainty():
    found = share([[True, True]] * 20)
    assert found.share == found.high == 1.0
    assert 0.75 < found.low < 0.95


def test_copies_of_a_sample_tell_nothing_new():
    rng = np.random.default_rng(4)
    once = [[bool(x)] for x in rng.random(60) < 0.7]
    five = [samples * 5 for samples in once]
    assert share(five).low == pytest.approx(share(once).low, abs=0.03)
    assert share(five).n == share(once).n == 60


def test_one_sample_an_item_is_wilson():
    assert share([[True]] * 7 + [[False]] * 3) == wilson(7, 10)


@pytest.mark.parametrize("items", [[], [[]], [[True], []]])
def test_no_samples_no_share(items):
    with pytest.raises(ValueError, match="samples"):
        share(items)


def test_values_outside_their_range_are_refused():
    with pytest.raises(ValueError, match="values"):
        bootstrap([0.5, 1.5])


# pass@k


@pytest.mark.parametrize(("n", "c"), [(1, 0), (4, 0), (4, 4), (5, 2), (6, 5)])
def test_pass_at_k_counts_every_choice(n, c):
    samples = [True] * c + [False] * (n - c)
    for k in range(1, n + 1):
        chosen = list(itertools.combinations(samples, k))
        assert pass_at(k, c, n) == pytest.approx(np.mean([any(x) for x in chosen]))
        assert pass_hat(k, c, n) == pytest.approx(np.mean([all(x) for x in chosen]))


def test_pass_at_k_is_unbiased_where_the_plug_in_is_not():
    rng, p, n, k = np.random.default_rng(5), 0.3, 5, 3
    counts = rng.binomial(n, p, 20000)
    for estimate, truth in ((pass_at, 1 - (1 - p) ** k), (pass_hat, p**k)):
        values = np.array([estimate(k, int(c), n) for c in range(n + 1)])[counts]
        assert values.mean() == pytest.approx(truth, abs=0.01)
    plug_in = (1 - (1 - counts / n) ** k).mean()
    assert abs(plug_in - (1 - (1 - p) ** k)) > 0.03


def test_pass_all_averages_items_and_brackets_it():
    items = [[True, False, False], [True, True, True], [False, False, False], [True, True, False]]
    found = pass_all(items, 2, pass_at)
    assert found.share == pytest.approx(np.mean([1 - comb(2, 2) / 3, 1, 0, 1]))
    assert found.low < found.share < found.high
    assert pass_all(items, 1, pass_at) == share(items)


@pytest.mark.parametrize(("k", "c", "n"), [(0, 1, 2), (3, 1, 2), (1, 3, 2)])
def test_pass_refuses_the_impossible(k, c, n):
    with pytest.raises(ValueError, match="k"):
        pass_at(k, c, n)


# Two runs


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (6, 0), (3, 9), (25, 12)])
def test_mcnemar_is_a_binomial_test(b, c):
    want = binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(want)
    assert sign_flip(np.array([1] * b + [-1] * c + [0] * 7)) == pytest.approx(want)


def test_sign_flip_counts_flips_where_sums_are_few_and_draws_them_where_not():
    few = np.array([0.5, 0.25, -0.25, 1.0, 0.0])
    sums = [abs(np.dot(s, few[:4])) for s in itertools.product((-1, 1), repeat=4)]
    assert sign_flip(few) == np.mean([s >= abs(few.sum()) for s in sums])
    rng = np.random.default_rng(6)
    for many in (rng.choice([-1, -0.5, 0.5, 0.75], 900), rng.normal(0.1, 1, 90)):
        z = abs(many.sum()) / (many**2).sum() ** 0.5
        assert sign_flip(many) == pytest.approx(2 * norm.sf(z), abs=0.02)


def test_sign_flip_rarely_cries_wolf():
    rng = np.random.default_rng(7)
    tests = [
        sign_flip((rng.binomial(3, 0.5, 12) - rng.binomial(3, 0.5, 12)) / 3) for _ in range(200)
    ]
    assert np.mean(np.array(tests) < 0.05) < 0.09


def test_samples_of_one_item_do_not_make_a_difference_sure():
    """Three items, fifty samples each: however many samples, three items prove nothing."""
    found = compare([[True] * 50] * 3, [[False] * 50] * 3)
    assert found.p == 0.25
    assert found.power == 0
    assert (found.needed, found.more) == (6, 3)


def test_compare_gives_the_textbook_measures():
    a = [[True]] * 80 + [[False]] * 20
    b = [[True]] * 60 + [[False]] * 20 + [[True]] * 5 + [[False]] * 15
    found = compare(a, b)
    assert found.difference.share == pytest.approx(0.15)
    assert found.difference.low < 0.15 < found.difference.high
    assert found.p == pytest.approx(binomtest(5, 25).pvalue)
    assert found.odds == pytest.approx((80.5 / 20.5) / (65.5 / 35.5))
    assert found.h == pytest.approx(2 * np.arcsin(0.8**0.5) - 2 * np.arcsin(0.65**0.5))
    assert found.swing == pytest.approx(0.25)


def test_compare_is_fair_to_both_sides():
    rng = np.random.default_rng(8)
    a, b = (rng.random((40, 3)) < 0.5).tolist(), (rng.random((40, 3)) < 0.7).tolist()
    one, other = compare(a, b), compare(b, a)
    assert one.p == other.p
    assert one.difference.share == -other.difference.share
    assert one.needed == other.needed
    assert one.odds == pytest.approx(1 / other.odds)


def test_equal_runs_have_nothing_to_settle():
    found = compare([[True, False]] * 30, [[True, False]] * 30)
    assert (found.p, found.needed, found.more) == (1.0, None, None)
    assert found.difference.low < 0 < found.difference.high
    assert 0 < found.detectable < 0.5


def test_paired_interval_covers():
    rng, n, k = np.random.default_rng(9), 30, 4
    hits = 0
    for _ in range(120):
        z = rng.normal(size=n)
        a, b = (rng.binomial(k, norm.cdf((norm.ppf(p) - 0.8 * z) / 0.6)) for p in (0.8, 0.6))
        found = compare(
            [[True] * x + [False] * (k - x) for x in a], [[True] * x + [False] * (k - x) for x in b]
        )
        hits += found.difference.low <= 0.2 <= found.difference.high
    assert hits / 120 > 0.9


@pytest.mark.parametrize(
    ("swing", "delta", "n"), [(0.2, 0.1, 155), (0.3, 0.1, 234), (0.4, 0.2, 77)]
)
def test_items_needed_follow_connor(swing, delta, n):
    """((1.95996 sqrt(swing) + 0.84162 sqrt(swing - delta^2)) / delta)^2, worked by hand."""
    assert items_needed(delta, swing, swing) == n
    assert power(delta, swing, n) == pytest.approx(0.8, abs=0.01)
    assert detectable(swing, n) == pytest.approx(delta, abs=0.002)


def test_power_is_what_a_simulation_finds():
    rng, n, up, down = np.random.default_rng(10), 100, 0.25, 0.1
    hits = 0
    for _ in range(1000):
        b, c, _ = rng.multinomial(n, (up, down, 1 - up - down))
        hits += abs(b - c) > 1.96 * (b + c) ** 0.5
    assert power(up - down, up + down, n) == pytest.approx(hits / 1000, abs=0.04)


@pytest.mark.parametrize(("a", "b"), [([], []), ([[True]], [[True, True]]), ([[True]], [])])
def test_compare_wants_the_same_items(a, b):
    with pytest.raises(ValueError, match="same items"):
        compare(a, b)


def test_difference_of_independent_shares_is_newcombes():
    """56/70 against 48/80: Newcombe (1998) prints 0.0524 to 0.3339 for method 10."""
    found = apart(wilson(56, 70), wilson(48, 80))
    assert (found.share, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


# Many tests


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_benjamini_hochberg_agrees_with_scipy():
    p = np.random.default_rng(11).random(25) ** 2
    assert benjamini_hochberg(p.tolist()) == pytest.approx(false_discovery_control(p).tolist())
