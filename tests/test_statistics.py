"""Intervals against closed forms and coverage."""

import numpy as np
import pytest
from scipy.stats import binomtest

from phosphene.statistics import wilson


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
