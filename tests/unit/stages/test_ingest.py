"""What is refused and why, and what becomes of a row that is stored already."""

from __future__ import annotations

import inspect
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from groundswell import parsing
from groundswell.frames import READING_SCHEMA, VIDEO_SCHEMA, BrokenLine, RawChunk
from groundswell.stages import ingest as stage
from groundswell.stages.ingest import REASONS, clean, reconcile, rounds

AS_OF = datetime(2025, 6, 1, tzinfo=UTC)


def chunk(*rows: dict[str, Any], kind: Any = "videos") -> RawChunk:
    names = dict.fromkeys(name for row in rows for name in row)
    return RawChunk(kind, list(range(1, len(rows) + 1)), {n: [row.get(n) for row in rows] for n in names}, [])


def refused(row: dict[str, Any], kind: Any = "videos") -> tuple[str, str, str]:
    cleaned = clean(chunk({"platform_video_id": "1"}, row, kind=kind), "file", AS_OF)
    (rejection,) = [one for one in cleaned.rejections if one.line == 2]
    assert 2 not in cleaned.frame["line"]
    assert rejection.reason in REASONS
    return rejection.field, rejection.reason, rejection.value


def kept(**row: Any) -> dict[str, Any]:
    cleaned = clean(chunk({"platform_video_id": "1", **row}), "file", AS_OF)
    assert cleaned.rejections == []
    return cleaned.frame.row(0, named=True)


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ({}, "platform_video_id", "missing_id"),
        ({"video_url": "https://example.invalid/video/7"}, "platform_video_id", "missing_id"),
        ({"platform_video_id": 4.46e18}, "platform_video_id", "damaged_id"),
        ({"platform": "a:b"}, "platform", "colon_in_platform"),
        ({"views": -1}, "views", "negative"),
        ({"comments": "many"}, "comments", "not_a_number"),
        ({"shares": float("nan")}, "shares", "not_finite"),
        ({"saves": 1.5}, "saves", "not_whole"),
        ({"author_followers": 2**64}, "author_followers", "out_of_range"),
        ({"views": 99, "likes": 100}, "likes", "likes_exceed_views"),
        ({"posted_at": "soon"}, "posted_at", "not_a_date"),
        ({"posted_at": 0}, "posted_at", "implausible_date"),
        ({"posted_at": "2025-06-01T00:05:01Z"}, "posted_at", "future_date"),
        ({"scraped_at": "2026-01-01"}, "scraped_at", "future_date"),
        ({"description": 7}, "description", "not_text"),
        ({"description": "x" * 10_001}, "description", "caption_too_long"),
        ({"author": "x" * 2_001}, "author", "text_too_long"),
        ({"hashtags": ["x" * 2_001]}, "hashtags", "text_too_long"),
        ({"hashtags": ["x"] * 1_001}, "hashtags", "too_many_hashtags"),
        ({"hashtags": 5}, "hashtags", "not_a_list"),
        ({"duration_seconds": -5}, "duration_seconds", "negative"),
    ],
)
def test_a_wrong_row_names_the_field_and_the_reason(row: dict[str, Any], field: str, reason: str) -> None:
    given = {"platform_video_id": "2"} if reason != "missing_id" else {}
    assert refused({**given, **row})[:2] == (field, reason)


def test_videos_never_share_a_key_that_holds_a_colon_of_either() -> None:
    rows = ({"platform": "a", "platform_video_id": "b:c"}, {"platform": "a:b", "platform_video_id": "c"})
    for kind in ("videos", "readings"):
        moment = {"scraped_at": AS_OF}
        cleaned = clean(chunk(*(row | moment for row in rows), kind=kind), "file", AS_OF)
        assert cleaned.frame.select("platform", "platform_video_id").rows() == [("a", "b:c")]
        assert [(one.line, one.field, one.value, one.reason) for one in cleaned.rejections] == [
            (2, "platform", "a:b", "colon_in_platform")
        ]


def test_a_reading_needs_a_moment() -> None:
    cleaned = clean(chunk({"platform_video_id": "2", "views": 5}, kind="readings"), "file", AS_OF)
    assert [one.reason for one in cleaned.rejections] == ["missing_moment"]
    assert cleaned.frame.columns == ["line", *READING_SCHEMA]


def test_the_value_is_shown_shortened_and_fit_for_a_file() -> None:
    assert refused({"platform_video_id": "2", "description": "é" * 1_000_000})[2] == "é" * 200
    assert refused({"platform_video_id": "2", "views": {"a": "\ud800" * 500}})[2].startswith("{'a': '")
    assert refused({"platform_video_id": "2", "author": ["\x00\ud800"]})[2].encode()


def test_the_first_failing_field_decides_and_a_row_is_refused_once() -> None:
    assert refused({"views": -1, "posted_at": "soon"})[1] == "missing_id"
    assert refused({"platform_video_id": "2", "views": -1, "likes": -1})[0] == "views"


def test_broken_lines_are_rejections_in_line_order() -> None:
    raw = RawChunk("videos", [1, 3], {"platform_video_id": ["1", None]}, [BrokenLine(2, "{", "invalid_json")])
    assert [(r.line, r.reason) for r in clean(raw, "file", AS_OF).rejections] == [
        (2, "invalid_json"),
        (3, "missing_id"),
    ]


def test_null_counters_and_missing_columns_are_kept() -> None:
    row = kept(views=None, likes="", saves=None)
    assert row["views"] is row["likes"] is row["shares"] is None
    assert row["platform"] == "tiktok"


