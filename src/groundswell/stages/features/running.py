"""Computations over posts in the order in which they matured, in two forms that are written together.

Over a frame each gives its value at every post; for one video it gives the value at the last post known. Training takes
the first form, a live request about one video the second, and neither can be changed without the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
#: Posts of one creator (sound, hashtag, platform) by column, oldest first and at least one; NaN where unknown.
Posts = Mapping[str, Floats]
LOG_VIEWS = "log_views"


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """One computation: `expression` gives its value at every post of a frame, `at_last` that at the last of them all.

    >>> three = highest(LOG_VIEWS, 3)
    >>> pl.DataFrame({LOG_VIEWS: [9.0, 1.0, 2.0, 3.0]}).select(three.expression).to_series().to_list()
    [9.0, 9.0, 9.0, 3.0]
    >>> float(three.at_last({LOG_VIEWS: np.array([9.0, 1.0, 2.0, 3.0])}))
    3.0
    """

    expression: pl.Expr
    at_last: Callable[[Posts], float]


def at_last(running: Mapping[str, Running], posts: Posts) -> dict[str, float]:
    """Return the value of each computation at the last post, NaN where there is none.

    >>> at_last({"posts": count(9)}, {LOG_VIEWS: np.array([])})
    {'posts': nan}
    """
    if not len(posts[LOG_VIEWS]):
        return dict.fromkeys(running, np.nan)
    return {name: float(each.at_last(posts)) for name, each in running.items()}


def count(most: int) -> Running:
    """Return how many posts there are, `most` at most."""
    return Running(
        pl.int_range(1, pl.len() + 1).clip(upper_bound=most), lambda posts: float(min(len(posts[LOG_VIEWS]), most))
    )


def latest(column: str, before: int = 0) -> Running:
    """Return what the last post has in the column, or one before it."""

    def last(posts: Posts) -> float:
        values = posts[column]
        return values[-1 - before] if len(values) > before else np.nan

    return Running(pl.col(column).shift(before), last)


def mean(column: str, reach: int) -> Running:
    """Return the mean of what is known of the last `reach` posts."""

    def last(posts: Posts) -> float:
        known = _known(posts[column][-reach:])
        return known.mean() if len(known) else np.nan

    return Running(pl.col(column).rolling_mean(reach, min_samples=1), last)


def total(column: str, reach: int) -> Running:
    """Return the sum over the last `reach` posts."""
    return Running(pl.col(column).rolling_sum(reach, min_samples=1), lambda posts: posts[column][-reach:].sum())


def highest(column: str, reach: int) -> Running:
    """Return the greatest of the last `reach` posts."""
    return Running(pl.col(column).rolling_max(reach, min_samples=1), lambda posts: posts[column][-reach:].max())


def lowest(column: str, reach: int) -> Running:
    """Return the least of the last `reach` posts."""
    return Running(pl.col(column).rolling_min(reach, min_samples=1), lambda posts: posts[column][-reach:].min())


def quantile(column: str, share: float, reach: int) -> Running:
    """Return a quantile of the last `reach` posts, linear between neighbours."""

    def last(posts: Posts) -> float:
        ordered = np.sort(posts[column][-reach:])
        # np.quantile gives the same in ten times the time.
        return float(np.interp(share * (len(ordered) - 1), np.arange(len(ordered)), ordered))

    return Running(pl.col(column).rolling_quantile(share, "linear", window_size=reach, min_samples=1), last)


def spread(column: str, reach: int) -> Running:
    """Return the standard deviation of the last `reach` posts, unknown of fewer than three."""

    def last(posts: Posts) -> float:
        values = posts[column][-reach:]
        return values.std(ddof=1) if len(values) >= 3 else np.nan

    return Running(pl.col(column).rolling_std(reach, min_samples=3), last)


def weighted(column: str, half_life: int) -> Running:
    """Return the mean of what is known of all posts, each weighing half of the one `half_life` posts later."""

    def last(posts: Posts) -> float:
        known = _known(posts[column])
        if not len(known):
            return np.nan
        weights = np.exp2(np.arange(1 - len(known), 1) / half_life)
        return float(known @ weights / weights.sum())

    return Running(pl.col(column).ewm_mean(half_life=half_life, ignore_nulls=True).forward_fill(), last)


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]
