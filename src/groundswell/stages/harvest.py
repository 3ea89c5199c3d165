"""Outcomes of predictions: which reading says how a predicted video did, and why there is none yet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl

from groundswell.frames import MOMENT

#: The outcome had been read before the prediction was made, so that it proves nothing.
KNOWN_BEFORE = "known_before"
COUNTERS = ("views", "likes", "comments", "shares")
#: Finds the outcomes of posts (key, posted_at) among readings: adds maturity, COUNTERS and read_at.
FindOutcomes = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]


def harvest(
    predictions: pl.DataFrame, readings: pl.DataFrame, find_outcomes: FindOutcomes, as_of: datetime
) -> pl.DataFrame:
    """Return the predictions in their order with their `state`, the COUNTERS of their outcome and `read_at`.

    Predictions have id, video (the key of its readings), predicted_at, posted_at, first_known_at (when its row was
    created, null where there is none) and describes (whether the window is `observed`). Readings have key, observed_at
    and the COUNTERS. The outcome of a forecast is that of its video; a description of counters is judged by what was
    read after it. What had been read, or was matured and stored without a time, before the prediction is KNOWN_BEFORE
    and has no counters.
    """
    own = predictions.select("id", "video", "predicted_at", "describes")
    told = own.join(readings.rename({"key": "video"}), on="video").filter(
        ~pl.col("describes") | (pl.col("observed_at") > pl.col("predicted_at")).fill_null(value=True),
        pl.col("observed_at").fill_null(pl.lit(as_of, MOMENT)) <= pl.lit(as_of, MOMENT),
    )
    posts = predictions.rename({"id": "key"})
    found = find_outcomes(posts, told.rename({"id": "key"})).rename({"key": "id", "maturity": "state"})
    read_before = pl.col("read_at") <= pl.col("predicted_at")
    # A reading without a time was taken no later than its row was created.
    stored_before = pl.col("read_at").is_null() & (pl.col("first_known_at") <= pl.col("predicted_at"))
    proves_nothing = (pl.col("views").is_not_null() & (read_before | stored_before)).fill_null(value=False)
    return found.with_columns(
        pl.when(proves_nothing).then(pl.lit(KNOWN_BEFORE)).otherwise("state").alias("state"),
        *(pl.when(~proves_nothing).then(name).alias(name) for name in (*COUNTERS, "read_at")),
    )
