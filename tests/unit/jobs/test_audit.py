"""The audit as a job: a defined answer to whatever it is given, never a silent green."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from groundswell.calibration.scores import Floats
from groundswell.calibration.temperature import Temperature
from groundswell.jobs.audit import audit
from groundswell.jobs.context import Context
from groundswell.jobs.harvest import harvest
from groundswell.model import Model
from groundswell.records import Window
from groundswell.stages import line_audit
from groundswell.store import calibrations, outcomes, registry, tables
from groundswell.store.database import Database
from tests.made_up import context_of, forecasts
from tests.made_up_loop import AT, DAY, HOUR, LABEL_AGE, logged, outcome, stored_video, verified, version
from tests.unit.test_predictor import always

NOW = AT + 20 * DAY
ALARMS = {"green", "amber", "red", "insufficient"}


def say(context: Context, predicted: Sequence[Any] | Floats, actual: Sequence[Any] | Floats, **changed: Any) -> None:
    """Write outcomes of the user's product: scores of 0–100."""
    rows = [
        {"id": str(uuid.uuid4()), "created_at": NOW - DAY, "platform": "tiktok", **changed}
        | {"predicted_score": one if one is None else float(one), "actual_score": two if two is None else float(two)}
        for one, two in zip(predicted, actual, strict=True)
    ]
    with context.database.begin() as connection:
        connection.execute(sa.insert(tables.outcomes), rows)


def fair(n: int, seed: int = 1, off: float = 0.0) -> tuple[Floats, Floats]:
    """Return scores and outcomes about them, off by so many points."""
    generator = np.random.default_rng(seed)
    scores = generator.uniform(20, 80, n).round(2)
    return scores, np.clip(scores - off + generator.normal(0, 10, n), 0, 100).round(2)


def told(context: Context, at: datetime = NOW) -> dict[str, Any]:
    body = audit(context, at).body
    assert body["status"] in {"completed", "skipped"}, body
    assert body["alarm"] in ALARMS
    assert body["recommendation"]["why"]
    assert verified(context.database).status == "verified"
    return body


def test_scores_that_came_true_are_green(context: Context) -> None:
    say(context, *fair(600))
    body = told(context)
    assert (body["status"], body["alarm"], body["driftDetected"], body["totalSamples"]) == (
        "completed",
        "green",
        False,
        600,
    )
    assert (body["notify"], body["recommendation"]["action"]) == (False, "none")
    assert (body["leftOut"], body["leftOutBy"], body["clipped"], body["duplicates"]) == (0, {}, 0, 0)
    assert body["alarmRule"]["falseAlarms"]["n"] > 0


def test_scores_that_are_far_off_are_red_and_corrected(context: Context) -> None:
    say(context, *fair(600, off=30))
    body = told(context)
    assert (body["alarm"], body["notify"], body["driftDetected"]) == ("red", True, True)
    assert body["servedEce"] < body["ece"] - 0.1
    assert body["recommendation"]["action"] == "none"
    assert "their new calibration serves" in body["recommendation"]["why"]
    served = registry.serving(context.database, "publish").calibration
    assert served is not None
    assert served.version == body["calibrationVersion"]


# --- bad input ----------------------------------------------------------------------------------------------------


def test_pairs_with_nulls_are_counted_and_left_out(context: Context) -> None:
    say(context, *fair(60))
    say(context, [None, 50, None], [50, None, None])
    body = told(context)
    assert (body["totalSamples"], body["leftOut"], body["leftOutBy"]) == (60, 3, {"missing_score": 3})


def test_nothing_but_nulls_is_no_green(context: Context) -> None:
    say(context, [None] * 60, [50] * 60)
    body = told(context)
    assert (body["status"], body["alarm"], body["samples"], body["leftOut"]) == ("skipped", "insufficient", 0, 60)


def test_scores_outside_their_bounds_are_clipped_and_counted(context: Context) -> None:
    scores, actual = fair(100)
    say(context, [*scores[:90], *[150.0] * 10], [*actual[:90], *[-20.0] * 10])
    body = told(context)
    assert (body["totalSamples"], body["clipped"]) == (100, 10)
    assert body["bins"][-1]["avgActual"] == 0


