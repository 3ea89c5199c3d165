"""Labels that mature: which reading tells how far a video carried, and which videos nobody can tell it of yet."""

from __future__ import annotations

import dataclasses
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

    The outcome is the first reading at or after the label age, else the only reading of a video if its time is unknown;
    one beyond `label.most` does not count. `views` is null where `maturity` is not MATURE. Posts have key and
    posted_at; readings have key, observed_at, views and likes. Nothing of a video speaks before it has matured.
    """
    told = readings.filter(pl.col("views").is_not_null()).join(posts.select("key", "posted_at"), on="key")
    age = pl.col("observed_at") - pl.col("posted_at")
    late = age >= label.age
    in_time = late if label.most is None else late & (age <= label.most)
    ordered = told.sort("key", "observed_at", "views", "likes", nulls_last=True)
    summary = ordered.group_by("key", maintain_order=True).agg(
        *(pl.col(name).filter(in_time).first().alias(f"{name}_in_time") for name in ("views", "likes")),
        *(
            pl.col(name).filter(pl.len() == 1, age.is_null()).first().alias(f"{name}_alone")
            for name in ("views", "likes")
        ),
        late.any().alias("read_late"),
        ((age < timedelta(0)).all() & (age.is_not_null().all())).alias("read_before"),
    )
    joined = posts.join(summary, on="key", how="left", maintain_order="left")
    return (
        joined.with_columns(_maturity(label.age, as_of).alias("maturity"))
        .with_columns(*_outcome())
        .select(*posts.columns, "maturity", "views", "engagement")
    )


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


def _outcome() -> tuple[pl.Expr, pl.Expr]:
    mature = pl.col("maturity") == MATURE
    in_time = pl.col("views_in_time").is_not_null()
    views = pl.when(in_time).then("views_in_time").otherwise("views_alone")
    likes = pl.when(in_time).then("likes_in_time").otherwise("likes_alone")
    rate = (likes / pl.when(views > 0).then(views)).clip(0.0, 1.0)
    return pl.when(mature).then(views).alias("views"), pl.when(mature).then(rate).alias("engagement")
