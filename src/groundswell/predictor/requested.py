"""What was asked: request objects in, usable rows out, and for every other a refusal that says what to send instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from groundswell.frames import MOMENT, RawChunk
from groundswell.records import Rejection, Window
from groundswell.stages.ingest import REASONS, Cleaned, clean, clean_one

#: What a request calls each canonical column.
REQUEST_FIELDS = {
    "platform": "platform",
    "platformVideoId": "platform_video_id",
    "author": "author",
    "authorFollowers": "author_followers",
    "description": "description",
    "views": "views",
    "likes": "likes",
    "shares": "shares",
    "comments": "comments",
    "saves": "saves",
    "soundName": "sound_name",
    "hashtags": "hashtags",
    "durationSeconds": "duration_seconds",
    "postedAt": "posted_at",
    "scrapedAt": "scraped_at",
}
#: Stands in for the id of a video that is only planned or described.
NO_ID = "-"
#: How far ahead a video may be planned.
PLANNED_AHEAD = timedelta(days=366)
_CORRECT = "Correct the field and send this video again."
_DESCRIBE = "Window `observed` describes a video by its counters: give `views` (1 or more) and `likes`."
_POSTED = "Give `postedAt`, and `views` as read within the window, or the id of a video whose readings are stored."
_READ = (
    "Give `views` with `scrapedAt` within the window, or the id of a video whose readings are stored; "
    "`publish` needs no reading."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Why one video got no prediction, and what to send instead."""

    error: str
    hint: str

    def body(self) -> dict[str, str]:
        """Return the refusal as JSON types."""
        return {"error": self.error, "hint": self.hint}


#: What is said of a video that was not posted yet, as far as anybody told.
UNDATED = Refusal("postedAt is missing.", _POSTED)
_NAMES = {column: name for name, column in REQUEST_FIELDS.items()}
_UNLIKED, _UNSEEN = Refusal("likes is missing.", _DESCRIBE), Refusal("views is missing or 0.", _DESCRIBE)


_FIELDS = frozenset(REQUEST_FIELDS) | frozenset(REQUEST_FIELDS.values())
#: Names of fields that are told at most.
_TOLD = 20


def unknown_fields(videos: Sequence[Any]) -> list[str]:
    """Return the names of fields that say nothing to us, such as one that is misspelt: they were not looked at.

    >>> unknown_fields([{"views": 1, "viewz": 2}, {"author": "ann"}, None])
    ['viewz']
    """
    given: set[str] = set().union(*(video.keys() for video in videos if isinstance(video, Mapping)))
    return sorted(str(name)[:100] for name in given - _FIELDS)[:_TOLD]


@dataclasses.dataclass(frozen=True, slots=True)
class Requested:
    """The usable videos, each with its position as `line`, and a refusal for every other position."""

    rows: pl.DataFrame
    refusals: dict[int, Refusal]

    def refuse(self, lines: Sequence[int], refusal: Refusal) -> Requested:
        """Return the request with the videos of these positions refused."""
        return Requested(
            self.rows.filter(~pl.col("line").is_in(list(lines))), self.refusals | dict.fromkeys(lines, refusal)
        )


def read_one(video: Any, window: Window, at: datetime) -> dict[str, Any] | Refusal:
    """Return one video by its canonical columns, or its refusal: what `read_request` says of it, without a frame."""
    if not isinstance(video, Mapping):
        return _not_an_object(window)
    raw = {column: video.get(name, video.get(column)) for name, column in REQUEST_FIELDS.items()}
    raw["platform_video_id"] = _id_or_none_given(raw["platform_video_id"])
    cleaned = clean_one(raw, "request", 0, _until(window, at))
    if isinstance(cleaned, Rejection):
        return _refusal(cleaned, _reasons(window))
    if window is Window.OBSERVED and not cleaned["views"]:
        return _UNSEEN
    if window is Window.OBSERVED and cleaned["likes"] is None:
        return _UNLIKED
    return cleaned


def read_request(videos: Sequence[Mapping[str, Any]], window: Window, at: datetime) -> Requested:
    """Return what can be answered in the window; a video for `publish` may be planned, the others lie in the past."""
    cleaned = _clean(videos, _until(window, at))
    requested = Requested(cleaned.frame, _refusals(cleaned, window)).refuse(
        [line for line, video in enumerate(videos) if not isinstance(video, Mapping)],
        _not_an_object(window),
    )
    return requested if window.is_forecast else _with_counters(requested)


