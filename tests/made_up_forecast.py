"""A made-up collection to forecast: creators with levels and trends, sounds, hashtags, platforms, growing readings.

Everything is seeded and lies in the first half of 2025, so that nothing hangs on the clock. Rows are plain JSON values
under the canonical names, as an export has them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from groundswell.jobs.collection import Collection, exported_collection
from groundswell.settings import Settings, load_settings

Row = dict[str, Any]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2025, 1, 1, tzinfo=UTC)
#: Videos are posted over five months; a week later everything has been read.
DAYS = 150
AS_OF = START + timedelta(days=DAYS + 9)
#: Few videos calibrate by chance: at the usual limit one fair forecast in twenty is held.
EASY: dict[str, Any] = {"bootstrap": 100, "forecast_max_ece": 0.5, "min_rows": 100}
#: Ages in hours at which a video may be read before its outcome.
EARLY_AGES = (0.5, 1.0, 2.0, 3.0, 5.5, 9.0, 14.0, 23.0)
_HASHTAGS = ("fyp", "FYP", "cat", "Dance", "food", "news", "diy", "ñandú", "travel", "code")
_SOUNDS = ("original sound - ann", "Night Drive", "Paper Moon", "Low Tide", None)
_WORDS = ("how", "to", "fold", "a", "paper", "crane", "in", "spring", "wow!", "really?", "ñ", "3")
_PLATFORMS = ("tiktok", "youtube", "instagram")
#: What an export calls the counters of a reading.
READING_COLUMNS = ("platform", "platform_video_id", "observed_at", "views", "likes", "comments", "shares", "saves")


@dataclasses.dataclass(frozen=True)
class MadeUp:
    """Rows of an export of videos and of one of readings."""

    videos: Sequence[Row]
    readings: Sequence[Row]

    def with_videos(self, videos: Iterable[Row]) -> MadeUp:
        """Return other videos with the same readings."""
        return dataclasses.replace(self, videos=tuple(videos))

    def write(self, folder: Path, form: str = "parquet") -> list[Path]:
        """Write both exports into the folder and return their paths, videos first."""
        folder.mkdir(parents=True, exist_ok=True)
        named = {"videos": self.videos, "readings": self.readings}
        return [written(folder / f"{name}.{form}", rows) for name, rows in named.items() if rows]

    def collection(self, folder: Path, as_of: datetime = AS_OF) -> Collection:
        """Return what the exports hold, by way of files in the folder."""
        return exported_collection(self.write(folder), as_of)


def written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows as Parquet or JSON lines, by the suffix."""
    if path.suffix == ".parquet":
        pl.DataFrame(list(rows), infer_schema_length=None).write_parquet(path)
    else:
        path.write_bytes(b"".join(orjson.dumps(dict(row)) + b"\n" for row in rows))
    return path


