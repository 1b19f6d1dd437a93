"""Statistics for the numbers that reports print. Items are drawn; samples of one item are kin."""

from phosphene.statistics.intervals import Interval, apart, bootstrap, share, wilson
from phosphene.statistics.multiple import benjamini_hochberg, holm
from phosphene.statistics.paired import Paired, compare, mcnemar, sign_flip
from phosphene.statistics.passes import pass_all, pass_at, pass_hat

__all__ = [
    "Interval",
    "Paired",
    "apart",
    "benjamini_hochberg",
    "bootstrap",
    "compare",
    "holm",
    "mcnemar",
    "pass_all",
    "pass_at",
    "pass_hat",
    "share",
    "sign_flip",
    "wilson",
]
