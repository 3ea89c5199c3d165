"""What a forecast costs and how good it is: history, a `publish` retrain, one live row, and the real collections."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from bench.measure import REAL_DATA, Row, peak_megabytes, resident_megabytes, seconds
from groundswell.frames import MOMENT
from groundswell.jobs.backtest import backtest
from groundswell.jobs.collection import exported_collection
from groundswell.jobs.context import open_context
from groundswell.jobs.ingest import ingest
from groundswell.jobs.retrain import retrain
from groundswell.records import Window
from groundswell.settings import load_settings
from groundswell.sources.synthetic import synthetic_videos
from groundswell.stages.features.history import History, add_history, tags_of

LABEL_AGE = timedelta(hours=72)
FEW, MANY = 100_000, 2_000_000
_BEGIN = datetime(2023, 1, 1, tzinfo=UTC)
_YEARS = 2 * 365 * 86_400
_TAGS_EACH = 3
#: Videos a creator on average; the busiest have hundreds of times as many.
_VIDEOS_EACH = 5


def history_100k() -> list[Row]:
    """History of every video of a collection, and how time and memory grow to twenty times as many."""
    few = _posts(FEW)
    _add_history(few)
    short = _least_seconds(lambda: _add_history(few), 5)
    many = _posts(MANY)
    before = resident_megabytes()
    peak = peak_megabytes(lambda: _add_history(many)) - before
    long = _least_seconds(lambda: _add_history(many), 2)
    ratio, allowed = long / short, 1.5 * MANY * math.log(MANY) / (FEW * math.log(FEW))
    return [
        Row("history features of 100,000 videos", "< 5 s", f"{short:.2f} s", short < 5),
        Row(
            "… of 2,000,000, against 100,000",
            f"≤ {allowed:.1f}× (1.5 · n·log n)",
            f"{ratio:.1f}× ({long:.1f} s)",
            ratio <= allowed,
        ),
        Row("… peak memory beyond the input", "for scale", f"{peak:,.0f} MB", True),
    ]


def _least_seconds(call: Callable[[], object], runs: int) -> float:
    """Return the seconds of the quickest call: growth is the work's, not that of whoever else is on the machine."""
    return min(seconds(call, runs=1) for _ in range(runs))


def _add_history(posts: pl.DataFrame) -> pl.DataFrame:
    followers = posts.select("platform", "author", "posted_at", pl.lit(1_000, pl.Int64).alias("author_followers"))
    history = History(posts, tags_of(posts), followers.rename({"posted_at": "observed_at"}).gather_every(10))
    return add_history(posts.with_columns(pl.col("posted_at").alias("moment")), history, LABEL_AGE)


def _posts(count: int) -> pl.DataFrame:
    """Return matured posts of two years: a few creators, sounds and hashtags are far busier than the rest."""
    generator = np.random.default_rng(0)
    creators, sounds, tags = count // _VIDEOS_EACH, count // 4, count // 2
    author, tag = _zipf(generator, creators, count), _zipf(generator, tags, count * _TAGS_EACH)
    views = np.exp(9 + generator.normal(0, 1.5, creators)[author] + generator.normal(0, 1.2, count)).astype(np.int64)
    posted = int(_BEGIN.timestamp()) + generator.integers(0, _YEARS, count)
    return pl.DataFrame(
        {
            "key": pl.Series(generator.permutation(count)).cast(pl.String),
            "author": pl.Series(author).cast(pl.String),
            "sound_name": pl.Series(_zipf(generator, sounds, count)).cast(pl.String),
            "tags": tag.reshape(count, _TAGS_EACH),
            "posted_at": pl.Series(posted * 1_000_000).cast(MOMENT),
            "views": views,
            "engagement": generator.random(count),
        }
    ).select(
        pl.format("tiktok:{}", "key").alias("key"),
        pl.lit("tiktok").alias("platform"),
        pl.format("author{}", "author").alias("author"),
        pl.format("sound{}", "sound_name").alias("sound_name"),
        pl.col("tags").arr.to_list().cast(pl.List(pl.String)).alias("hashtags"),
        "posted_at",
        "views",
        "engagement",
    )


def _zipf(generator: np.random.Generator, names: int, count: int) -> Any:
    """Return numbers of names: the k-th is used about 1/k as often as the first."""
    return np.floor(names ** generator.random(count)).astype(np.int64) - 1


MATURE = 50_000


