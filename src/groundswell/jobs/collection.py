"""What a forecast is made from: videos as they were posted and all their readings, from database or exports."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from groundswell.frames import MOMENT, READING_SCHEMA, VIDEO_SCHEMA
from groundswell.sources import open_export
from groundswell.stages.ingest import clean
from groundswell.store import corpus
from groundswell.store.database import Database
from groundswell.store.readings import READINGS_SCHEMA, readings

_COUNTERS = tuple(name for name in READINGS_SCHEMA if name not in {"key", "observed_at"})
_FACTS = (
    "platform",
    "author",
    "description",
    "sound_name",
    "hashtags",
    "duration_seconds",
    "posted_at",
    "source",
)
_KEY = pl.concat_str("platform", pl.lit(":"), "platform_video_id").alias("key")


@dataclasses.dataclass(frozen=True, slots=True)
class Collection:
    """Posts (key and what was known at posting), readings (READINGS_SCHEMA), and the rows refused, by reason."""

    name: str
    posts: pl.DataFrame
    readings: pl.DataFrame
    rejected: Mapping[str, int]

    @property
    def followers(self) -> pl.DataFrame:
        """Each creator's followers as they were observed: platform, author, observed_at, author_followers."""
        dated = self.readings.filter(pl.col("author_followers").is_not_null(), pl.col("observed_at").is_not_null())
        known = dated.join(self.posts.select("key", "platform", "author"), on="key")
        return known.select("platform", "author", "observed_at", "author_followers")


def stored_collection(database: Database) -> Collection:
    """Return everything the database holds."""
    posts = corpus.posted(database).select("key", *_FACTS)
    return Collection("the database", posts, readings(database), {})


def exported_collection(
    paths: Sequence[Path],
    as_of: datetime,
    format: str = "auto",  # noqa: A002
    progress: Callable[[int], None] | None = None,
) -> Collection:
    """Return what the exports hold, by the rules of ingest; nothing is stored. Raises SourceError for a bad file.

    A video that stands in several rows takes the newest value of each fact; every row is a reading of it. Readings of
    videos that no file holds are refused.
    """
    rejected: Counter[str] = Counter()
    frames: dict[str, list[pl.DataFrame]] = {"videos": [], "readings": []}
    for path in paths:
        for chunk in open_export(path, format).chunks():
            cleaned = clean(chunk, str(path), as_of)
            rejected.update(rejection.reason for rejection in cleaned.rejections)
            frames[chunk.kind].append(cleaned.frame)
            if progress:
                progress(len(chunk.lines) + len(chunk.broken))
    videos = _stacked(frames["videos"], VIDEO_SCHEMA)
    own = _stacked(frames["readings"], READING_SCHEMA).with_columns(pl.lit(None, pl.Int64).alias("author_followers"))
    posts = _posts(videos)
    strangers = own.join(posts, on="key", how="anti").height
    rejected.update({"unknown_video": strangers} if strangers else {})
    every = pl.concat([_as_readings(videos), _as_readings(own.join(posts, on="key", how="semi"))])
    return Collection(", ".join(str(path) for path in paths), posts, _once(every), dict(sorted(rejected.items())))


def _stacked(frames: Iterable[pl.DataFrame], schema: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    parts = [frame.select(schema.keys()) for frame in frames]
    return (pl.concat(parts) if parts else pl.DataFrame(schema=dict(schema))).with_columns(_KEY)


def _posts(videos: pl.DataFrame) -> pl.DataFrame:
    """Return each video once, with the newest known value of each fact."""
    ordered = videos.sort("scraped_at", "views", nulls_last=False, maintain_order=True)
    newest = [pl.col(name).drop_nulls().last().alias(name) for name in _FACTS if name != "platform"]
    return ordered.group_by("key", "platform", maintain_order=True).agg(newest).select("key", *_FACTS)


def _as_readings(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select("key", pl.col("scraped_at").cast(MOMENT).alias("observed_at"), *_COUNTERS)


def _once(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one reading a video and moment, of several the one with most views."""
    ordered = rows.sort("key", "observed_at", *_COUNTERS, nulls_last=False)
    return ordered.unique(["key", "observed_at"], keep="last", maintain_order=True)
