"""A made-up scraper: seeded videos and outcomes that look like the real thing, for the demo and for tests.

Shapes are taken from public TikTok collections: log-normal views with a creator's own level (about half of the
variance), heavy tails, engagement that falls with reach, missing fields, and a slow drift of reach over time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DAYS = 180
VIDEOS_A_CREATOR = 12
#: Every id begins with it, so that made-up rows are never taken for a user's own.
ID_PREFIX = "demo-"
_TAGS = ("fyp", "foryou", "viral", "diy", "food", "dance", "learn", "travel", "fitness", "comedy", "pets", "music")
_WORDS = ("how", "to", "make", "this", "in", "one", "minute", "you", "will", "not", "believe", "my", "day", "with")


@dataclasses.dataclass(frozen=True, slots=True)
class Reach:
    """What decides a made-up video's counters."""

    creator: npt.NDArray[np.int64]
    followers: Floats
    age_days: Floats
    views: Floats


def synthetic_videos(rows: int, seed: int, until: datetime) -> Iterator[dict[str, Any]]:
    """Yield rows as the Apify scraper `clockworks` delivers them, posted over the 180 days before `until`."""
    generator = np.random.default_rng(seed)
    reach = _reach(generator, rows)
    quality = generator.normal(0, 0.15, rows)
    like_rate = 0.08 * np.exp(quality - 0.1 * np.log(reach.views / 1e4))
    likes = np.floor(reach.views * np.clip(like_rate, 0, 0.4))
    counters = {
        "playCount": np.floor(reach.views),
        "diggCount": likes,
        "shareCount": np.floor(likes * 0.05 * np.exp(generator.normal(0, 0.6, rows))),
        "commentCount": np.floor(likes * 0.02 * np.exp(generator.normal(0, 0.5, rows))),
        "collectCount": np.floor(likes * 0.1 * np.exp(generator.normal(0, 0.5, rows))),
    }
    lengths = np.clip(np.exp(generator.normal(3.2, 0.7, rows)), 5, 600)
    known = generator.random((rows, 3)) > (0.05, 0.1, 0.04)
    for row in range(rows):
        posted = until - timedelta(days=float(reach.age_days[row]))
        yield _video(row, generator, posted, until, reach, lengths[row], known[row]) | {
            name: int(values[row]) for name, values in counters.items() if name != "collectCount" or known[row, 2]
        }


def synthetic_outcomes(rows: int, seed: int, until: datetime) -> list[dict[str, Any]]:
    """Return rows of `outcomes`: an over-confident product's scores and what came of them, over the last 60 days."""
    generator = np.random.default_rng(seed + 1)
    chance = generator.beta(2, 2, rows)
    stated = 1 / (1 + np.exp(-2.4 * np.log(chance / (1 - chance))))
    actual = np.clip(chance + generator.normal(0, 0.08, rows), 0, 1)
    created = [until - timedelta(days=float(days)) for days in generator.uniform(1, 60, rows)]
    return [
        {
            "id": f"00000000-0000-4000-8000-{row:012d}",
            "predicted_score": round(100 * float(stated[row]), 2),
            "actual_score": round(100 * float(actual[row]), 2),
            "delta": round(100 * float(actual[row]), 2) - round(100 * float(stated[row]), 2),
            "platform": "tiktok",
            "reported_at": created[row],
            "created_at": created[row],
            "updated_at": created[row],
        }
        for row in range(rows)
    ]


def _reach(generator: np.random.Generator, rows: int) -> Reach:
    creators = max(2, rows // VIDEOS_A_CREATOR)
    # Some creators post far more than others.
    weight = generator.pareto(1.5, creators) + 0.3
    creator = generator.choice(creators, rows, p=weight / weight.sum())
    log_followers = generator.normal(9.5, 2.0, creators)
    level = 4.2 + 0.55 * log_followers + generator.normal(0, 0.8, creators)
    age = np.sort(generator.uniform(1, DAYS, rows))[::-1]
    drift = 0.4 * (1 - age / DAYS)
    noise = 1.3 * generator.standard_t(4, rows)
    views = np.exp(np.clip(level[creator] + drift + noise, np.log(20), np.log(3e8)))
    return Reach(creator, np.exp(log_followers)[creator], age, views)


def _video(
    row: int,
    generator: np.random.Generator,
    posted: datetime,
    until: datetime,
    reach: Reach,
    length: float,
    known: npt.NDArray[np.bool_],
) -> dict[str, Any]:
    name = f"creator{reach.creator[row]:05d}"
    tags = [str(tag) for tag in generator.choice(_TAGS, generator.integers(0, 7), replace=False)]
    caption = " ".join(str(word) for word in generator.choice(_WORDS, generator.integers(2, 14)))
    return {
        "id": f"{ID_PREFIX}{row:09d}",
        "text": " ".join([caption, *(f"#{tag}" for tag in tags)]),
        "createTimeISO": posted.astimezone(UTC).isoformat(timespec="seconds"),
        "authorMeta": {"name": name} | ({"fans": int(reach.followers[row])} if known[0] else {}),
        "musicMeta": {"musicName": "original sound" if known[1] else None},
        "videoMeta": {"duration": int(length)},
        "hashtags": [{"name": tag} for tag in tags],
        "scrapedAt": until.astimezone(UTC).isoformat(timespec="seconds"),
    }