@pytest.mark.parametrize(("actual", "alarms"), [(50, {"green", "insufficient"}), (90, {"red"})])
def test_equal_predictions_have_an_answer(context: Context, actual: float, alarms: set[str]) -> None:
    noise = np.random.default_rng(1).normal(0, 4, 200)
    say(context, [50.0] * 200, actual + noise)
    body = told(context)
    assert body["alarm"] in alarms
    assert (body["plattRefitted"], body["plattParams"], body["plattActive"]) == (False, None, False)
    assert body["plattReason"]
    assert body["calibrationVersion"] is None


def test_equal_predictions_of_equal_outcomes_tell_nothing(context: Context) -> None:
    say(context, [50.0] * 200, [50.0] * 200)
    body = told(context)
    assert (body["alarm"], body["ece"]) == ("insufficient", 0)
    assert "all predictions are equal and so are all outcomes" in body["alarmReason"]


@pytest.mark.parametrize("actual", [0, 60, 100])
def test_equal_outcomes_of_different_predictions_are_no_green(context: Context, actual: float) -> None:
    say(context, fair(200)[0], [actual] * 200)
    body = told(context)
    assert body["alarm"] in {"amber", "red"}
    assert body["plattReason"]


@pytest.mark.parametrize("n", [0, 1, 49])
def test_fewer_than_fifty_pairs_are_skipped_and_no_green(context: Context, n: int) -> None:
    say(context, *fair(n)) if n else None
    body = told(context)
    assert (body["status"], body["samples"], body["required"], body["alarm"]) == ("skipped", n, 50, "insufficient")
    assert body["recommendation"] == {
        "action": "none",
        "why": f"Only {n} outcomes of scores are known, 50 are needed to judge.",
    }
    assert body["auditedAt"]
    assert calibrations.versions(context.database) == []


def test_one_bin_is_judged(context: Context) -> None:
    generator = np.random.default_rng(1)
    say(context, generator.uniform(41, 49, 300), np.clip(generator.normal(90, 3, 300), 0, 100))
    body = told(context)
    assert [one["count"] for one in body["bins"] if one["count"]] == [300]
    assert (body["alarm"], body["ece"] > 0.4) == ("red", True)


def own(context: Context, n: int, *, score: float | None = 60.0, **changed: Any) -> list[str]:
    """Log predictions of our own, each with an outcome; return their ids."""
    ids = logged(
        context.database, [{"platform_video_id": f"own{number}", "score": 20 + number % 60} for number in range(n)]
    )
    made = [outcome(one, actual_score=score, **({"actual_tier": 1 + n % 5} | changed)) for n, one in enumerate(ids)]
    outcomes.record(context.database, made, NOW - DAY)
    return ids


def test_outcomes_before_their_predictions_are_no_pairs(context: Context) -> None:
    own(context, 60, observed_at=AT - HOUR)
    body = told(context)
    assert (body["status"], body["samples"], body["alarm"]) == ("skipped", 0, "insufficient")
    assert body["leftOutBy"] == {"before_its_prediction": 60}


def test_a_deleted_outcome_is_counted_and_not_a_pair(context: Context) -> None:
    ids = own(context, 60)
    assert told(context)["totalSamples"] == 60
    for one in ids[:5]:
        outcomes.delete(context.database, one, NOW)
    body = told(context)
    assert (body["totalSamples"], body["leftOutBy"]) == (55, {"deleted": 5})
    assert body["lines"]["publish"]["n"] == 55


def test_the_same_outcome_told_often_is_told_once(context: Context) -> None:
    say(context, [50.0] * 200, [90.0] * 200, analysis_id=str(uuid.UUID(int=1)))
    body = told(context)
    assert (body["totalSamples"], body["duplicates"]) == (200, 199)
    assert body["alarm"] == "insufficient"
    assert "1 independent pairs, 8 are needed" in body["alarmReason"]


