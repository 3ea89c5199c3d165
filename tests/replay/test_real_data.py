"""What groundswell reaches on real videos, beside the plain way of doing the same."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from groundswell.calibration import scores
from groundswell.frames import MOMENT, STORED_VIDEO_SCHEMA
from groundswell.jobs.challenger import Challenger, make_challenger
from groundswell.jobs.material import Material, fallback_material, live_material
from groundswell.jobs.steps import Steps
from groundswell.learners import fit_logistic
from groundswell.records import Decision, Outcome, Verdict, Window
from groundswell.settings import load_settings
from groundswell.stages import features, gate
from groundswell.stages.leakage import find_leakage
from tests.made_up import never

SETTINGS = load_settings(bootstrap=200)
POLICY = gate.Policy(SETTINGS.accuracy_floor, SETTINGS.margin, SETTINGS.min_comparable_rows)


@pytest.fixture(scope="module")
def newest(real_data: Path) -> pl.DataFrame:
    """The newest 10,000 usable videos, as the store would hand them out."""
    videos = pl.read_parquet(real_data / "tiktok_videos.parquet").with_columns(
        pl.concat_str("platform", pl.lit(":"), "platform_video_id").alias("key"),
        pl.lit(None, MOMENT).alias("created_at"),
    )
    missing = [
        pl.lit(None, kind).alias(name) for name, kind in STORED_VIDEO_SCHEMA.items() if name not in videos.columns
    ]
    usable = videos.with_columns(missing).filter(pl.col("views") > 0, pl.col("likes").is_not_null())
    return (
        usable.sort("posted_at", "key", descending=[True, False], nulls_last=True)
        .head(10_000)
        .select(*STORED_VIDEO_SCHEMA)
    )


def challenge(material: Material) -> Challenger:
    return make_challenger(SETTINGS, Window.OBSERVED, material, Steps(300))


def first_decision(challenger: Challenger) -> Decision:
    return gate.decide(challenger.evaluation.metrics, 5, gate.Standing.FIRST, None, POLICY, challenger.leaks)


def plain_lightgbm(material: Material) -> tuple[float, float]:
    """Accuracy and log loss of an untuned booster on the same split."""
    import lightgbm

    rows, judged = material.training.rows, material.holdout.rows
    booster = lightgbm.train(
        {
            "objective": "multiclass",
            "num_class": 5,
            "learning_rate": 0.03,
            "num_leaves": 15,
            "num_threads": 1,
            "seed": 42,
            "verbosity": -1,
        },
        lightgbm.Dataset(rows.features, rows.tiers - 1),
        300,
    )
    probabilities = np.asarray(booster.predict(judged.features))
    hits = probabilities.argmax(axis=1) + 1 == judged.tiers
    return float(hits.mean()), float(scores.log_loss(probabilities, judged.tiers).mean())


def test_the_seed_is_learnt_by_a_properly_fitted_line_and_said_to_be_a_leak(real_data: Path) -> None:
    material = fallback_material(real_data / "seed" / "training-data.json.gz", seed=42)
    training, judged = material.training.rows, material.holdout.rows
    begun = time.process_time()
    estimator = fit_logistic(training, 10_000.0)
    assert time.process_time() - begun < 2
    accuracy = (scores.likeliest(estimator.probabilities(judged.features)) == judged.tiers).mean()
    assert accuracy >= 0.98
    function, twins = find_leakage(training, judged, None, features.names(), estimator, never)
    assert function.outcome is Outcome.FAILED
    assert "a function of shareRate, commentRate, likeRate: test accuracy" in function.explanation
    assert twins.outcome is Outcome.NOT_APPLICABLE


def test_a_retrain_on_the_seed_chooses_the_line_and_reports_the_leak(real_data: Path) -> None:
    challenger = challenge(fallback_material(real_data / "seed" / "training-data.json.gz", seed=42))
    assert challenger.model.estimator.kind == "logistic"
    assert challenger.evaluation.metrics["accuracy"].value >= 0.98
    assert challenger.leaks[0].outcome is Outcome.FAILED
    assert first_decision(challenger).decision is Verdict.PROMOTE  # in `observed` a leak has no vote


def test_ten_thousand_videos_pass_the_floor_and_are_no_worse_than_plain_lightgbm(newest: pl.DataFrame) -> None:
    material = live_material(newest, None, SETTINGS.seed)
    assert len(material.training) + len(material.holdout) == 10_000
    assert 8_000 - 5 <= len(material.training) <= 8_000
    challenger = challenge(material)
    found = challenger.evaluation.metrics
    accuracy, log_loss = plain_lightgbm(material)
    assert found["accuracy"].value >= max(0.68, accuracy - 0.01)
    assert found["logLoss"].value <= min(0.66, log_loss + 0.01)
    assert found["ece"].value < 0.05
    assert first_decision(challenger).decision is Verdict.PROMOTE
    assert [finding.outcome for finding in challenger.leaks] == [Outcome.PASSED, Outcome.PASSED]


def test_without_saves_and_followers_the_gate_holds(newest: pl.DataFrame) -> None:
    blind = newest.with_columns(pl.lit(None, pl.Int64).alias("saves"), pl.lit(None, pl.Int64).alias("author_followers"))
    challenger = challenge(live_material(blind, None, SETTINGS.seed))
    accuracy = challenger.evaluation.metrics["accuracy"].value
    assert accuracy == pytest.approx(0.42, abs=0.03)
    decision = first_decision(challenger)
    assert decision.decision is Verdict.HOLD
    assert decision.reason == f"Test accuracy {accuracy:.1%} below 60% gate"