def iso(moment: datetime) -> str:
    """Return a time as an export writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def quick(**changed: Any) -> Settings:
    """Return settings that are quick about intervals and easy about calibration, so that no test hangs on luck."""
    return load_settings(**(EASY | changed))


@functools.cache
def made_up(count: int = 900, seed: int = 1) -> MadeUp:
    """Return videos whose views come of creator, trend, sound, hashtags, platform and chance, and their readings.

    Of the videos some have no author, sound, caption or hashtags; a twentieth has only one reading of unknown time;
    some are read too early only, or too late. Readings miss a counter here and there, and some fall.
    """
    generator = np.random.default_rng(seed)
    creators = max(8, count // 18)
    shares = generator.dirichlet(np.full(creators, 0.8))
    level, trend = generator.normal(8.0, 1.8, creators), generator.normal(0.0, 0.4, creators)
    begins = np.where(generator.random(creators) < 0.2, generator.uniform(0.6, 0.95, creators), 0.0)
    sound_effect, tag_effect = generator.normal(0, 0.4, len(_SOUNDS)), generator.normal(0, 0.3, len(_HASHTAGS))
    videos: list[Row] = []
    readings: list[Row] = []
    for number in range(count):
        creator = int(generator.choice(creators, p=shares))
        place = begins[creator] + (1 - begins[creator]) * generator.random()
        posted_at = START + timedelta(seconds=round(place * DAYS * 86_400))
        sound = int(generator.integers(0, len(_SOUNDS)))
        tags = generator.choice(len(_HASHTAGS), int(generator.integers(0, 5)), replace=False)
        platform = creator % 3 if generator.random() < 0.95 else 0
        final = (
            level[creator]
            + trend[creator] * (2 * place - 1)
            + sound_effect[sound]
            + (tag_effect[tags].mean() if len(tags) else 0.0)
            + 0.5 * platform
            + generator.normal(0, 0.6)
        )
        plan = {
            "platform": _PLATFORMS[platform],
            "platform_video_id": f"{seed}{number:06d}",
            "author": f"creator{creator}" if generator.random() > 0.03 else None,
            "description": " ".join(generator.choice(_WORDS, int(generator.integers(0, 25)))) + f" {number}",
            "sound_name": _SOUNDS[sound],
            "hashtags": [_HASHTAGS[tag] for tag in tags],
            "duration_seconds": int(generator.integers(5, 120)) if generator.random() > 0.05 else None,
            "posted_at": iso(posted_at),
            "source": "apify" if creator % 2 else "research",
        }
        seen = _received(generator, posted_at, float(np.exp(final)), level[creator])
        videos.append({**plan, **seen[-1]})
        bare = {name: plan[name] for name in ("platform", "platform_video_id")}
        readings += [{**bare, **_as_reading(reading)} for reading in seen[:-1]]
    return MadeUp(tuple(videos), tuple(readings))


def _received(generator: np.random.Generator, posted_at: datetime, final: float, level: float) -> list[Row]:
    """Return the readings of a video in the order of time; the last is that of the scraper's export of videos."""
    followers = int(np.exp(level + 2) * (1 + 0.1 * generator.random()))
    slowness = float(np.exp(generator.uniform(np.log(4), np.log(150))))
    fate = generator.random()
    if fate < 0.05:  # read once, nobody knows when
        return [_counters(generator, final, followers, None)]
    early = sorted(generator.choice(EARLY_AGES, int(generator.integers(0, 5)), replace=False).tolist())
    late = [] if fate < 0.09 else [float(generator.uniform(73, 100))]
    if generator.random() < 0.3:
        late.append(float(generator.uniform(110, 190)))
    ages = [*early, *late] or [30.0]
    seen = []
    for age in ages:
        views = final * (1 - np.exp(-age / slowness)) * (1 + 0.02 * age / 72)
        views *= 0.97 if generator.random() < 0.05 else 1.0  # a scraper's correction
        at = posted_at + timedelta(seconds=round(age * 3_600))
        seen.append(_counters(generator, views, followers, at))
    return seen


def _counters(generator: np.random.Generator, views: float, followers: int, at: datetime | None) -> Row:
    likes = views * generator.beta(4, 40)
    known = generator.random(4) > 0.05
    return {
        "author_followers": followers if known[0] else None,
        "views": int(views) + 1,
        "likes": int(likes) if known[1] else None,
        "comments": int(likes * 0.05) if known[2] else None,
        "shares": int(likes * 0.1) if known[3] else None,
        "saves": int(likes * 0.2),
        "scraped_at": None if at is None else iso(at),
    }


def _as_reading(seen: Row) -> Row:
    named = {**seen, "observed_at": seen["scraped_at"]}
    return {name: named[name] for name in READING_COLUMNS if name in named}


@functools.cache
def without_signal(count: int = 1_500, seed: int = 1) -> MadeUp:
    """Return videos each of another author, whose views are independent of all that is known of them."""
    generator = np.random.default_rng(seed)
    videos = [
        {
            **video,
            "author": f"stranger{number}",
            "author_followers": None,
            "views": int(np.exp(generator.normal(8, 1.5))) + 1,
            "likes": None,
            "scraped_at": None,
        }
        for number, video in enumerate(made_up(count, seed).videos)
    ]
    return MadeUp(tuple(videos), ())
