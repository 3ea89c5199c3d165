"""Made-up videos, forecasts and creators: seeded, with ties, gaps and heavy tails, for every test that needs data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from hypothesis import settings as limits
from hypothesis import strategies as st

from groundswell.calibration.scores import Floats, Tiers
from groundswell.frames import STORED_VIDEO_SCHEMA, VIDEO_SCHEMA
from groundswell.jobs.context import Context
from groundswell.learners import Part
from groundswell.model import Model
from groundswell.settings import load_settings
from groundswell.stages import features, labels, split
from groundswell.store import registry
from groundswell.store.artifacts import Artifacts
from groundswell.store.database import Database
from groundswell.store.videos import insert
from groundswell.training_rows import TrainingRows

law = limits(deadline=None, derandomize=True, max_examples=100)
NEWEST = datetime(2025, 6, 1, tzinfo=UTC)

NO_ROWS = TrainingRows(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0))

#: What a stored video holds where a test does not say otherwise.
PLAIN: dict[str, Any] = {
    "platform": "tiktok",
    "author": "ann",
    "author_followers": 20_000,
    "description": "a caption #fyp",
    "views": 1_000,
    "likes": 100,
    "shares": 10,
    "comments": 5,
    "saves": 7,
    "sound_name": "original sound",
    "hashtags": ["fyp"],
    "duration_seconds": 20,
    "posted_at": NEWEST,
    "created_at": NEWEST,
}

counts = st.none() | st.integers(0, 3) | st.integers(0, 10_000) | st.integers(0, 2**62)
moments = st.none() | st.integers(0, 10**9).map(
    lambda seconds: datetime(2005, 1, 1, tzinfo=UTC) + timedelta(0, seconds)
)
texts = st.none() | st.sampled_from(["", " ", "\t\n", "\u3000", "x"]) | st.text("añ日👍🏽 b", max_size=12)
#: Any row that a table of somebody else's may hold.
stored_rows = st.fixed_dictionaries(
    dict.fromkeys(("views", "likes", "shares", "comments", "saves", "author_followers"), counts)
    | {
        "duration_seconds": st.none() | st.integers(0, 400),
        "description": texts,
        "sound_name": texts,
        "hashtags": st.none() | st.lists(st.text("ab", max_size=2), max_size=40),
        "posted_at": moments,
        "created_at": moments,
    }
)


def stored(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return the rows as the store hands them out; what a row does not name is null."""
    columns = {name: [row.get(name) for row in rows] for name in STORED_VIDEO_SCHEMA}
    columns["key"] = [row.get("key") or f"tiktok:{number}" for number, row in enumerate(rows)]
    return pl.DataFrame(columns, schema=STORED_VIDEO_SCHEMA)


def plain(**changed: Any) -> pl.DataFrame:
    """Return one ordinary stored video with the changes."""
    return stored([PLAIN | changed])


def videos(rows: int, seed: int) -> list[dict[str, Any]]:
    """Return rows of stored videos: log-normal views by persistent creators, some fields missing."""
    generator = np.random.default_rng(seed)
    creator = generator.integers(0, max(2, rows // 8), rows)
    level = generator.normal(8, 1.5, rows)[creator]
    views = np.exp(level + generator.normal(0, 1.2, rows)).astype(np.int64) + 1
    likes = (views * generator.beta(2, 20, rows)).astype(np.int64)
    known = generator.random((rows, 4)) > 0.15
    return [
        {
            "key": f"tiktok:{seed}-{row}",
            "platform": "tiktok",
            "platform_video_id": f"{seed}-{row}",
            "author": f"creator{creator[row]}" if known[row, 0] else None,
            "author_followers": int(np.exp(level[creator[row]] + 2)) if known[row, 1] else None,
            "description": "word " * int(generator.integers(0, 60)),
            "views": int(views[row]),
            "likes": int(likes[row]),
            "shares": int(likes[row] * generator.beta(1, 8)),
            "comments": int(likes[row] * generator.beta(1, 10)),
            "saves": int(likes[row] * generator.beta(1, 9)) if known[row, 2] else None,
            "sound_name": "original sound" if known[row, 3] else " ",
            "hashtags": ["tag"] * int(generator.integers(0, 9)),
            "duration_seconds": int(generator.integers(4, 200)),
            "posted_at": NEWEST - timedelta(hours=float(generator.uniform(0, 4_000))),
            "created_at": NEWEST,
        }
        for row in range(rows)
    ]


def forecasts(rows: int, seed: int, sharpness: float = 1.0) -> tuple[Floats, Tiers]:
    """Return probabilities of shape (rows, 5), and tiers that occur with them where `sharpness` is 1."""
    generator = np.random.default_rng(seed)
    honest = generator.dirichlet(np.full(5, 0.7), rows)
    tiers = (generator.random(rows)[:, None] > honest.cumsum(axis=1)[:, :4]).sum(axis=1) + 1
    stated = honest**sharpness
    return stated / stated.sum(axis=1, keepdims=True), tiers.astype(np.int64)


def clusters(groups: int, seed: int, largest: int = 9) -> npt.NDArray[np.int64]:
    """Return the cluster number of each row: `groups` clusters of 1 to `largest` rows."""
    sizes = np.random.default_rng(seed).integers(1, largest + 1, groups)
    return np.repeat(np.arange(groups), sizes)


def clustered_noise(of: npt.NDArray[np.int64], generator: np.random.Generator, scale: float) -> Floats:
    """Return one value a row with mean 0, half of whose variance all rows of a cluster share."""
    shared = generator.normal(0, scale, int(of.max()) + 1)[of]
    return np.asarray(shared + generator.normal(0, scale, len(of)))


def parts(rows: int, seed: int, quantity: str = "wes") -> tuple[Part, Part, Floats]:
    """Return training and holdout parts of made-up videos with five even tiers, and what ranks the holdout."""
    frame = stored(videos(rows, seed))
    values = labels.weighted_engagement_score(frame) if quantity == "wes" else frame["views"].cast(float).to_numpy()
    tiers = labels.Label("views", labels.views_cut_points(values)).tiers(values)
    both = Part(features.matrix(frame), tiers)
    chosen = split.stratified(split.row_keys(frame["key"].to_list(), "42"), tiers)
    return both.where(chosen), both.where(~chosen), values[~chosen]


def never() -> None:
    """Interrupt no work."""


def store(database: Database, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows into `scraped_videos`, created at `NEWEST`."""
    with database.begin() as connection:
        insert(connection, stored([{"platform": "tiktok", **row} for row in rows]).select(*VIDEO_SCHEMA), NEWEST)


def context_of(home: Path, database: Database, **changed: Any) -> Context:
    """Return a context in the folder, quick about its intervals."""
    settings = load_settings(**({"home": home, "bootstrap": 100} | changed))
    return Context(settings, database, Artifacts(settings.resolved_artifacts_url))


def crown(context: Context, model: Model, rows: TrainingRows | None = None, source: str = "scraped_videos") -> int:
    """Make the model the champion of its window and return its version."""
    before = registry.champion(context.database, model.window)
    artifacts = context.artifacts
    return registry.promote(
        context.database,
        window=model.window,
        artifact=artifacts.put(model.to_bytes()),
        training_rows=artifacts.put((rows or NO_ROWS).to_bytes()),
        source=source,
        lineage={},
        evaluation={},
        decision={},
        expected=before.version if before else None,
        at=NEWEST,
    ).version