def test_a_little_ahead_is_only_another_clock() -> None:
    assert kept(scraped_at=AS_OF + timedelta(minutes=5))["scraped_at"] == AS_OF + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("views", "likes", "fine"),
    [
        (9_999, 10_000, True),  # 10K may stand for 9,950 to 10,049
        (9_998, 9_999, False),
        (12_300, 12_400, True),
        (12_300, 12_401, False),
        (1_200_000, 1_300_000, True),
        (1_200_000, 1_300_001, False),
        (950_000, 1_000_000, True),
        (1_000_000_000, 1_100_000_000, True),
        (1_000_000_000, 1_100_000_001, False),
        (0, 1, False),
        (None, 5, True),
    ],
)
def test_likes_may_exceed_views_by_the_apps_rounding(views: int | None, likes: int, fine: bool) -> None:
    cleaned = clean(chunk({"platform_video_id": "1", "views": views, "likes": likes}), "file", AS_OF)
    assert cleaned.frame.height == int(fine)


def test_every_code_of_the_stage_has_its_sentence() -> None:
    rules = (*stage._video_rules(AS_OF), *stage._reading_rules(AS_OF))
    assert {rule.code for rule in rules} <= REASONS.keys()
    parsing_source = inspect.getsource(parsing)
    raised = {part.split('"')[0] for part in parsing_source.split('InvalidValueError("')[1:]}
    assert raised <= REASONS.keys()


def video(**values: Any) -> pl.DataFrame:
    row = {"platform": "tiktok", "platform_video_id": "1", **values}
    return pl.DataFrame([{name: row.get(name) for name in VIDEO_SCHEMA}], schema=VIDEO_SCHEMA)


NOTHING = pl.DataFrame(schema=VIDEO_SCHEMA)
EARLY, LATE = AS_OF - timedelta(days=2), AS_OF - timedelta(days=1)


def outcome(stored: pl.DataFrame, incoming: pl.DataFrame) -> str:
    result = reconcile(stored, incoming)
    heights = {"insert": result.insert.height, "update": result.update.height, "unchanged": result.unchanged.height}
    (name,) = [name for name, height in heights.items() if height]
    assert heights[name] == 1
    return name


@pytest.mark.parametrize(
    ("stored", "incoming", "expected"),
    [
        ({"scraped_at": EARLY, "views": 9}, {"scraped_at": LATE, "views": 5}, "update"),
        ({"scraped_at": LATE, "views": 5}, {"scraped_at": EARLY, "views": 9}, "unchanged"),
        ({"scraped_at": LATE, "views": 5}, {"scraped_at": LATE, "views": 9}, "update"),
        ({"scraped_at": LATE, "views": 9}, {"scraped_at": LATE, "views": 5}, "unchanged"),
        ({"scraped_at": EARLY, "views": 5}, {"scraped_at": LATE, "views": 5}, "update"),
        ({"views": 5}, {"views": 9}, "update"),
        ({"views": 9}, {"views": 5}, "unchanged"),
        ({"views": 5}, {"views": 5, "likes": 1}, "unchanged"),
        ({"views": None}, {"views": 0}, "update"),
        ({"views": 5}, {"views": None}, "unchanged"),
        ({"views": None}, {"views": None}, "unchanged"),
        ({"scraped_at": LATE, "views": 5}, {"views": 9}, "unchanged"),
        ({"views": 9}, {"scraped_at": LATE, "views": 5}, "update"),
    ],
)
def test_the_newest_observation_wins(stored: dict[str, Any], incoming: dict[str, Any], expected: str) -> None:
    assert outcome(video(**stored), video(**incoming)) == expected


def test_an_unknown_video_is_inserted() -> None:
    assert outcome(NOTHING, video(views=5)) == "insert"
    assert outcome(video(platform="youtube"), video(views=5)) == "insert"


def test_an_update_keeps_what_the_newer_observation_does_not_say() -> None:
    stored = video(scraped_at=EARLY, views=5, saves=2, author="ann", hashtags=["a"], posted_at=EARLY)
    new = reconcile(stored, video(scraped_at=LATE, views=9, author="anna")).update.row(0, named=True)
    assert (new["views"], new["saves"], new["author"], new["hashtags"]) == (9, 2, "anna", ["a"])
    assert (new["scraped_at"], new["posted_at"]) == (LATE, EARLY)


def test_the_last_observation_does_not_depend_on_the_order_of_reading() -> None:
    seen = [video(scraped_at=EARLY, views=100), video(views=150), video(scraped_at=LATE, views=120)]
    for order in itertools.permutations(seen):
        stored = NOTHING
        for incoming in (*order, *order):
            result = reconcile(stored, incoming)
            stored = pl.concat([result.insert, result.update]) if result.unchanged.is_empty() else stored
        assert stored.select("views", "scraped_at").row(0) == (120, LATE)


def test_rounds_hold_each_video_once_and_take_its_rows_oldest_first() -> None:
    given = [(4, "a", None), (2, "b", None), (None, "a", None), (9, "a", LATE), (8, "a", EARLY)]
    frame = pl.concat([video(views=n, platform_video_id=i, scraped_at=t) for n, i, t in given])
    found = [{row["platform_video_id"]: row["views"] for row in part.to_dicts()} for part in rounds(frame)]
    assert found == [{"a": None, "b": 2}, {"a": 4}, {"a": 8}, {"a": 9}]
    assert [part.height for part in rounds(NOTHING)] == [0]
