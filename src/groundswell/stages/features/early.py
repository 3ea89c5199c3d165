"""How a video was received so far: its readings up to the moment of prediction, and what they say together."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

import polars as pl

SECONDS_AN_HOUR = 3_600.0
#: A reading in the first minutes counts as one at six minutes: nobody can tell a speed from less.
SHORTEST_HOURS = 0.1
#: Log-age between two readings below which nobody can tell a growth.
LEAST_AGED = 0.01
Number = TypeVar("Number", float, pl.Expr)
_COUNTERS = ("views", "likes", "comments", "shares")
#: Readings of one video that a line learns from beside the one it would have had.
LESSONS = 4


def add_early(targets: pl.DataFrame, readings: pl.DataFrame, window: timedelta) -> pl.DataFrame:
    """Return the targets that were read within the window, with what the readings say; the others are left out.

    Targets have key, posted_at and `moment`; readings have key, observed_at, views, likes, comments and shares. A
    reading counts from the posting on until the window's end and never after the moment. Of two at one moment the one
    of more views stays. Counts may fall (a scraper's correction): the last reading stands as it is.
    """
    told = _told(targets, readings.filter(pl.col("observed_at").is_not_null()), window, pl.col("moment"))
    last = told.unique("key", keep="last", maintain_order=True)
    return targets.join(last, on="key", how="inner", maintain_order="left")


def lessons(targets: pl.DataFrame, readings: pl.DataFrame, until: timedelta) -> pl.DataFrame:
    """Return the targets once for each of LESSONS readings up to an age, as if that reading had been the last.

    A video that was read five times shows how views grow from five ages on. Only training rows may learn so.
    """
    told = _told(
        targets, readings.filter(pl.col("observed_at").is_not_null()), until, pl.lit(None, pl.Datetime("us", "UTC"))
    )
    number, count = pl.int_range(pl.len()).over("key"), pl.len().over("key")
    quarter = number * LESSONS // count
    chosen = told.filter((number == 0) | (quarter != (number - 1) * LESSONS // count))
    return targets.join(chosen, on="key", how="inner", maintain_order="left")


def _told(targets: pl.DataFrame, readings: pl.DataFrame, until: timedelta, moment: pl.Expr) -> pl.DataFrame:
    """Return what is known at each reading of the targets, one row a reading in the order of time."""
    own = readings.filter(pl.col("views").is_not_null()).join(targets.select("key", "posted_at", "moment"), on="key")
    age = pl.col("observed_at") - pl.col("posted_at")
    in_time = own.filter(age >= timedelta(0), age <= until, (pl.col("observed_at") <= moment).fill_null(value=True))
    ordered = (
        in_time.with_columns((age.dt.total_milliseconds() / 1_000 / SECONDS_AN_HOUR).alias("early_age_hours"))
        .sort("key", "observed_at", *_COUNTERS, nulls_last=False)
        .unique(["key", "observed_at"], keep="last", maintain_order=True)
    )
    return (
        ordered.select(
            "key",
            "early_age_hours",
            *(pl.col(name).cast(pl.Float64).alias(f"early_{name}") for name in _COUNTERS),
            pl.int_range(1, pl.len() + 1).over("key").alias("early_readings"),
            pl.col("views").shift(1).over("key").cast(pl.Float64).alias("views_before"),
            pl.col("early_age_hours").shift(1).over("key").alias("age_before"),
            pl.col("views").first().over("key").cast(pl.Float64).alias("early_first_views"),
            pl.col("early_age_hours").first().over("key").alias("early_first_age_hours"),
        )
        .with_columns(
            _velocity().alias("early_velocity"),
            _acceleration().alias("early_acceleration"),
            _growth("views_before", "age_before").alias("early_growth"),
            _growth("early_first_views", "early_first_age_hours").alias("early_growth_overall"),
        )
        .drop("views_before", "age_before")
    )


def _hours(age: str) -> pl.Expr:
    return pl.col(age).clip(lower_bound=SHORTEST_HOURS)


def _velocity() -> pl.Expr:
    """Return views an hour since the posting."""
    return pl.col("early_views") / _hours("early_age_hours")


def _acceleration() -> pl.Expr:
    """Return by how much views an hour rose from the time before the last but one reading to the time since."""
    since = (pl.col("early_age_hours") - pl.col("age_before")).clip(lower_bound=SHORTEST_HOURS)
    return acceleration(pl.col("early_views"), since, pl.col("views_before"), _hours("age_before"))


def acceleration(views: Number, since: Number, before: Number, age_before: Number) -> Number:
    """Return views an hour since an earlier reading, above those before it. Takes numbers or expressions.

    >>> acceleration(views=500.0, since=2.0, before=100.0, age_before=1.0)
    100.0
    """
    return (views - before) / since - before / age_before


def _growth(views: str, age: str) -> pl.Expr:
    """Return the slope of log-views over log-age since an earlier reading; null without one, or without time since."""
    aged = (_hours("early_age_hours") / _hours(age)).log()
    grown = pl.col("early_views").log1p() - pl.col(views).log1p()
    return pl.when(aged > LEAST_AGED).then(grown / aged)
