"""Tiers: cut-points of a quantity, and the tier a value falls into."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Tiers = npt.NDArray[np.int64]

#: Shares of the videos below the cut-points of a `views` label.
VIEW_SHARES = (0.2, 0.4, 0.6, 0.8)


@dataclasses.dataclass(frozen=True, slots=True)
class Label:
    """What the tiers rank, and the four values at which the next one begins."""

    quantity: Literal["views", "wes"]
    cut_points: tuple[float, ...]

    def tiers(self, values: Floats) -> Tiers:
        """Return the tier 1–5 of each value.

        A view count on a cut-point stays below it, a WES on one goes above it (DESIGN §3).

        >>> Label("views", (10.0, 20.0, 30.0, 40.0)).tiers(np.array([10.0, 10.5, 99.0])).tolist()
        [1, 2, 5]
        >>> Label("wes", (0.1, 0.2, 0.3, 0.4)).tiers(np.array([0.05, 0.1, 0.4])).tolist()
        [1, 2, 5]
        """
        side: Literal["left", "right"] = "left" if self.quantity == "views" else "right"
        tiers: Tiers = np.searchsorted(np.asarray(self.cut_points), values, side=side).astype(np.int64) + 1
        return tiers


def views_cut_points(views: Floats) -> tuple[float, ...]:
    """Return p20, p40, p60 and p80, each an actual view count: `sorted[floor(p·(n−1))]`.

    >>> views_cut_points(np.arange(1.0, 12.0))
    (3.0, 5.0, 7.0, 9.0)
    """
    ordered = np.sort(views)
    return tuple(float(ordered[int(np.floor(share * (len(ordered) - 1)))]) for share in VIEW_SHARES)


def weighted_engagement_score(videos: pl.DataFrame) -> Floats:
    """Return the WES of each video, `(likes + 2·comments + 3·shares)/views`; unknown counts are 0.

    >>> row = {"likes": [5], "comments": [1], "shares": [1], "views": [100]}
    >>> weighted_engagement_score(pl.DataFrame(row)).tolist()
    [0.1]
    """
    likes, comments, shares = (pl.col(name).cast(pl.Float64).fill_null(0) for name in ("likes", "comments", "shares"))
    score = (likes + 2 * comments + 3 * shares) / pl.col("views")
    return videos.select(score).to_series().to_numpy()


def tier_distribution(tiers: Tiers) -> list[int]:
    """Return how many videos each tier holds.

    >>> tier_distribution(np.array([1, 1, 5]))
    [2, 0, 0, 0, 1]
    """
    counts: list[int] = np.bincount(tiers, minlength=6)[1:6].tolist()
    return counts
