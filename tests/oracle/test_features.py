"""The 15 features against plain Python over one row's dictionary, written from the design and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.stages import features
from tests.made_up import PLAIN, law, plain, stored, stored_rows, videos

Row = dict[str, Any]


def over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0


def follower_tier(followers: int | None) -> float:
    if followers is None:
        return 0.5
    steps = [(10_000, 0.1), (100_000, 0.3), (500_000, 0.5), (1_000_000, 0.7)]
    return next((value for limit, value in steps if followers < limit), 0.9)


def slow_features(row: Row) -> dict[str, float]:
    views, likes, shares, comments = (row[name] or 0 for name in ("views", "likes", "shares", "comments"))
    saves, followers = row["saves"], row["author_followers"]
    posted = row["posted_at"] or row["created_at"]
    unclipped = {
        "shareRate": over(shares, views),
        "commentRate": over(comments, views),
        "likeRate": over(likes, views),
        "saveRate": over(0.15 * likes if saves is None else saves, views),
        "shareToLikeRatio": over(shares, likes),
        "commentToLikeRatio": over(comments, likes),
        "durationSeconds": (30 if row["duration_seconds"] is None else row["duration_seconds"]) / 180,
        "hashtagCount": len(row["hashtags"] or []) / 30,
        "hasTrendingSound": 1.0 if (row["sound_name"] or "").strip() else 0.0,
        "captionLength": len(row["description"] or "") / 2000,
        "hasFollowerData": 0.0 if followers is None else 1.0,
        "followerTier": follower_tier(followers),
        "viewsPerFollower": over(views, followers or 0) / 50,
        "weekdayPosted": 0.5 if posted is None else posted.isoweekday() % 7 / 6,
        "hourPosted": 0.5 if posted is None else posted.hour / 23,
    }
    return {name: min(max(value, 0.0), 1.0) for name, value in unclipped.items()}


@law
@given(st.lists(stored_rows, min_size=1, max_size=8))
def test_features_equal_plain_python(rows: list[Row]) -> None:
    found = features.compute(stored(rows)).to_dicts()
    for ours, row in zip(found, rows, strict=True):
        slow = slow_features(row)
        assert list(ours) == list(slow)
        assert ours == pytest.approx(slow, rel=1e-12)


def test_features_of_many_videos_equal_plain_python() -> None:
    rows = videos(500, seed=1)
    found = features.compute(stored(rows)).to_dicts()
    assert found == [pytest.approx(slow_features(row)) for row in rows]


def one(name: str, **changed: Any) -> float:
    return float(features.compute(plain(**changed))[name][0])


def moment(day: int, hour: int = 0) -> datetime:
    return datetime(2025, 1, day, hour, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "changed", "expected"),
    [
        ("shareRate", {"views": 0}, 0),
        ("shareRate", {"shares": None}, 0),
        ("shareRate", {"shares": 25, "views": 100}, 0.25),
        ("likeRate", {"likes": 2_000, "views": 1_000}, 1),
        ("likeRate", {"likes": None}, 0),
        ("saveRate", {"saves": 0, "likes": 100, "views": 1_000}, 0),
        ("saveRate", {"saves": None, "likes": 100, "views": 1_000}, 0.015),
        ("saveRate", {"saves": None, "likes": None}, 0),
        ("shareToLikeRatio", {"likes": 0, "shares": 9}, 0),
        ("commentToLikeRatio", {"likes": 10, "comments": 4}, 0.4),
        ("durationSeconds", {"duration_seconds": None}, 30 / 180),
        ("durationSeconds", {"duration_seconds": 0}, 0),
        ("durationSeconds", {"duration_seconds": 181}, 1),
        ("hashtagCount", {"hashtags": None}, 0),
        ("hashtagCount", {"hashtags": ["a"] * 3}, 0.1),
        ("hasTrendingSound", {"sound_name": None}, 0),
        ("hasTrendingSound", {"sound_name": " \t\n\u00a0\u3000"}, 0),
        ("hasTrendingSound", {"sound_name": " a "}, 1),
        ("captionLength", {"description": "👍" * 200}, 0.1),
        ("hasFollowerData", {"author_followers": 0}, 1),
        ("hasFollowerData", {"author_followers": None}, 0),
        ("followerTier", {"author_followers": None}, 0.5),
        ("followerTier", {"author_followers": 9_999}, 0.1),
        ("followerTier", {"author_followers": 10_000}, 0.3),
        ("followerTier", {"author_followers": 100_000}, 0.5),
        ("followerTier", {"author_followers": 500_000}, 0.7),
        ("followerTier", {"author_followers": 1_000_000}, 0.9),
        ("viewsPerFollower", {"author_followers": 0}, 0),
        ("viewsPerFollower", {"author_followers": None}, 0),
        ("viewsPerFollower", {"author_followers": 100, "views": 1_000}, 0.2),
        ("weekdayPosted", {"posted_at": moment(5)}, 0),  # a Sunday
        ("weekdayPosted", {"posted_at": moment(6)}, 1 / 6),
        ("weekdayPosted", {"posted_at": moment(4, 23)}, 1),
        ("weekdayPosted", {"posted_at": None, "created_at": moment(7)}, 2 / 6),
        ("weekdayPosted", {"posted_at": None, "created_at": None}, 0.5),
        ("hourPosted", {"posted_at": moment(5, 23)}, 1),
        ("hourPosted", {"posted_at": None, "created_at": moment(7, 4)}, 4 / 23),
        ("hourPosted", {"posted_at": None, "created_at": None}, 0.5),
    ],
)
def test_feature_by_hand(name: str, changed: Row, expected: float) -> None:
    assert one(name, **changed) == pytest.approx(expected)
    assert slow_features(PLAIN | changed)[name] == pytest.approx(expected)


def test_slices_say_the_same_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = stored(videos(50, seed=3))
    whole = features.matrix(frame)
    monkeypatch.setattr(features, "_SLICE_ROWS", 7)
    assert (features.matrix(frame) == whole).all()


def test_no_videos_have_no_features() -> None:
    assert features.matrix(stored([])).shape == (0, 15)
