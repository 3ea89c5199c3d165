"""The features of what was asked, by the same code that training used: history looked up, readings put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from groundswell import past
from groundswell.calibration.scores import Floats
from groundswell.frames import MOMENT
from groundswell.predictor.requested import (
    NO_ID,
    UNDATED,
    Refusal,
    Requested,
    readings_of,
    timed,
    unread,
    with_stored_facts,
)
from groundswell.records import Window, utc
from groundswell.stages import features
from groundswell.stages.features.early import add_early
from groundswell.stages.features.history import add_history
from groundswell.stages.features.single import early_of_one, history_of_one
from groundswell.stages.maturity import LabelAge
from groundswell.store import corpus
from groundswell.store.database import Database, Driver
from groundswell.store.known_video import Reading, known_video
from groundswell.store.readings import readings


@dataclasses.dataclass(frozen=True, slots=True)
class Inputs:
    """What can be answered, with its features, shape (rows, features), and the creators' followers as known then."""

    requested: Requested
    values: Floats
    followers: pl.Series


def observed_inputs(requested: Requested) -> Inputs:
    """Return the features of window `observed`: what the counters say."""
    rows = requested.rows.with_columns(pl.lit(None, MOMENT).alias("created_at"))
    return Inputs(requested, features.matrix(rows), rows["author_followers"])


def forecast_inputs(database: Database, requested: Requested, window: Window, label: LabelAge, at: datetime) -> Inputs:
    """Return the features of a forecast window; videos that were not read within it are refused."""
    past.refresh(database, label)
    requested = timed(_known(database, requested), window, at)
    moment = pl.min_horizontal(pl.col("posted_at") + window.age, pl.max_horizontal("posted_at", pl.lit(at, MOMENT)))
    rows = requested.rows.with_columns(
        # A video may be asked about twice, and one without an id is like no other: each line stands for itself.
        pl.col("line").cast(pl.String).alias("key"),
        moment.alias("moment"),
    )
    if window is not Window.PUBLISH:
        rows = add_early(rows, _readings(database, rows, at), window.age)
        missing = requested.rows.join(rows, on="line", how="anti")["line"].to_list()
        requested = requested.refuse(missing, unread(window))
    known = add_history(rows, past.look_up(database, rows, label), label.age)
    known = known.with_columns(_stated_followers(at))
    return Inputs(requested, features.matrix(known, features.of_window(window)), known["followers"])


@dataclasses.dataclass(frozen=True, slots=True)
class OneInput:
    """One video with what is stored of it filled in, its features, shape (features,), and the creator's followers."""

    video: dict[str, Any]
    values: Floats
    followers: int | None


def forecast_inputs_of_one(
    database: Database, video: Mapping[str, Any], window: Window, label: LabelAge, at: datetime
) -> OneInput | Refusal:
    """Return what `forecast_inputs` says of one usable video (a row of `Requested.rows`), without a frame.

    A video that was not read within the window, or whose posting time nobody knows, is refused.
    """
    with database.direct() as driver:
        if past.is_current(driver, label):
            return _one(database, driver, _Question(video, window, label, utc(at)))
    past.refresh(database, label)
    with database.direct() as driver:
        return _one(database, driver, _Question(video, window, label, utc(at)))


@dataclasses.dataclass(frozen=True, slots=True)
class _Question:
    video: Mapping[str, Any]
    window: Window
    label: LabelAge
    at: datetime


def _one(database: Database, driver: Driver, asked: _Question) -> OneInput | Refusal:
    window, at = asked.window, asked.at
    video, stored = _completed(database, driver, asked)
    if video["posted_at"] is None and window is not Window.PUBLISH:
        return UNDATED
    posted_at = video["posted_at"] = utc(video["posted_at"] or at)
    moment = min(posted_at + window.age, max(posted_at, at))
    early: dict[str, float] | None = {}
    if window is not Window.PUBLISH:
        early = early_of_one([*stored, *_brought(video, at)], posted_at, moment, window.age)
    if early is None:
        return unread(window)
    stated = _stated(video, moment, at)
    found = past.look_up_one(driver, video, moment, asked.label, followers=stated is None)
    followers = found.followers if stated is None else stated
    history = history_of_one(found, posted_at, moment, asked.label.age)
    told = video | early | history | {"followers": followers}
    return OneInput(video, features.of_one(told, features.of_window(window)), followers)


def _completed(database: Database, driver: Driver, asked: _Question) -> tuple[dict[str, Any], list[Reading]]:
    """Return the video with what it leaves out of the stored facts, and its stored readings."""
    video = dict(asked.video)
    if video["platform_video_id"] == NO_ID:
        return video, []
    known = known_video(database, driver, video["platform"], video["platform_video_id"], asked.at)
    return video | {name: fact for name, fact in known.facts.items() if video[name] is None}, known.readings


def _brought(video: Mapping[str, Any], at: datetime) -> list[Reading]:
    """Return the counters of the video as a reading, taken when it says so, else now."""
    if video["views"] is None:
        return []
    return [(utc(video["scraped_at"] or at), video["views"], video["likes"], video["comments"], video["shares"])]


def _stated(video: Mapping[str, Any], moment: datetime, at: datetime) -> int | None:
    """Return followers as the video states them, where they were known at the moment of prediction."""
    timely = utc(video["scraped_at"] or at) <= moment or video["posted_at"] >= at - _JUST_POSTED
    return video["author_followers"] if timely else None


def _known(database: Database, requested: Requested) -> Requested:
    """Return the request with the key under which each video would be stored, and what is stored of it."""
    own = pl.concat_str("platform", pl.lit(":"), "platform_video_id")
    key = pl.when(pl.col("platform_video_id") != NO_ID).then(own).alias("stored_as")
    named = dataclasses.replace(requested, rows=requested.rows.with_columns(key))
    keys = named.rows["stored_as"].drop_nulls().unique().to_list()
    return with_stored_facts(named, corpus.posted(database, keys)) if keys else named


def _readings(database: Database, rows: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return the readings of the rows, under the key of each: those they bring, and those that are stored."""
    brought = readings_of(rows, at)
    named = rows.filter(pl.col("stored_as").is_not_null()).select("key", "stored_as")
    if named.is_empty():
        return brought
    stored = readings(database, named["stored_as"].unique().to_list())
    return pl.concat([brought, stored.rename({"key": "stored_as"}).join(named, on="stored_as").select(brought.columns)])


#: A request about a video posted within this time speaks of its posting.
_JUST_POSTED = timedelta(hours=1)


def _stated_followers(at: datetime) -> pl.Expr:
    """Return followers as the request states them, where they were known at the moment of prediction; else as stored.

    A request without a scrape time speaks of now, which is later than the posting of an older video.
    """
    stated_at = pl.coalesce("scraped_at", pl.lit(at, MOMENT))
    timely = (stated_at <= pl.col("moment")) | (pl.col("posted_at") >= pl.lit(at - _JUST_POSTED, MOMENT))
    return pl.coalesce(pl.when(timely).then("author_followers"), "followers").alias("followers")
