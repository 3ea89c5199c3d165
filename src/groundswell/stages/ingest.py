"""Ingest: raw rows in, typed rows and rejections out; and what becomes of a row that is already stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from groundswell import parsing
from groundswell.frames import KEY, MOMENT, READING_SCHEMA, VIDEO_SCHEMA, RawChunk, list_series
from groundswell.records import Rejection, utc

#: Every code that a rejection can carry, in words.
REASONS: dict[str, str] = {
    "invalid_json": "The line is not JSON.",
    "not_an_object": "The line is JSON, but no object with named fields.",
    "invalid_csv": "The row is not well-formed CSV.",
    "wrong_field_count": "The row has more or fewer fields than the header.",
    "missing_id": "The row has no id of its own; one inside a URL does not count.",
    "damaged_id": "The id lost digits, as in a spreadsheet: 4.46479E+18.",
    "colon_in_platform": "A platform's name holds no colon, which ends it in a video's key: write a name like tiktok.",
    "not_a_number": "Text, a list or an object stands where a number belongs.",
    "not_finite": "NaN or infinity stands where a number belongs.",
    "not_whole": "A count has a fraction.",
    "negative": "A count or a duration is below zero.",
    "out_of_range": "The number is larger than a database can hold.",
    "not_text": "A number, a list or an object stands where text belongs.",
    "not_a_list": "The hashtags are neither a list nor text.",
    "not_a_date": "The value is no date that we can read: ISO 8601, or seconds since 1970.",
    "implausible_date": "The time lies before 2005, when no such video existed.",
    "future_date": "The time lies more than five minutes ahead.",
    "likes_exceed_views": "More likes than views, by more than the app's rounding explains.",
    "caption_too_long": "The caption has more than 10,000 characters.",
    "text_too_long": "The text has more than 2,000 characters.",
    "too_many_hashtags": "There are more than 1,000 hashtags.",
    "missing_moment": "A reading must say when it was taken.",
    "unknown_video": "The reading is of a video that is not stored.",
}

LONGEST_CAPTION = 10_000
LONGEST_TEXT = 2_000
MOST_HASHTAGS = 1_000
#: The app shows 12.3K, 4.5M, 1.2B; below 10,000 it shows every one: counts from there on, and their unit.
_ROUNDING = ((1_000_000_000, 100_000_000), (1_000_000, 100_000), (10_000, 100))
_SHOWN_CHARACTERS = 200
#: Clocks differ; a scraper's may be a little ahead of ours.
_CLOCK_SKEW = timedelta(minutes=5)

_PARSERS: dict[str, Callable[[Any], Any]] = {
    "platform": parsing.platform,
    "platform_video_id": parsing.video_id,
    "video_url": parsing.name,
    "author": parsing.name,
    "author_url": parsing.name,
    "author_followers": parsing.count,
    "description": parsing.text,
    "views": parsing.count,
    "likes": parsing.count,
    "shares": parsing.count,
    "comments": parsing.count,
    "saves": parsing.count,
    "sound_name": parsing.name,
    "sound_url": parsing.name,
    "hashtags": parsing.tags,
    "category": parsing.name,
    "duration_seconds": parsing.seconds,
    "posted_at": parsing.moment,
    "scraped_at": parsing.moment,
    "source": parsing.name,
}
_NAMES = ("platform", "platform_video_id", "video_url", "author", "author_url", "sound_name", "sound_url", "category")


@dataclasses.dataclass(frozen=True, slots=True)
class Cleaned:
    """The rows of a chunk that can be stored, each with its `line`, and the rejections of the others."""

    frame: pl.DataFrame
    rejections: list[Rejection]


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """What a typed row must not be: the code, the field that is blamed, and where it is so."""

    code: str
    field: str
    broken: pl.Expr


@dataclasses.dataclass(frozen=True, slots=True)
class Reconciled:
    """What becomes of incoming rows: videos to insert, videos to update (in their new form), rows without effect."""

    insert: pl.DataFrame
    update: pl.DataFrame
    unchanged: pl.DataFrame


def clean(chunk: RawChunk, file: str, as_of: datetime) -> Cleaned:
    """Return the typed rows of a chunk and a rejection for every other row; the first failing field decides.

    >>> from datetime import UTC
    >>> raw = {"platform_video_id": ["7", "8"], "views": ["12", "many"]}
    >>> cleaned = clean(RawChunk("videos", [1, 2], raw, []), "a.csv", datetime(2025, 1, 1, tzinfo=UTC))
    >>> cleaned.frame["views"].to_list()
    [12]
    >>> cleaned.rejections
    [Rejection(file='a.csv', line=2, field='views', value='many', reason='not_a_number')]
    """
    schema = VIDEO_SCHEMA if chunk.kind == "videos" else READING_SCHEMA
    columns, failures = _typed(chunk, schema)
    frame = pl.DataFrame([pl.Series("line", chunk.lines, dtype=pl.Int64), *columns])
    rules = _video_rules(utc(as_of)) if chunk.kind == "videos" else _reading_rules(utc(as_of))
    for row, rule in _breaches(frame, rules):
        failures.setdefault(row, (rule.field, rule.code))
    rejections = [Rejection(file, b.line, "", b.value, b.reason) for b in chunk.broken]
    rejections += [
        Rejection(file, chunk.lines[row], field, _shown(chunk.columns.get(field), row), code)
        for row, (field, code) in failures.items()
    ]
    if failures:
        frame = frame[[row for row in range(frame.height) if row not in failures]]
    return Cleaned(frame, sorted(rejections, key=lambda rejection: rejection.line))


def clean_one(raw: Mapping[str, Any], file: str, line: int, as_of: datetime) -> dict[str, Any] | Rejection:
    """Return one video by the columns of VIDEO_SCHEMA, or its rejection: what `clean` says of it, without a frame.

    `raw` has values by canonical column. A live request has one video, and a frame for it costs ten milliseconds.

    >>> from datetime import UTC
    >>> clean_one({"platform_video_id": "7", "views": "12"}, "a.csv", 1, datetime(2025, 1, 1, tzinfo=UTC))["views"]
    12
    """
    row: dict[str, Any] = {}
    for column in VIDEO_SCHEMA:
        try:
            row[column] = _PARSERS[column](raw.get(column))
        except parsing.InvalidValueError as error:
            return Rejection(file, line, column, _shown([raw.get(column)], 0), str(error))
    breach = _first_breach(row, utc(as_of) + _CLOCK_SKEW)
    return Rejection(file, line, breach[0], _shown([raw.get(breach[0])], 0), breach[1]) if breach else row


def _first_breach(row: Mapping[str, Any], until: datetime) -> tuple[str, str] | None:
    """Return field and code of the first of `_video_rules` that a row breaks."""
    tags = row["hashtags"] or ()
    broken = (
        *(("text_too_long", name, _longer(row[name], LONGEST_TEXT)) for name in _NAMES),
        ("caption_too_long", "description", _longer(row["description"], LONGEST_CAPTION)),
        ("likes_exceed_views", "likes", _likes_exceed(row["likes"], row["views"])),
        ("too_many_hashtags", "hashtags", len(tags) > MOST_HASHTAGS),
        ("text_too_long", "hashtags", any(len(tag) > LONGEST_TEXT for tag in tags)),
        *(("future_date", name, (row[name] or until) > until) for name in ("posted_at", "scraped_at")),
        ("text_too_long", "source", _longer(row["source"], LONGEST_TEXT)),
    )
    return next(((field, code) for code, field, is_so in broken if is_so), None)


def _longer(text: str | None, most: int) -> bool:
    return text is not None and len(text) > most


def _likes_exceed(likes: int | None, views: int | None) -> bool:
    if likes is None or views is None or likes <= views:
        return False
    return likes - views > max(_unit(likes), _unit(views))


def _unit(counter: int) -> int:
    return next((unit for least, unit in _ROUNDING if counter >= least), 0)


Failures = dict[int, tuple[str, str]]


def _typed(chunk: RawChunk, schema: dict[str, Any]) -> tuple[list[pl.Series], Failures]:
    """Return every column of the schema parsed, and of each row that has one its first unreadable field and why."""
    failures: Failures = {}
    columns = []
    for column, dtype in schema.items():
        raw = chunk.columns.get(column, [None] * len(chunk.lines))
        values = _parsed(raw, column, failures)
        columns.append(list_series(column, values) if column == "hashtags" else pl.Series(column, values, dtype=dtype))
    return columns, failures


def _parsed(raw: list[Any], column: str, failures: Failures) -> list[Any]:
    parser = _PARSERS[column]
    try:
        return [parser(value) for value in raw]
    except parsing.InvalidValueError:
        return [_parsed_one(parser, value, column, row, failures) for row, value in enumerate(raw)]


def _parsed_one(parser: Callable[[Any], Any], value: Any, column: str, row: int, failures: Failures) -> Any:
    try:
        return parser(value)
    except parsing.InvalidValueError as error:
        failures.setdefault(row, (column, str(error)))
        return None


def _breaches(frame: pl.DataFrame, rules: tuple[Rule, ...]) -> Iterator[tuple[int, Rule]]:
    """Yield each row that breaks a rule with the first rule it breaks."""
    broken = frame.select(rule.broken.fill_null(value=False).alias(str(at)) for at, rule in enumerate(rules))
    for name, rule in zip(broken.columns, rules, strict=True):
        for row in broken[name].arg_true():
            yield row, rule


def _video_rules(as_of: datetime) -> tuple[Rule, ...]:
    return (
        *(Rule("text_too_long", name, pl.col(name).str.len_chars() > LONGEST_TEXT) for name in _NAMES),
        Rule("caption_too_long", "description", pl.col("description").str.len_chars() > LONGEST_CAPTION),
        _LIKES_EXCEED_VIEWS,
        Rule("too_many_hashtags", "hashtags", pl.col("hashtags").list.len() > MOST_HASHTAGS),
        Rule("text_too_long", "hashtags", _longest(pl.col("hashtags")) > LONGEST_TEXT),
        _future("posted_at", as_of),
        _future("scraped_at", as_of),
        Rule("text_too_long", "source", pl.col("source").str.len_chars() > LONGEST_TEXT),
    )


def _reading_rules(as_of: datetime) -> tuple[Rule, ...]:
    return (
        *(Rule("text_too_long", name, pl.col(name).str.len_chars() > LONGEST_TEXT) for name in KEY),
        Rule("missing_moment", "scraped_at", pl.col("scraped_at").is_null()),
        _future("scraped_at", as_of),
        _LIKES_EXCEED_VIEWS,
    )


def _future(column: str, as_of: datetime) -> Rule:
    return Rule("future_date", column, pl.col(column) > pl.lit(as_of + _CLOCK_SKEW, dtype=MOMENT))


def _longest(texts: pl.Expr) -> pl.Expr:
    return texts.list.eval(pl.element().str.len_chars()).list.max()


def _rounding(counter: pl.Expr) -> pl.Expr:
    """Return the unit to which the app rounds a count."""
    units = (pl.when(counter >= least).then(pl.lit(unit, pl.Int64)) for least, unit in _ROUNDING)
    return pl.coalesce(*units, pl.lit(0, pl.Int64))


_LIKES_EXCEED_VIEWS = Rule(
    "likes_exceed_views",
    "likes",
    pl.col("likes") - pl.col("views") > pl.max_horizontal(_rounding(pl.col("likes")), _rounding(pl.col("views"))),
)


def _shown(values: list[Any] | None, row: int) -> str:
    """Return a refused value as short text."""
    value = values[row] if values is not None else None
    if value is None:
        return ""
    if isinstance(value, str):
        return parsing.text(value[:_SHOWN_CHARACTERS]) or ""
    try:
        return parsing.text(repr(value)[:_SHOWN_CHARACTERS]) or ""
    except RecursionError:
        return f"a deeply nested {type(value).__name__}"


def rounds(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the rows in as many frames as the most frequent video has rows, each video once in a frame.

    A video's rows come oldest first, whatever their order in the file: those of an unknown scrape time by views, then
    the others by scrape time.

    >>> rows = {"platform": ["t"] * 3, "platform_video_id": ["1", "1", "2"], "views": [6, 5, 7]}
    >>> [part["views"].to_list() for part in rounds(pl.DataFrame(rows).with_columns(scraped_at=None))]
    [[5, 7], [6]]
    """
    if not frame.select(pl.struct(KEY).is_duplicated().any()).item():
        return [frame]
    oldest_first = frame.sort("scraped_at", "views", nulls_last=False, maintain_order=True)
    numbered = oldest_first.with_columns(pl.int_range(pl.len()).over(KEY).alias("occurrence"))
    parts = numbered.partition_by("occurrence", maintain_order=True, include_key=True)
    return [part.drop("occurrence") for part in sorted(parts, key=lambda part: int(part["occurrence"][0]))]