def test_a_version_without_cut_points_gives_no_pairs_and_no_green(context: Context) -> None:
    number = version(context, model=model(), cutPoints=None)
    for name in range(60):
        stored_video(context.database, str(name), (LABEL_AGE, 100 + name))
    made = [{"platform_video_id": str(name), "model_version": number} for name in range(60)]
    logged(context.database, made)
    assert harvest(context, NOW - DAY).body["withoutOutcome"] == {"withoutCutPoints": 60}
    body = told(context)
    assert (body["status"], body["leftOutBy"]) == ("skipped", {"missing_score": 60})
    line = body["lines"]["publish"]
    assert (line["n"], line["alarm"], line["cutPointDrift"]) == (0, "insufficient", None)
    assert line["recommendation"]["action"] == "none"


def test_a_calibrator_that_reverses_the_order_is_reported_and_not_active(context: Context) -> None:
    scores, _ = fair(400)
    say(context, scores, 100 - scores)
    body = told(context)
    assert body["plattParams"]["a"] > 0
    assert (body["plattRefitted"], body["plattActive"], body["scoreCalibration"]["active"]) == (True, False, False)
    assert "reverse the order" in body["plattReason"]
    assert body["scoreCalibration"]["kind"] == "identity"
    assert body["alarm"] in {"red", "amber"}
    assert body["recommendation"]["action"] == "recalibrate"
    (stored,) = calibrations.versions(context.database)
    assert not stored.active
    assert stored.a == pytest.approx(body["plattParams"]["a"])
    assert registry.serving(context.database, "publish").calibration is None


def test_outcomes_of_another_time_do_not_speak(context: Context) -> None:
    say(context, *fair(100), created_at=NOW + timedelta(microseconds=1))
    say(context, *fair(100), created_at=NOW - 91 * DAY)
    body = told(context)
    assert (body["samples"], body["leftOut"]) == (0, 0)
    assert audit(context, NOW, 92).body["totalSamples"] == 100


# --- persistence --------------------------------------------------------------------------------------------------


def test_an_amber_alarm_is_told_only_where_it_persists(context: Context) -> None:
    say(context, *fair(600, off=8))
    first, second = told(context), told(context, NOW + HOUR)
    assert [(one["alarm"], one["notify"]) for one in (first, second)] == [("amber", False), ("amber", True)]
    assert (first["history"], [one["alarm"] for one in second["history"]]) == ([], ["amber"])
    assert second["history"][0]["n"] == 600
    assert second["history"][0]["ece"]["value"] == pytest.approx(first["ece"], abs=1e-3)


def test_an_audit_that_could_not_tell_ends_the_persistence(context: Context) -> None:
    say(context, *fair(600, off=8))
    told(context)
    told(context, NOW + 200 * DAY)  # of a time without pairs
    third = told(context, NOW + HOUR)
    assert [one["alarm"] for one in third["history"]] == ["amber", "insufficient"]
    assert (third["alarm"], third["notify"]) == ("amber", False)


# --- lines --------------------------------------------------------------------------------------------------------


def model() -> Model:
    described = always(3)
    return Model(Window.PUBLISH, described.feature_names, "views", None, described.estimator, Temperature())


def promised(context: Context, rps: float) -> dict[str, float]:
    """Promote a version that was promised to reach an RPS; return the promise."""
    promise = {"value": rps, "low": rps / 2, "high": rps * 1.5, "n": 500}
    before = registry.champion(context.database, "publish")
    registry.promote(
        context.database,
        window="publish",
        artifact=context.artifacts.put(model().to_bytes()),
        training_rows="b" * 64,
        source="scraped_videos",
        lineage={},
        evaluation={"metrics": {"rps": promise}},
        decision={},
        expected=before.version if before else None,
        at=AT,
    )
    return promise


def serve(context: Context, n: int, sharpness: float, **changed: Any) -> None:
    """Log matured forecasts whose chances come true where `sharpness` is 1; `authors` are taken in turn."""
    authors = changed.pop("authors", [f"a{number}" for number in range(n)])
    probabilities, tiers = forecasts(n, 1, sharpness)
    rows = [
        {"platform_video_id": f"v{number}", "probabilities": row, "author": author, "score": 50.0} | changed
        for (number, row), author in zip(enumerate(probabilities.tolist()), itertools.cycle(authors))
    ]
    ids = logged(context.database, rows)
    made = [outcome(one, actual_tier=tier, actual_score=None) for one, tier in zip(ids, tiers.tolist(), strict=True)]
    outcomes.record(context.database, made, NOW - DAY)


