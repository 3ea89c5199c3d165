"""Recalibrate as a verb of its own: a version with new calibrators, or a reason why there is none."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from groundswell.calibration.scores import log_loss
from groundswell.calibration.temperature import Temperature
from groundswell.jobs import models
from groundswell.jobs import recalibrate as job
from groundswell.jobs.context import Context
from groundswell.jobs.evidence import evidence
from groundswell.jobs.recalibrate import recalibrate
from groundswell.model import Model, model_from_bytes
from groundswell.records import ModelVersion
from groundswell.store import registry, runs
from tests.made_up_forecast import AS_OF
from tests.made_up_loop import verified
from tests.unit.jobs.trained import NOW, PUBLISH, champion, opened, serve


def model_of(context: Context, version: ModelVersion) -> Model:
    return model_from_bytes(context.artifacts.get(version.artifact))


def spoil(context: Context, **changed: Any) -> ModelVersion:
    """Make a champion of the same estimator whose chances are far too sharp."""
    before = champion(context)
    spoilt = dataclasses.replace(model_of(context, before), **({"calibrator": Temperature(0.25)} | changed))
    return registry.promote(
        context.database,
        window=PUBLISH,
        artifact=context.artifacts.put(spoilt.to_bytes()),
        training_rows=before.training_rows,
        source=before.source,
        lineage=before.lineage,
        evaluation=before.evaluation,
        decision=before.decision,
        expected=before.version,
        at=AS_OF,
    )


def test_chances_that_were_sharpened_are_healed_and_the_estimator_is_untouched(trained: Context) -> None:
    spoilt = spoil(trained)
    report = recalibrate(trained, PUBLISH, NOW)
    assert report.status == "completed", report.body
    healed = champion(trained)
    assert (report.body["modelVersion"], healed.version, report.body["champion"]) == (3, 3, spoilt.version)
    before, after = model_of(trained, spoilt), model_of(trained, healed)
    assert orjson.dumps(before.estimator.content()) == orjson.dumps(after.estimator.content())
    kept = ("window", "feature_names", "label", "cut_points", "typical", "label_age_hours", "reference")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    rows = evidence(trained, healed, NOW, 50)
    loss = [log_loss(model.probabilities(rows.features), rows.tiers).mean() for model in (before, after)]
    assert loss[1] < loss[0] - 0.1
    low, high = after.reach.ranges(after.probabilities(rows.features)).T
    held = ((low <= rows.tiers) & (rows.tiers <= high)).mean()
    assert 0.7 <= held <= 0.92  # 80 % of about a hundred and fifty rows


def test_a_recalibrated_version_says_what_it_is_made_of(trained: Context) -> None:
    spoilt = spoil(trained)
    body = recalibrate(trained, PUBLISH, NOW).body
    healed = champion(trained)
    assert healed.lineage == {
        **spoilt.lineage,
        "recalibratedFrom": spoilt.version,
        "estimatorOf": spoilt.version,
        "recalibrationRows": body["rows"],
        "recalibrationSource": "videos",
        "asOf": "2025-06-14T00:00:00Z",
    }
    assert (healed.training_rows, healed.source) == (spoilt.training_rows, spoilt.source)
    assert healed.evaluation["metrics"]["logLoss"]["n"] == body["rows"]
    assert healed.decision["decision"] == "promote"
    assert (body["window"], body["source"], body["calibrator"]["before"]) == ("publish", "videos", "temperature")
    assert body["candidates"][0]["kind"] == "none"
    assert verified(trained.database).status == "verified"


def test_a_recalibration_can_be_rolled_back(trained: Context) -> None:
    spoilt = spoil(trained)
    recalibrate(trained, PUBLISH, NOW)
    models.rollback(trained, PUBLISH)
    assert champion(trained).version == spoilt.version
    assert verified(trained.database).status == "verified"


def test_a_recalibrated_model_is_left_alone_the_next_time(trained: Context) -> None:
    spoil(trained)
    assert recalibrate(trained, PUBLISH, NOW).status == "completed"
    again = recalibrate(trained, PUBLISH, NOW)
    assert (again.status, again.body["champion"], again.body["decision"]["decision"]) == ("skipped", 3, "hold")
    assert "log loss" in again.body["reason"]
    assert "modelVersion" not in again.body
    assert champion(trained).version == 3


def test_served_predictions_are_the_evidence_where_enough_matured(trained: Context) -> None:
    rows = evidence(trained, champion(trained), NOW, 50)
    spoil(trained)
    serve(trained, [f"tiktok:n{number}" for number in range(len(rows))], rows.features.tolist(), rows.quantity)
    body = recalibrate(trained, PUBLISH, NOW).body
    assert (body["status"], body["source"], body["rows"]) == ("completed", "predictions", len(rows))


def test_the_videos_of_a_single_creator_are_evidence_where_nobody_else_is_served(trained: Context) -> None:
    rows = evidence(trained, champion(trained), NOW, 50)
    spoil(trained)
    keys = [f"tiktok:n{number}" for number in range(len(rows))]
    serve(trained, keys, rows.features.tolist(), rows.quantity, author="ann")
    body = recalibrate(trained, PUBLISH, NOW).body
    assert (body["status"], body["source"], body["rows"]) == ("completed", "predictions", len(rows))
    outcomes = {finding["code"]: finding["outcome"] for finding in body["decision"]["findings"]}
    assert outcomes["R1"] == "passed", "its interval is that of videos"


def test_too_few_rows_are_told_by_their_numbers(trained: Context) -> None:
    strict = dataclasses.replace(
        trained, settings=trained.settings.model_copy(update={"min_recalibration_rows": 5_000})
    )
    before = champion(trained)
    report = recalibrate(strict, PUBLISH, NOW)
    rows = report.body["rows"]
    assert report.status == "skipped"
    assert f"{rows} matured rows that the estimator never saw, 5,000 are needed" in str(report.body["decision"])
    assert str(rows) in report.body["reason"]
    assert report.body["decision"]["findings"][0]["outcome"] == "not_applicable"
    assert champion(trained) == before


def test_without_a_champion_it_fails_with_what_to_do(context: Context) -> None:
    report = recalibrate(context, PUBLISH, NOW)
    assert report.status == "failed"
    assert report.body["error"] == "Recalibration failed: No model serves the window 'publish' yet."
    assert "groundswell retrain" in report.body["hint"]
    assert report.body["window"] == "publish"


def test_a_version_without_cut_points_has_nothing_to_be_judged_by(trained: Context) -> None:
    before = champion(trained)
    registry.promote(
        trained.database,
        window=PUBLISH,
        artifact=before.artifact,
        training_rows=before.training_rows,
        source=before.source,
        lineage={},
        evaluation={},
        decision={},
        expected=before.version,
        at=AS_OF,
    )
    report = recalibrate(trained, PUBLISH, NOW)
    assert (report.status, report.body["rows"]) == ("skipped", 0)


def test_where_the_champion_moved_meanwhile_nothing_is_published(
    trained: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(trained)

    def meanwhile(*given: Any) -> Any:
        found = evidence(*given)
        spoil(trained)
        return found

    monkeypatch.setattr(job, "evidence", meanwhile)
    report = recalibrate(trained, PUBLISH, NOW)
    assert report.status == "failed"
    assert "is version 3, no longer version 2" in report.body["error"]
    assert champion(trained).version == 3
    assert len(registry.versions(trained.database)) == 3
    assert verified(trained.database).status == "verified"


def test_only_one_recalibration_of_a_line_runs_at_a_time(trained: Context) -> None:
    with runs.running(trained.database, kind="recalibrate", window=PUBLISH) as run:
        assert recalibrate(trained, PUBLISH, NOW).body == {"status": "already_running", "runId": run.id}
        run.finish("completed", {})


def test_the_same_recalibration_gives_the_same_bytes(trained: Context, tmp_path: Path) -> None:
    spoil(trained)
    trained.database.dispose()
    artifacts = []
    for name in ("a", "b"):
        shutil.copytree(tmp_path / "copy", tmp_path / name)
        context = opened(tmp_path / name)
        recalibrate(context, PUBLISH, NOW)
        artifacts.append(champion(context).artifact)
        context.database.dispose()
    assert artifacts[0] == artifacts[1]
