"""One stored video by its id, without a frame: what `corpus.posted` and `readings` say of it."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from groundswell import parsing
from groundswell.records import utc
from groundswell.store import direct, tables
from groundswell.store.columns import counter, of_metadata
from groundswell.store.database import Database, Driver
from groundswell.store.moments import moments

#: When a video was observed, and its views, likes, comments and shares then.
Reading = tuple[datetime, int | None, int | None, int | None, int | None]
_VIDEOS = tables.scraped_videos.c
_COUNTERS = ("views", "likes", "comments", "shares")
_TEXTS = ("author", "description", "sound_name")
#: Of a row, in this order.
_FACTS = (*_TEXTS, "hashtags", "duration_seconds", "posted_at")
_SNAPSHOTS = """
select observed_at, views, likes, comments, shares from {schema}snapshots
where platform = {platform} and platform_video_id = {video} and observed_at <= {until}"""


@dataclasses.dataclass(frozen=True, slots=True)
class KnownVideo:
    """What is stored of a video, in plain values; what cannot be read in somebody else's row is unknown.

    `facts` are what was posted (author, description, sound_name, hashtags, duration_seconds, posted_at), empty where
    the video is not in `scraped_videos`. `readings` are its snapshots and the counters that stand there, in no order.
    """

    facts: dict[str, Any]
    readings: list[Reading]


def known_video(database: Database, driver: Driver, platform: str, video_id: str, until: datetime) -> KnownVideo:
    """Return what is stored of the video, with its readings up to a time.

    Of a moment that was recorded in `snapshots` the record counts, unless there are more views now: see `readings`.
    """
    asked = {"platform": platform, "video": video_id, "until": direct.moment(driver, until)}
    text, parameters = _row_select(database)
    snapshots_text = direct.filled(_SNAPSHOTS, tuple(asked), database.is_postgres)
    rows, snapshots = direct.select(driver, [(text, parameters | asked), (snapshots_text, asked)])
    recorded: list[Reading] = [(_stored_moment(at), *counts) for at, *counts in snapshots]
    if not rows:
        return KnownVideo({}, recorded)
    row = dict(zip((*_FACTS, "scraped_at", *_COUNTERS), rows[0], strict=True))
    facts = {name: row[name] if isinstance(row[name], str) else None for name in _TEXTS} | {
        "hashtags": parsing.lenient(parsing.tags, row["hashtags"]),
        "duration_seconds": row["duration_seconds"],
        "posted_at": _read_moment(row["posted_at"]),
    }
    observed_at = _read_moment(row["scraped_at"])
    if observed_at is None or observed_at > until or not _is_news(observed_at, row["views"], recorded):
        return KnownVideo(facts, recorded)
    current = (observed_at, row["views"], row["likes"], row["comments"], row["shares"])
    return KnownVideo(facts, [*recorded, current])


def _is_news(observed_at: datetime, views: int | None, recorded: list[Reading]) -> bool:
    """Return whether nothing was recorded at the moment, or fewer views."""
    before = [count for at, count, *_ in recorded if at == observed_at]
    return not before or (views is not None and before[0] is not None and views > before[0])


def _row_select(database: Database) -> tuple[str, dict[str, Any]]:
    """Return the select of a video's row as text, and the values of the parameters that never change."""
    if database.is_postgres not in _ROW_SELECTS:
        dialect = database.engine.dialect if database.is_postgres else sqlite.dialect(paramstyle="named")
        compiled = _row_statement(database).compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        _ROW_SELECTS[database.is_postgres] = str(compiled), dict(compiled.params)
    return _ROW_SELECTS[database.is_postgres]


#: By whether it is PostgreSQL: SQLAlchemy takes longer to put it together than the database to answer it.
_ROW_SELECTS: dict[bool, tuple[str, dict[str, Any]]] = {}


def _row_statement(database: Database) -> sa.Select[Any]:
    hashtags = sa.cast(sa.func.to_jsonb(_VIDEOS.hashtags), sa.Text) if database.is_postgres else _VIDEOS.hashtags
    platform, video = (sa.bindparam(name, "", sa.Text) for name in ("platform", "video"))
    named = sa.and_(_VIDEOS.platform == platform, _VIDEOS.platform_video_id == video)
    unnamed = sa.and_(_VIDEOS.platform.is_(None), _VIDEOS.platform_video_id == video, platform == "tiktok")
    return (
        sa.select(
            *(_VIDEOS[name] for name in _TEXTS),
            hashtags,
            counter(database, _VIDEOS.duration_seconds),
            of_metadata(database, "uploaded_at"),
            of_metadata(database, "scraped_at"),
            *(counter(database, _VIDEOS[name]) for name in _COUNTERS),
        )
        .where(sa.or_(named, unnamed))
        .limit(1)
    )


def _stored_moment(value: datetime | str) -> datetime:
    return utc(value if isinstance(value, datetime) else datetime.fromisoformat(value))


def _read_moment(text: str | None) -> datetime | None:
    """Return the time that `moments` reads from the text: nearly always the one that Python reads, which is quicker."""
    if text is None:
        return None
    quick: datetime | None = parsing.lenient(parsing.moment, text)
    found: datetime | None = quick or moments(pl.Series([text], dtype=pl.String))[0]
    return None if found is None else utc(found)
