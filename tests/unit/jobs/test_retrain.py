"""What a retrain and an audit log, and how a retrain ends when its time does."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import timedelta

import pytest

from groundswell.jobs.audit import audit
from groundswell.jobs.context import Context
from groundswell.jobs.retrain import retrain
from groundswell.records import Window
from groundswell.sources.synthetic import synthetic_outcomes
from groundswell.store import outcomes, registry
from tests.made_up import NEWEST, context_of, crown, store, videos
from tests.unit.test_predictor import always


def test_a_retrain_logs_each_of_its_figures_under_its_name(context: Context, logs: Callable[[], str]) -> None:
    store(context.database, videos(600, seed=31))
    body = retrain(context, Window.OBSERVED, context.now()).body
    said = logs()
    distribution = " ".join(f"T{tier}={count}" for tier, count in enumerate(body["tierDistribution"], 1))
    assert f"Tier distribution {distribution} [retrain-ml]" in said
    assert "Class weights T1=1.0" in said
    for report in body["perClass"]:
        shares = f"precision {report['precision']:.3f} recall {report['recall']:.3f} support {report['support']}"
        assert f"T{report['tier']} test: {shares} [retrain-ml]" in said
        assert re.search(rf"T{report['tier']} train: precision 0\.\d+ recall 0\.\d+ support \d+ \[retrain-ml\]", said)
    decision = body["decision"]
    assert f"Gate: {decision['decision']}. {decision['reason']} [retrain-ml]" in said
    assert body["runId"] in said


def test_a_retrain_out_of_time_fails_and_the_champion_stays(context: Context, logs: Callable[[], str]) -> None:
    store(context.database, videos(600, seed=31))
    version = crown(context, always(3))
    hurried = context_of(context.settings.home, context.database, time_limit_seconds=1e-9)
    report = retrain(hurried, Window.OBSERVED, context.now())
    assert (report.status, report.body["error"]) == ("failed", "Training failed: time limit of 1e-09 s reached")
    assert report.body["stepSeconds"] == {}
    champion = registry.champion(context.database, Window.OBSERVED)
    assert champion is not None
    assert champion.version == version
    assert "Training failed: time limit" in logs()


def test_a_champion_that_cannot_be_read_is_not_replaced(context: Context, logs: Callable[[], str]) -> None:
    store(context.database, videos(600, seed=31))
    version = crown(context, always(3))
    for folder in (context.settings.home / "artifacts").iterdir():
        shutil.rmtree(folder)
    report = retrain(context, Window.OBSERVED, context.now())
    assert report.status == "failed"
    assert "is missing at" in report.body["error"]
    champion = registry.champion(context.database, Window.OBSERVED)
    assert champion is not None
    assert champion.version == version
    assert report.body["error"] in logs()


@pytest.mark.parametrize("pairs", [0, 49])
def test_an_audit_of_too_few_pairs_says_so(context: Context, pairs: int, logs: Callable[[], str]) -> None:
    if pairs:
        outcomes.insert_missing(context.database, synthetic_outcomes(pairs, 1, NEWEST))
    report = audit(context, NEWEST)
    expected = {"status": "skipped", "reason": "Insufficient outcome data", "samples": pairs, "required": 50}
    assert {name: report.body[name] for name in expected} == expected
    assert f"Insufficient outcome data: {pairs} pairs of 50 [calibration-audit]" in logs()


def test_an_audit_logs_drift_and_the_refit_under_its_name(context: Context, logs: Callable[[], str]) -> None:
    rows = [row | {"actual_score": row["actual_score"] / 2} for row in synthetic_outcomes(400, 1, NEWEST)]
    outcomes.insert_missing(context.database, rows)
    body = audit(context, NEWEST).body
    said = logs()
    assert body["driftDetected"]
    assert f"DRIFT ALERT: ECE {body['ece']:.4f} exceeds threshold 0.15 [calibration-audit]" in said
    platt = body["plattParams"]
    assert f"Platt refitted: a={platt['a']:.6f} b={platt['b']:.6f}; active: " in said


def test_an_audit_without_a_fit_logs_why(context: Context, logs: Callable[[], str]) -> None:
    rows = [row | {"predicted_score": 50.0} for row in synthetic_outcomes(60, 1, NEWEST - timedelta(days=1))]
    outcomes.insert_missing(context.database, rows)
    body = audit(context, NEWEST).body
    assert (body["plattRefitted"], body["plattParams"], body["plattActive"]) == (False, None, False)
    assert f"Platt not refitted: {body['plattReason']} [calibration-audit]" in logs()