def publish_retrain() -> list[Row]:
    """The first `publish` retrain of a fresh home that holds 50,000 videos with an outcome."""
    until = datetime(2026, 1, 1, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "videos.jsonl"
        path.write_bytes(b"".join(orjson.dumps(video) + b"\n" for video in _matured(until)))
        context = open_context(load_settings(home=Path(folder) / "home", database_url=None))
        ingest(context.database, context.settings, [path], as_of=datetime.now(UTC))
        start = time.perf_counter()
        body = retrain(context, Window.PUBLISH, datetime.now(UTC)).body
        taken = time.perf_counter() - start
        context.database.dispose()
    steps = ", ".join(f"{name} {spent:.1f}" for name, spent in body["stepSeconds"].items())
    mature = sum(body["n"][part] for part in ("train", "calibration", "embargo", "holdout"))
    return [
        Row(
            f"retrain --window publish, {mature:,} mature videos",
            "< 30 s",
            f"{taken:.1f} s ({body['status']})",
            taken < 30 and mature == MATURE and body["status"] == "completed",
        ),
        Row("… its steps, in seconds", "for scale", steps, True),
    ]


def _matured(until: datetime) -> Iterator[dict[str, Any]]:
    """Yield made-up videos that were old enough when they were scraped, and a few more than needed."""
    latest = (until - LABEL_AGE).timestamp()
    made = (video for video in synthetic_videos(MATURE * 11 // 10, 0, until) if _posted(video) <= latest)
    yield from (video for video, _ in zip(made, range(MATURE), strict=False))


def _posted(video: dict[str, Any]) -> float:
    return datetime.fromisoformat(str(video["createTimeISO"])).timestamp()


#: Source (None: all), window, and log loss and RPS of the reference in the issue.
REFERENCE = (
    ("tiktok", "feed_2025", Window.PUBLISH, 1.199, 0.1213),
    ("tiktok", "creators_2025", Window.PUBLISH, 1.241, 0.1354),
    ("tiktok", "creators_2024", Window.PUBLISH, 1.236, 0.1299),
    ("tiktok", "topcreators_2020", Window.PUBLISH, 1.200, 0.1193),
    ("youtube", None, Window.HOUR_6, 0.961, 0.0828),
    ("youtube", None, Window.HOUR_24, 0.576, 0.0465),
)
#: An outcome of the YouTube collections is read up to this age.
LABEL_AGE_MAX = timedelta(days=8)


def real_sources() -> list[Row]:
    """Backtests of one real collection at a time, beside the reference of the issue."""
    return [row for case in REFERENCE for row in _backtested(*case)]


def _backtested(platform: str, source: str | None, window: Window, log_loss: float, rps: float) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        collection = exported_collection(exported(platform, source, Path(folder)), datetime.now(UTC))
        settings = load_settings(
            home=Path(folder), database_url=None, label_age_max=LABEL_AGE_MAX if platform == "youtube" else None
        )
        start = time.perf_counter()
        body = backtest(collection, window, settings, datetime.now(UTC))
        taken = time.perf_counter() - start
    metrics = body["metrics"]
    name = f"backtest of {source or 'all youtube'}, {window.value}"
    return [
        _beside(f"{name}: log loss", metrics["logLoss"], log_loss),
        _beside("… RPS", metrics["rps"], rps),
        Row(
            "… accuracy, QWK, decision, time",
            "for scale",
            f"{metrics['accuracy']['value']:.3f}, {metrics['qwk']['value']:.3f}, {body['decision']['decision']}, "
            f"{taken:.0f} s",
            True,
        ),
    ]


def _beside(what: str, found: dict[str, Any], reference: float) -> Row:
    better = 100 * (found["value"] / reference - 1)
    span = f"95% {found['low']:.4f} to {found['high']:.4f}, n {found['n']:,}"
    return Row(what, f"< {reference:g}", f"{found['value']:.4f} ({better:+.1f}%; {span})", found["value"] < reference)


def exported(platform: str, source: str | None, folder: Path) -> list[Path]:
    """Return files of one source's videos and of their snapshots."""
    videos = pl.read_parquet(REAL_DATA / f"{platform}_videos.parquet")
    videos = videos if source is None else videos.filter(pl.col("source") == source)
    snapshots = pl.read_parquet(REAL_DATA / f"{platform}_snapshots.parquet")
    snapshots = snapshots.join(videos, on=["platform", "platform_video_id"], how="semi")
    paths = []
    for name, frame in (("videos", videos), ("snapshots", snapshots)):
        if frame.height:
            frame.write_parquet(folder / f"{name}.parquet")
            paths.append(folder / f"{name}.parquet")
    return paths
