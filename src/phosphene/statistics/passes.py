"""Several samples an item: is one of k right, are all of k right?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb

from phosphene.statistics.intervals import Interval, bootstrap, share


def pass_at(k: int, passed: int, n: int) -> float:
    """Unbiased estimate that at least one of k samples of an item passes.

        1 - C(n - c, k) / C(n, k)

    Args:
        k: 1..n.
        passed: c, how many of the item's n samples passed.
        n: samples of the item.

    Raises:
        ValueError: k outside 1..n, or passed outside 0..n.

    References:
        Evaluating Large Language Models Trained on Code (Chen et al., 2021), equation 1.
    """
    _check(k, passed, n)
    return 1 - comb(n - passed, k) / comb(n, k)


def pass_hat(k: int, passed: int, n: int) -> float:
    """Unbiased estimate that all of k samples of an item pass: C(c, k) / C(n, k), `pass^k`.

    Args:
        k: 1..n.
        passed: c, how many of the item's n samples passed.
        n: samples of the item.

    Raises:
        ValueError: k outside 1..n, or passed outside 0..n.

    References:
        tau-bench: A Benchmark for Tool-Agent-User Interaction (Yao et al., 2024), section 4.
    """
    _check(k, passed, n)
    return comb(passed, k) / comb(n, k)


def pass_all(
    items: Sequence[Sequence[bool]],
    k: int,
    estimate: Callable[[int, int, int], float],
    seed: int = 0,
) -> Interval:
    """`pass_at` or `pass_hat` over items, with the clustered bootstrap's interval.

    Args:
        items: for each item, its samples; k of them at least.
        k: how many samples.
        estimate: `pass_at` or `pass_hat`.

    Raises:
        ValueError: an item has fewer than k samples.
    """
    if k == 1:
        return share(items, seed)
    values = [estimate(k, sum(map(bool, samples)), len(samples)) for samples in items]
    return bootstrap(values, seed=seed)


def _check(k: int, passed: int, n: int) -> None:
    if not 1 <= k <= n or not 0 <= passed <= n:
        raise ValueError(f"need 1 <= k <= n and 0 <= passed <= n; got k {k}, {passed} of {n}")