@pytest.mark.parametrize(("sharpness", "alarm", "action"), [(1.0, "green", "none"), (4.0, "red", "recalibrate")])
def test_a_line_has_an_alarm_and_a_recommendation(context: Context, sharpness: float, alarm: str, action: str) -> None:
    serve(context, 600, sharpness)
    body = told(context)
    line = body["lines"]["publish"]
    assert (line["alarm"], line["n"], line["champion"]) == (alarm, 600, None)
    assert line["recommendation"]["action"] == body["recommendation"]["action"] == action
    assert line["notify"] == (alarm == "red")
    assert (body["status"], body["leftOutBy"]) == ("skipped", {"missing_score": 600})
    assert list(body["lines"]) == ["publish"]
    assert line["driftNote"]


def test_a_line_that_ranks_worse_than_promised_is_to_be_retrained(context: Context) -> None:
    serve(context, 600, 1.0)
    promise = promised(context, 0.01)
    body = told(context)
    line = body["lines"]["publish"]
    assert (line["recommendation"]["action"], line["rps"]["promised"]) == ("retrain", promise)
    assert body["recommendation"]["action"] == "retrain"


def test_a_new_champion_is_not_blamed_for_what_the_one_before_predicted(context: Context) -> None:
    serve(context, 600, 4.0)
    for rps in (0.5, 0.01):
        promised(context, rps)
    line = told(context)["lines"]["publish"]
    assert (line["champion"], line["alarm"]) == (2, "red")
    assert line["recommendation"]["action"] == "none"
    assert "too little has matured" in line["recommendation"]["why"]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[line_audit.Matured]:
    """What was judged of a line, one entry a time."""
    seen: list[line_audit.Matured] = []
    plain = line_audit.audit_line

    def noted(matured: line_audit.Matured, *rest: Any) -> line_audit.LineAudit:
        seen.append(matured)
        return plain(matured, *rest)

    monkeypatch.setattr(line_audit, "audit_line", noted)
    return seen


@pytest.mark.parametrize("former", [0, 60])
def test_the_same_predictions_are_judged_once(context: Context, judged: list[line_audit.Matured], former: int) -> None:
    number = version(context, model=model())
    serve(context, 120, 1.0, model_version=number)
    if former:
        scores = [{"platform_video_id": f"former{n}", "model_version": 99} for n in range(former)]
        outcomes.record(context.database, [outcome(one) for one in logged(context.database, scores)], NOW - DAY)
    line = told(context)["lines"]["publish"]
    assert line["n"] == 120 + former
    assert [len(matured.tiers) for matured in judged] == ([180, 120] if former else [120])


@pytest.mark.parametrize(("named", "clusters"), [(29, 120), (30, 30 + 20)])
def test_videos_are_evidence_where_few_creators_are_named(
    context: Context, judged: list[line_audit.Matured], named: int, clusters: int
) -> None:
    authors = [f"a{number}" for number in range(named)]
    serve(context, 100, 1.0, authors=authors)
    nameless = [{"platform_video_id": f"n{number}", "author": None} for number in range(20)]
    outcomes.record(context.database, [outcome(one) for one in logged(context.database, nameless)], NOW - DAY)
    told(context)
    assert len(set(judged[0].clusters.tolist())) == clusters


@pytest.mark.parametrize(("named", "independent"), [(7, 120), (30, 30)])
def test_pairs_of_few_creators_are_evidence_each(context: Context, named: int, independent: int) -> None:
    rows = [
        {"platform_video_id": f"own{n}", "score": 20 + n % 60, "author": None if n % 40 == 39 else f"a{n % named}"}
        for n in range(120)
    ]
    made = [outcome(one, actual_score=12.0 + n % 60 + n % 7) for n, one in enumerate(logged(context.database, rows))]
    outcomes.record(context.database, made, NOW - DAY)
    reason = told(context)["scoreCalibration"]["reason"]
    assert ("independent" in reason) == (independent < context.settings.min_pairs), reason


