"""Labels that mature: which reading tells how far a video carried, and which videos nobody can tell it of yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from groundswell.frames import MOMENT

MATURE = "mature"
#: Why a video has no outcome: younger than the label age; not read since it was that old; read only beyond the most.
TOO_YOUNG, NOT_READ_SINCE, READ_TOO_LATE = "too_young", "not_read_since", "read_too_late"
#: Why a video cannot be used at all.
NO_POSTING_TIME, READ_BEFORE_POSTED = "no_posting_time", "read_before_posted"
IMMATURE = (TOO_YOUNG, NOT_READ_SINCE, READ_TOO_LATE)
UNUSABLE = (NO_POSTING_TIME, READ_BEFORE_POSTED)


@dataclasses.dataclass(frozen=True, slots=True)
class LabelAge:
    """The age at which an outcome is read, and the age beyond which a reading no longer counts (None: never)."""

    age: timedelta
    most: timedelta | None = None


def add_outcomes(posts: pl.DataFrame, readings: pl.DataFrame, label: LabelAge, as_of: datetime) -> pl.DataFrame:
    """Return the posts in their order with `views` and `engagement` of their outcome, and their `maturity`.

    The outcome is that of `find_outcomes`; `views` is null where `maturity` is not MATURE.
    """
    found = find_outcomes(posts, readings, label, as_of, ("views", "likes"))
    rate = (pl.col("likes") / pl.when(pl.col("views") > 0).then("views")).clip(0.0, 1.0)
    return found.select(*posts.columns, "maturity", "views", rate.alias("engagement"))


def find_outcomes(
    posts: pl.DataFrame, readings: pl.DataFrame, label: LabelAge, as_of: datetime, counters: Sequence[str]
) -> pl.DataFrame:
    """Return the posts in their order with their `maturity`, the counters of their outcome, and `read_at`, its time.

    The outcome is the first reading at or after the label age, else the only reading of a video if its time is unknown;
    one beyond `label.most` does not count. The counters, `views` the first of them, are null where `maturity` is not
    MATURE. Posts have key and posted_at; readings have key, observed_at and the counters. Nothing of a video speaks
    before it has matured.
    """
    told = readings.filter(pl.col("views").is_not_null()).join(posts.select("key", "posted_at"), on="key")
    age = pl.col("observed_at") - pl.col("posted_at")
    late = age >= label.age
    in_time = late if label.most is None else late & (age <= label.most)
    ordered = told.sort("key", "observed_at", *counters, nulls_last=True)
    alone = (pl.len() == 1) & age.is_null()
    summary = ordered.group_by("key", maintain_order=True).agg(
        *(pl.col(name).filter(in_time).first().alias(f"{name}_in_time") for name in (*counters, "observed_at")),
        *(pl.col(name).filter(alone).first().alias(f"{name}_alone") for name in counters),
        late.any().alias("read_late"),
        ((age < timedelta(0)).all() & (age.is_not_null().all())).alias("read_before"),
    )
    joined = posts.join(summary, on="key", how="left", maintain_order="left").with_columns(
        _maturity(label.age, as_of).alias("maturity")
    )
    mature = pl.col("maturity") == MATURE
    read_in_time = pl.col("views_in_time").is_not_null()
    outcome = (
        pl.when(mature & read_in_time).then(f"{name}_in_time").when(mature).then(f"{name}_alone").alias(name)
        for name in counters
    )
    read_at = pl.when(mature & read_in_time).then("observed_at_in_time").alias("read_at")
    return joined.select(*posts.columns, "maturity", *outcome, read_at)


def _maturity(label_age: timedelta, as_of: datetime) -> pl.Expr:
    return (
        pl.when(pl.col("posted_at").is_null())
        .then(pl.lit(NO_POSTING_TIME))
        .when(pl.col("read_before"))
        .then(pl.lit(READ_BEFORE_POSTED))
        .when(pl.col("posted_at") + label_age > pl.lit(as_of, MOMENT))
        .then(pl.lit(TOO_YOUNG))
        .when(pl.coalesce("views_in_time", "views_alone").is_not_null())
        .then(pl.lit(MATURE))
        .when(pl.col("read_late"))
        .then(pl.lit(READ_TOO_LATE))
        .otherwise(pl.lit(NOT_READ_SINCE))
    )
