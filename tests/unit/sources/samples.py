"""Two made-up videos as each export format writes them, and as readings."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: What every video format must say of the two, in canonical columns.
EXPECTED: dict[str, list[Any]] = {
    "platform_video_id": ["7100000000000000001", "7100000000000000002"],
    "author": ["ann", "bob"],
    "author_followers": [5000, None],
    "description": ["first #fyp", "second"],
    "views": [1000, None],
    "likes": [100, 20],
    "shares": [3, 0],
    "comments": [7, 1],
    "saves": [9, 2],
    "sound_name": ["original sound", None],
    "hashtags": [["fyp", "dance"], []],
    "duration_seconds": [15, 30],
    "posted_at": [1735689600, 1735776000],
}

CLOCKWORKS: list[dict[str, Any]] = [
    {
        "id": "7100000000000000001",
        "text": "first #fyp",
        "createTime": 1735689600,
        "createTimeISO": "2025-01-01T00:00:00.000Z",
        "authorMeta": {"name": "ann", "fans": 5000},
        "musicMeta": {"musicName": "original sound"},
        "webVideoUrl": "https://example.invalid/@ann/video/7100000000000000001",
        "videoMeta": {"duration": 15},
        "diggCount": 100,
        "shareCount": 3,
        "playCount": 1000,
        "collectCount": 9,
        "commentCount": 7,
        "hashtags": [{"name": "fyp"}, {"name": "dance"}],
    },
    {
        "id": "7100000000000000002",
        "text": "second",
        "createTimeISO": "2025-01-02T00:00:00.000Z",
        "authorMeta": {"name": "bob"},
        "musicMeta": None,
        "videoMeta": {"duration": 30},
        "diggCount": 20,
        "shareCount": 0,
        "playCount": None,
        "collectCount": "2",
        "commentCount": 1,
        "hashtags": [],
    },
]
APIDOJO: list[dict[str, Any]] = [
    {
        "id": "7100000000000000001",
        "title": "first #fyp",
        "views": 1000,
        "likes": 100,
        "shares": 3,
        "comments": 7,
        "bookmarks": 9,
        "hashtags": ["fyp", "dance"],
        "channel": {"username": "ann", "followers": 5000},
        "song": {"title": "original sound"},
        "video": {"duration": 15.0},
        "uploadedAt": 1735689600,
    },
    {
        "id": "7100000000000000002",
        "title": "second",
        "views": None,
        "likes": 20,
        "shares": 0,
        "comments": 1,
        "bookmarks": 2,
        "hashtags": [],
        "channel": {"username": "bob"},
        "video": {"duration": 30.0},
        "uploadedAt": 1735776000,
    },
]
ITEM_STRUCT: list[dict[str, Any]] = [
    {
        "id": "7100000000000000001",
        "desc": "first #fyp",
        "createTime": "1735689600",
        "author": {"uniqueId": "ann"},
        "authorStats": {"followerCount": 5000},
        "music": {"title": "original sound"},
        "video": {"duration": 15},
        "challenges": [{"title": "fyp"}, {"title": "dance"}],
        "stats": {"playCount": 1000, "diggCount": 100, "shareCount": 3, "commentCount": 7, "collectCount": 9},
    },
    {
        "id": "7100000000000000002",
        "desc": "second",
        "createTime": "1735776000",
        "author": {"uniqueId": "bob"},
        "video": {"duration": 30},
        "challenges": [],
        "statsV2": {"diggCount": "20", "shareCount": "0", "commentCount": "1", "collectCount": "2"},
    },
]
RESEARCH_API: list[dict[str, Any]] = [
    {
        "id": 7100000000000000001,
        "username": "ann",
        "video_description": "first #fyp",
        "create_time": 1735689600,
        "share_count": 3,
        "view_count": 1000,
        "like_count": 100,
        "comment_count": 7,
        "favorites_count": 9,
        "hashtag_names": ["fyp", "dance"],
        "video_duration": 15,
    },
    {
        "id": 7100000000000000002,
        "username": "bob",
        "video_description": "second",
        "create_time": 1735776000,
        "share_count": 0,
        "view_count": None,
        "like_count": 20,
        "comment_count": 1,
        "favorites_count": 2,
        "hashtag_names": [],
        "video_duration": 30,
    },
]
TIKTOK_10M: list[dict[str, Any]] = [
    {
        "id": "7100000000000000001",
        "user_id": "ann",
        "desc": "first #fyp",
        "duration": 15,
        "create_time": 1735689600,
        "play_count": 1000,
        "digg_count": 100,
        "share_count": 3,
        "comment_count": 7,
        "collect_count": 9,
        "music_title": "original sound",
        "challenges": "fyp,dance",
    },
    {
        "id": "7100000000000000002",
        "user_id": "bob",
        "desc": "second",
        "duration": 30,
        "create_time": 1735776000,
        "play_count": None,
        "digg_count": 20,
        "share_count": 0,
        "comment_count": 1,
        "collect_count": 2,
        "music_title": None,
        "challenges": "",
    },
]
CANONICAL: list[dict[str, Any]] = [
    {
        "aweme_id": "7100000000000000001",
        "Username": "ann",
        "fans": 5000,
        "Caption": "first #fyp",
        "playCount": 1000,
        "diggCount": 100,
        "share_count": 3,
        "comments": 7,
        "bookmarks": 9,
        "music": "original sound",
        "hashtags": ["fyp", "dance"],
        "duration": 15,
        "create_time": 1735689600,
    },
    {
        "aweme_id": "7100000000000000002",
        "Username": "bob",
        "fans": None,
        "Caption": "second",
        "playCount": None,
        "diggCount": 20,
        "share_count": 0,
        "comments": 1,
        "bookmarks": 2,
        "music": None,
        "hashtags": [],
        "duration": 30,
        "create_time": 1735776000,
    },
]
READINGS: list[dict[str, Any]] = [
    {
        "platform": "tiktok",
        "platform_video_id": "7100000000000000001",
        "scraped_at": "2025-01-03T00:00:00Z",
        "views": 1500,
        "likes": 150,
        "comments": 8,
        "shares": 4,
        "saves": 10,
    },
    {
        "platform": "tiktok",
        "platform_video_id": "7100000000000000002",
        "scraped_at": "2025-01-03T01:00:00Z",
        "views": 800,
        "likes": None,
        "comments": 1,
        "shares": 0,
        "saves": 2,
    },
]
VIDEOS: dict[str, list[dict[str, Any]]] = {
    "clockworks": CLOCKWORKS,
    "apidojo": APIDOJO,
    "item_struct": ITEM_STRUCT,
    "research_api": RESEARCH_API,
    "tiktok_10m": TIKTOK_10M,
    "canonical": CANONICAL,
}
#: What a format does not carry.
LACKING = {
    "research_api": ("sound_name", "author_followers"),
    "tiktok_10m": ("author_followers",),
}


def write_array(path: Path, rows: Sequence[Any]) -> Path:
    """Write the rows as one JSON array."""
    path.write_text(json.dumps(list(rows)), encoding="utf-8")
    return path


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    """Write the rows as JSON lines, gzipped where the name says so."""
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path