def test_a_line_whose_champion_cannot_be_read_leaves_the_others_audited(context: Context) -> None:
    say(context, *fair(600))
    version(context, window="6h")
    body = told(context)
    assert (body["status"], body["alarm"]) == ("completed", "green")
    assert body["lines"]["6h"]["error"]
    assert "cannot be read" in body["lines"]["6h"]["recommendation"]["why"]


def test_without_a_fit_what_served_before_does_not_go_on_unsaid(context: Context) -> None:
    say(context, *fair(600, off=25))
    assert told(context)["scoreCalibration"]["active"]
    with context.database.begin() as connection:
        connection.execute(sa.update(tables.outcomes).values(actual_score=100.0))
    body = told(context)
    assert (body["plattParams"], body["scoreCalibration"]["active"]) == (None, False)
    newest = calibrations.versions(context.database)[0]
    assert (newest.version, newest.active) == (2, False)


def test_of_several_predictions_of_a_video_the_last_is_evidence(context: Context) -> None:
    ids = logged(context.database, [{"predicted_at": AT + n * HOUR} for n in range(60)])
    outcomes.record(context.database, [outcome(one) for one in ids], NOW - DAY)
    body = told(context)
    assert body["lines"]["publish"]["n"] == 1
    assert (body["totalSamples"], body["duplicates"]) == (60, 59)
    assert body["alarm"] == body["lines"]["publish"]["alarm"] == "insufficient"


def rounded_counts(context: Context) -> None:
    """Store readings of 50 days: unrounded, and in the last days rounded as an app shows them."""
    generator = np.random.default_rng(1)
    rows = []
    for number in range(1_200):
        recent = number % 3 == 0
        views = int(generator.integers(12_000, 900_000))
        at = NOW - (1 + number % 25) * DAY - (timedelta(0) if recent else 35 * DAY)
        counters = {"views": views // 1000 * 1000 if recent else views, "likes": views // 9, "recorded_at": NOW}
        rows.append({"platform": "tiktok", "platform_video_id": f"r{number}", "observed_at": at, **counters})
    with context.database.begin() as connection:
        connection.execute(sa.insert(tables.snapshots), rows)


def test_a_changed_scraper_takes_precedence(context: Context) -> None:
    serve(context, 600, 4.0)
    rounded_counts(context)
    body = told(context)
    line = body["lines"]["publish"]
    assert [one["code"] for one in body["scrape"] if one["outcome"] == "failed"] == ["S1"]
    assert (line["alarm"], line["recommendation"]["action"]) == ("red", "none")
    assert "The scraper changed (rounded counts)" in line["recommendation"]["why"]
    assert "The scraper changed" in line["driftNote"]
    assert body["recommendation"] == line["recommendation"]


@pytest.mark.parametrize("n", [10, 400], ids=["skipped", "completed"])
def test_a_changed_scraper_is_named_though_no_line_is_judged(context: Context, n: int) -> None:
    scores, _ = fair(n)
    say(context, scores, 100 - scores)
    rounded_counts(context)
    body = told(context)
    assert body["recommendation"]["action"] == "none"
    assert "The scraper changed (rounded counts)" in body["recommendation"]["why"]


def test_an_audit_is_the_same_on_both_databases_and_verified(tmp_path: Path, database: Database) -> None:
    context = context_of(tmp_path, database)
    say(context, *fair(300, off=30))
    serve(context, 300, 4.0)
    body = told(context)
    assert (body["alarm"], body["lines"]["publish"]["alarm"]) == ("red", "red")
    assert (body["totalSamples"], body["calibrationVersion"]) == (300, 1)
    calibrations.restore(database, 0, NOW)
    calibrations.restore(database, 1, NOW)
    assert verified(database).status == "verified"
    assert told(context, NOW + HOUR)["calibrationVersion"] == 4
