"""The calibration baseline: WES percentiles of the stored videos and the thresholds of the tiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from groundswell.records import TIER_RANGES, TIERS

THRESHOLD_PERCENTILES = (25, 50, 75, 90)
PERCENTILES = (10, 25, 50, 75, 90, 95, 99)
EXTREME_VIEWS = 99.5
_DECIMALS = 6


def baseline(videos: pl.DataFrame, fetched: int, duplicates: int) -> dict[str, Any]:
    """Return the content of calibration-baseline.json.

    `videos` has the columns views, duration_seconds and wes, one row a video. Percentiles are linear, rounded to
    6 decimals; the standard deviation is that of the population. A video without views or length, or with views
    above p99.5 of the rest, is left out and counted by its first reason.
    """
    reason = (
        pl.when(pl.col("views").is_null())
        .then(pl.lit("null_views"))
        .when(pl.col("views") <= 0)
        .then(pl.lit("zero_views"))
        .when(pl.col("duration_seconds").is_null())
        .then(pl.lit("null_duration"))
        .when(pl.col("duration_seconds") <= 0)
        .then(pl.lit("zero_duration"))
    )
    sorted_out = videos.with_columns(reason.alias("reason"))
    counted = dict(sorted_out["reason"].drop_nulls().value_counts().iter_rows())
    valid = sorted_out.filter(pl.col("reason").is_null())
    views = valid["views"].to_numpy()
    kept = views <= np.percentile(views, EXTREME_VIEWS) if len(views) else np.zeros(0, dtype=bool)
    breakdown = {
        "zero_views": counted.get("zero_views", 0),
        "null_views": counted.get("null_views", 0),
        "extreme_outliers": int((~kept).sum()),
        "zero_duration": counted.get("zero_duration", 0),
        "null_duration": counted.get("null_duration", 0),
    }
    scores = valid["wes"].to_numpy()[kept]
    return {
        **_summary(scores),
        "dataset_stats": {
            "total_fetched": fetched,
            "duplicates_removed": duplicates,
            "outliers_removed": sum(breakdown.values()),
            "outliers_breakdown": breakdown,
            "analyzed_count": len(scores),
        },
    }


def thresholds(content: dict[str, Any]) -> tuple[float, ...]:
    """Return the four WES thresholds of a calibration baseline; KeyError, TypeError or ValueError if it is none."""
    tiers = sorted(content["virality_tiers"], key=lambda entry: int(entry["tier"]))
    found = tuple(float(entry["weighted_score_threshold"]["min"]) for entry in tiers[1:])
    if len(found) != 4 or not all(np.isfinite(found)) or list(found) != sorted(found):
        raise ValueError("the five tiers must have finite, rising thresholds")
    return found


def never_given(thresholds: Sequence[float]) -> tuple[int, ...]:
    """Return the tiers that no video can be of, as the next one begins no higher: a WES on a threshold goes above it.

    >>> never_given((0.1, 0.2, 0.3, 0.4)), never_given((0.0, 0.0, 0.3, 0.3))
    ((), (1, 2, 4))
    """
    begins = (0.0, *thresholds)
    return tuple(tier for tier, low, high in zip(TIERS, begins, thresholds, strict=False) if low >= high)


def _summary(scores: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    if not len(scores):
        return {"virality_tiers": [], "wes_percentiles": {}}
    percentiles = {f"p{p}": _rounded(np.percentile(scores, p)) for p in PERCENTILES}
    cuts = [percentiles[f"p{p}"] for p in THRESHOLD_PERCENTILES]
    counts = np.bincount(np.searchsorted(cuts, scores, side="right"), minlength=5)
    lows, highs = [0, *cuts], [*cuts, _rounded(scores.max())]
    return {
        "virality_tiers": [
            {
                "tier": tier,
                "score_range": [int(end) for end in score_range],
                "weighted_score_threshold": {"min": low, "max": high},
                "video_count": int(count),
            }
            for tier, score_range, low, high, count in zip(TIERS, TIER_RANGES, lows, highs, counts, strict=True)
        ],
        "wes_percentiles": {
            **percentiles,
            "mean": _rounded(scores.mean()),
            "stddev": _rounded(scores.std()),
        },
    }


def _rounded(value: float) -> float:
    return round(float(value), _DECIMALS)