def reconcile(existing: pl.DataFrame, incoming: pl.DataFrame) -> Reconciled:
    """Return what becomes of each incoming row, given the stored form of the videos among them.

    The newest observation wins. With both scrape times known the later one is newer; one of a known time counts as
    newer than one of an unknown time; of equal times, or with neither known, the one with more views is, since counts
    grow. An update
    takes each incoming value that is not null and keeps the stored one elsewhere. Both frames have the columns of
    VIDEO_SCHEMA, and each video at most once.
    """
    columns = list(VIDEO_SCHEMA)
    stored = existing.select(*KEY, *(pl.col(name).alias(f"stored_{name}") for name in columns))
    joined = incoming.join(stored, on=KEY, how="left", maintain_order="left")
    merged = [pl.coalesce(name, f"stored_{name}").alias(name) for name in columns if name not in KEY]
    known = pl.col("stored_platform").is_not_null()
    newer = joined.filter(known & _newer()).with_columns(merged)
    changed = newer.select(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"stored_{name}")) for name in columns)
    ).to_series()
    update = newer.filter(changed)
    insert = joined.filter(~known)
    unchanged = pl.concat([joined.filter(known & ~_newer()).select(columns), newer.filter(~changed).select(columns)])
    return Reconciled(insert.select(columns), update.select(columns), unchanged)


def _newer() -> pl.Expr:
    """Return whether the incoming observation is the newer one, by an order that holds whatever is read first."""
    dated, stored_dated = pl.col("scraped_at").is_not_null(), pl.col("stored_scraped_at").is_not_null()
    more_views = pl.col("views").fill_null(-1) > pl.col("stored_views").fill_null(-1)
    return (
        pl.when(dated & stored_dated)
        .then(
            (pl.col("scraped_at") > pl.col("stored_scraped_at"))
            | ((pl.col("scraped_at") == pl.col("stored_scraped_at")) & more_views)
        )
        .when(dated | stored_dated)
        .then(dated)
        .otherwise(more_views)
    )