#: What a video is known by once it is stored, and need not be said again.
_FACTS = ("author", "description", "sound_name", "hashtags", "duration_seconds", "posted_at")


def with_stored_facts(requested: Requested, stored: pl.DataFrame) -> Requested:
    """Return the request with what it leaves out of stored videos; `stored` has their key and the facts."""
    known = stored.select(pl.col("key").alias("stored_as"), *(pl.col(name).alias(f"known_{name}") for name in _FACTS))
    rows = requested.rows.join(known, on="stored_as", how="left", maintain_order="left")
    filled = rows.with_columns(pl.coalesce(name, f"known_{name}").alias(name) for name in _FACTS)
    return dataclasses.replace(requested, rows=filled.select(requested.rows.columns))


def timed(requested: Requested, window: Window, at: datetime) -> Requested:
    """Return the videos with the time they were, or are to be, posted: now, where a plan names none."""
    if window is Window.PUBLISH:
        planned = pl.coalesce("posted_at", pl.lit(at, MOMENT)).alias("posted_at")
        return dataclasses.replace(requested, rows=requested.rows.with_columns(planned))
    undated = requested.rows.filter(pl.col("posted_at").is_null())["line"].to_list()
    return requested.refuse(undated, UNDATED)


def readings_of(rows: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return the counters of the rows as readings, taken when they say so, else now."""
    counters = ("views", "likes", "comments", "shares", "saves", "author_followers")
    moment = pl.coalesce("scraped_at", pl.lit(at, MOMENT)).alias("observed_at")
    return rows.filter(pl.col("views").is_not_null()).select("key", moment, *counters)


def unread(window: Window) -> Refusal:
    """Return the refusal of a video that was not read within the window."""
    return Refusal(f"There is no reading of this video within {window.value} of its posting.", _READ)


def _clean(videos: Sequence[Mapping[str, Any]], until: datetime) -> Cleaned:
    objects = [video if isinstance(video, Mapping) else {} for video in videos]
    columns = {
        column: [video.get(name, video.get(column)) for video in objects] for name, column in REQUEST_FIELDS.items()
    }
    columns["platform_video_id"] = [_id_or_none_given(value) for value in columns["platform_video_id"]]
    return clean(RawChunk("videos", list(range(len(videos))), columns, []), "request", until)


def _id_or_none_given(value: Any) -> Any:
    # The rules of ingest hold for requests too, but a video that is only planned or described needs no id.
    return NO_ID if value is None or value == "" else value


def _until(window: Window, at: datetime) -> datetime:
    return at + PLANNED_AHEAD if window is Window.PUBLISH else at


def _not_an_object(window: Window) -> Refusal:
    return Refusal("A video must be a JSON object.", _POSTED if window.is_forecast else _DESCRIBE)


def _refusals(cleaned: Cleaned, window: Window) -> dict[int, Refusal]:
    reasons = _reasons(window)
    return {rejection.line: _refusal(rejection, reasons) for rejection in cleaned.rejections}


def _refusal(rejection: Rejection, reasons: Mapping[str, str]) -> Refusal:
    name = _NAMES.get(rejection.field, rejection.field)
    return Refusal(f"{name}={rejection.value}: {reasons[rejection.reason]}", _CORRECT)


def _reasons(window: Window) -> dict[str, str]:
    """Return what each code means where the video of a request is concerned."""
    future = REASONS["future_date"]
    if window is Window.PUBLISH:
        future = f"The time lies more than {PLANNED_AHEAD.days} days ahead."
    elif window.is_forecast:
        future += " A planned video is asked about in the window `publish`."
    return REASONS | {"future_date": future}


def _with_counters(requested: Requested) -> Requested:
    rows = requested.rows
    unseen = rows.filter(pl.col("views").fill_null(0) == 0)["line"].to_list()
    unliked = rows.filter(pl.col("views") > 0, pl.col("likes").is_null())["line"].to_list()
    return requested.refuse(unliked, _UNLIKED).refuse(unseen, _UNSEEN)
