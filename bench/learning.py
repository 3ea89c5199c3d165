"""How well and how fast the two candidates learn, on the real data beside the checkout."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl

from bench.measure import REAL_DATA, Row, peak_megabytes, seconds
from groundswell.calibration.scores import likeliest, log_loss
from groundswell.jobs.context import Context, open_context
from groundswell.jobs.ingest import ingest
from groundswell.jobs.material import Material, fallback_material, live_material
from groundswell.jobs.retrain import retrain
from groundswell.learners import fit_boosted, fit_logistic
from groundswell.records import Window
from groundswell.settings import load_settings
from groundswell.stages import features, leakage
from groundswell.store import corpus

SEED_FILE = REAL_DATA / "seed" / "training-data.json.gz"
VIDEOS = REAL_DATA / "tiktok_videos.parquet"
PLAIN = {"objective": "multiclass", "num_class": 5, "learning_rate": 0.03, "num_leaves": 15, "verbosity": -1}


def seed_file() -> list[Row]:
    """The label of the earlier system is a function of its features: learnt perfectly, and said so."""
    material = fallback_material(SEED_FILE, seed=42)
    training, holdout = material.training.rows, material.holdout.rows
    taken = seconds(lambda: fit_logistic(training, 1_000.0))
    fitted = fit_logistic(training, 1_000.0)
    accuracy = float((likeliest(fitted.probabilities(holdout.features)) == holdout.tiers).mean())
    finding = leakage.find_leakage(training, holdout, None, features.names(), fitted, lambda: None)[0]
    named = all(name in finding.explanation for name in ("shareRate", "commentRate", "likeRate"))
    return [
        Row("seed file: `logistic` accuracy", "≥ 0.98", f"{accuracy:.4f} (n {len(holdout):,})", accuracy >= 0.98),
        Row("seed file: training time", "< 2 s", f"{taken:.2f} s", taken < 2),
        Row("seed file: leakage finding", "names 3 rates", finding.explanation.split(":")[0], named),
    ]


def real_videos() -> list[Row]:
    """The newest 10,000 real videos: quality against plain LightGBM on the same split, and the whole call's cost."""
    with tempfile.TemporaryDirectory() as folder:
        context = open_context(load_settings(home=Path(folder), database_url=None))
        _ingest(context, _newest(Path(folder)))
        warm = retrain(context, Window.OBSERVED, datetime.now(UTC))  # imports are not what is measured
        material = live_material(corpus.newest(context.database, 10_000, datetime.now(UTC)), None, 42)
        return [*_quality(material, warm.body), *_cost(context, material, warm.body)]


def stripped_videos() -> list[Row]:
    """The same rows without bookmarks and followers: too little is left, so the challenger is held."""
    with tempfile.TemporaryDirectory() as folder:
        context = open_context(load_settings(home=Path(folder), database_url=None))
        _ingest(context, _newest(Path(folder), "saves", "author_followers"))
        body = retrain(context, Window.OBSERVED, datetime.now(UTC)).body
    reached = f"{body['testAccuracy']}: {body['status']}, {body.get('reason')}"
    return [Row("without saves and followers", "about 0.42, skipped", reached, body["status"] == "skipped")]


def _newest(folder: Path, *without: str) -> Path:
    """Return a file of the newest 10,000 usable videos, without the columns named."""
    usable = pl.col("views").is_not_null() & pl.col("likes").is_not_null() & (pl.col("views") > 0)
    videos = pl.read_parquet(VIDEOS).filter(usable).sort("posted_at", descending=True).head(10_000)
    videos.drop(without).write_parquet(folder / "newest.parquet")
    return folder / "newest.parquet"


def _ingest(context: Context, path: Path) -> None:
    ingest(context.database, context.settings, [path], as_of=datetime.now(UTC))


def _quality(material: Material, body: dict[str, object]) -> list[Row]:
    training, holdout = material.training.rows, material.holdout.rows
    data = lightgbm.Dataset(training.features, training.tiers - 1)
    plain = np.asarray(lightgbm.train({**PLAIN, "num_threads": 1, "seed": 42}, data, 300).predict(holdout.features))
    plain_accuracy = float((likeliest(plain) == holdout.tiers).mean())
    plain_loss = float(log_loss(plain, holdout.tiers).mean())
    metrics = body["evaluation"]["metrics"]  # type: ignore[index]
    accuracy, loss = metrics["accuracy"]["value"], metrics["logLoss"]["value"]
    span = {name: f"95% {metrics[name]['low']:.3f} to {metrics[name]['high']:.3f}" for name in ("accuracy", "logLoss")}
    n = metrics["accuracy"]["n"]
    return [
        Row("newest 10,000: accuracy", "≥ 0.68", f"{accuracy:.4f} ({span['accuracy']}, n {n:,})", accuracy >= 0.68),
        Row("newest 10,000: log loss", "≤ 0.66", f"{loss:.4f} ({span['logLoss']}, n {n:,})", loss <= 0.66),
        Row(
            "… against plain LightGBM",
            "accuracy ≥ its − 0.01",
            f"{plain_accuracy:.4f}, log loss {plain_loss:.4f}",
            accuracy >= plain_accuracy - 0.01,
        ),
    ]


def _cost(context: Context, material: Material, body: dict[str, object]) -> list[Row]:
    candidates = body["evaluation"]["candidates"]  # type: ignore[index]
    rounds = int(next(c["setting"] for c in candidates if c["kind"] == "boosted"))
    calls, fits = [], []
    for _ in range(3):  # in turn, so that the machine's mood meets both
        start = time.perf_counter()
        retrain(context, Window.OBSERVED, datetime.now(UTC))
        calls.append(time.perf_counter() - start)
        fits.append(seconds(lambda: fit_boosted(material.training.rows, rounds, 42, 1, lambda: None), runs=1))
    whole, ratio = float(np.median(calls)), float(np.median(np.divide(calls, fits)))
    peak = peak_megabytes(lambda: retrain(context, Window.OBSERVED, datetime.now(UTC)))
    return [
        Row("retrain call, 10,000 rows", "< 6 s", f"{whole:.2f} s", whole < 6),
        Row(f"… against one boosted fit of {rounds} rounds", "≤ 4×", f"{ratio:.2f}×", ratio <= 4),
        Row("… peak memory of the process", "< 600 MB", f"{peak:.0f} MB", peak < 600),
    ]
