"""The answering loop: every video gets its answer in its place, by what serves at that moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from groundswell.calibration.score_calibration import ScoreCalibration
from groundswell.calibration.score_calibrators import Identity
from groundswell.calibration.temperature import Temperature
from groundswell.errors import ArtifactError, NoChampionError
from groundswell.estimators.classifiers import LogisticEstimator
from groundswell.jobs.context import Context
from groundswell.model import Model
from groundswell.predictor import Prediction, Predictor, Refusal, answer
from groundswell.records import Window
from groundswell.stages import features
from groundswell.stages.maturity import LabelAge
from groundswell.store import calibrations, registry, tables
from tests.made_up import NEWEST, crown

NAMES = features.names()
VIDEO: dict[str, Any] = {"views": 1_000, "likes": 100}


def always(tier: int) -> Model:
    """A model that is nearly sure of one tier, whatever it sees."""
    estimator = LogisticEstimator(
        tiers=(1, 2, 3, 4, 5),
        mean=(0.0,) * 15,
        scale=(1.0,) * 15,
        weights=((0.0,) * 15,) * 5,
        intercepts=tuple(4.0 if own == tier else 0.0 for own in range(1, 6)),
    )
    return Model(Window.OBSERVED, NAMES, "views", None, estimator, Temperature())


def predictor(context: Context) -> Predictor:
    return Predictor(context.database, context.artifacts)


def predict(asked: Predictor, *videos: Any) -> list[Prediction]:
    found = asked.predict(videos, Window.OBSERVED, NEWEST)
    predictions = [one for one in found if isinstance(one, Prediction)]
    assert len(predictions) == len(videos), found
    return predictions


def calibrate(context: Context, active: bool) -> int:
    fitted = calibrations.Fitted(a=-4.0, b=2.0, active=active, reason="a test", pairs=60)
    return calibrations.add(context.database, fitted, NEWEST).version


def test_without_a_champion_it_says_what_to_run(context: Context) -> None:
    with pytest.raises(NoChampionError) as caught:
        predictor(context).predict([VIDEO], Window.OBSERVED, NEWEST)
    assert "groundswell retrain" in caught.value.hint


def test_good_and_bad_videos_are_answered_in_order(context: Context) -> None:
    version = crown(context, always(4))
    bad: list[Any] = [
        {},
        {"views": 0, "likes": 0},
        {"views": 9},
        {"views": "many", "likes": 1},
        {"views": 5, "likes": -1},
        None,
        7,
        [],
    ]
    found = predictor(context).predict([VIDEO, *bad, VIDEO, VIDEO], Window.OBSERVED, NEWEST)
    assert [type(one) for one in found] == [Prediction, *[Refusal] * len(bad), Prediction, Prediction]
    assert {one.tier for one in found if isinstance(one, Prediction)} == {4}
    assert {one.model_version for one in found if isinstance(one, Prediction)} == {version}
    assert all(one.error and one.hint for one in found if isinstance(one, Refusal))


def test_no_usable_video_logs_nothing(context: Context) -> None:
    crown(context, always(4))
    assert isinstance(predictor(context).predict([{}], Window.OBSERVED, NEWEST)[0], Refusal)
    assert logged(context) == []


def test_a_prediction_adds_up(context: Context) -> None:
    crown(context, always(2))
    (found,) = predict(predictor(context), VIDEO)
    assert sum(found.probabilities) == pytest.approx(1)
    assert found.score == pytest.approx(np.dot(found.probabilities, [12.5, 35, 55, 72.5, 90]), abs=1e-4)
    assert found.calibrated_score == found.score
    assert found.calibration_version is None
    assert found.range.low <= found.tier <= found.range.high
    body = answer([found, Refusal("wrong", "right it")])["predictions"]
    assert list(body[0]) == [
        "predictionId",
        "window",
        "tier",
        "probabilities",
        "range",
        "score",
        "calibratedScore",
        "reasons",
        "modelVersion",
        "calibrationVersion",
    ]
    assert body[1] == {"error": "wrong", "hint": "right it"}


def test_an_active_calibration_serves_the_very_next_prediction_and_an_inactive_one_ends_it(context: Context) -> None:
    crown(context, always(5))
    asked = predictor(context)
    plain = predict(asked, VIDEO)[0]
    version = calibrate(context, active=True)
    calibrated = predict(asked, VIDEO)[0]
    assert calibrated.score == plain.score
    assert calibrated.calibration_version == version
    assert calibrated.calibrated_score == pytest.approx(100 / (1 + np.exp(-4 * plain.score / 100 + 2)), abs=1e-3)
    calibrate(context, active=False)
    assert predict(asked, VIDEO)[0].calibrated_score == plain.score


def test_a_promotion_serves_the_very_next_prediction(context: Context) -> None:
    asked = predictor(context)
    first = crown(context, always(1))
    assert [(one.tier, one.model_version) for one in predict(asked, VIDEO)] == [(1, first)]
    second = crown(context, always(5))
    assert [(one.tier, one.model_version) for one in predict(asked, VIDEO)] == [(5, second)]


def test_a_champion_of_other_features_is_refused(context: Context) -> None:
    model = always(3)
    names = (*NAMES[1:], NAMES[0])
    crown(context, Model(model.window, names, model.label, None, model.estimator, model.calibrator))
    with pytest.raises(ArtifactError, match="other features"):
        predictor(context).predict([VIDEO], Window.OBSERVED, NEWEST)


def damage(context: Context) -> None:
    """Let the champion's artifact be other bytes than its name says."""
    version = registry.champion(context.database, Window.OBSERVED)
    assert version is not None
    folder = context.settings.home / "artifacts" / version.artifact[:2]
    (folder / version.artifact).write_bytes(b"{}")


def test_where_the_champion_is_damaged_what_was_loaded_serves_on(context: Context) -> None:
    crown(context, always(2))
    asked = predictor(context)
    assert predict(asked, VIDEO)[0].tier == 2
    crown(context, always(4))
    damage(context)
    (found,) = predict(asked, VIDEO)
    assert (found.tier, found.model_version) == (2, 1)


def test_where_nothing_was_loaded_the_champion_before_serves(context: Context) -> None:
    crown(context, always(2))
    crown(context, always(4))
    damage(context)
    (found,) = predict(predictor(context), VIDEO)
    assert (found.tier, found.model_version) == (2, 1)


def test_where_there_is_none_before_it_says_so(context: Context) -> None:
    crown(context, always(2))
    damage(context)
    with pytest.raises(ArtifactError, match="damaged"):
        predict(predictor(context), VIDEO)


def test_a_silent_database_is_not_asked(context: Context) -> None:
    crown(context, always(2))
    silent = False
    stored: list[Any] = []
    asked = Predictor(context.database, context.artifacts, write=stored.extend, is_away=lambda: silent)
    predict(asked, VIDEO)
    crown(context, always(4))
    silent = True
    assert predict(asked, VIDEO)[0].tier == 2, "what was loaded last, at once"
    silent = False
    assert predict(asked, VIDEO)[0].tier == 4
    assert len(stored) == 3


def logged(context: Context) -> list[Any]:
    with context.database.read() as connection:
        return list(connection.execute(sa.select(tables.predictions)).mappings())


def test_each_prediction_is_logged_with_what_it_was_made_from(context: Context) -> None:
    crown(context, always(2))
    planned = {"views": 50, "likes": 5, "description": "a plan"}
    known = {"views": 70, "likes": 7, "platform": "YouTube", "platformVideoId": "42"}
    found = predict(predictor(context), planned, known)
    rows = {row["id"]: row for row in logged(context)}
    first, second = (rows[one.prediction_id] for one in found)
    assert (first["platform_video_id"], first["input"]) == (None, {"platform": "tiktok"} | planned)
    assert (second["platform"], second["platform_video_id"]) == ("youtube", "42")
    for row, one in ((first, found[0]), (second, found[1])):
        assert (row["tier"], row["score"], tuple(row["probabilities"])) == (one.tier, one.score, one.probabilities)
        assert len(row["features"]) == 15
        assert row["predicted_at"] == NEWEST
    assert (first["author"], first["segment"], first["matures_at"]) == (None, "tiktok/unknown", None)
    assert first["range_low"] == found[0].range.low


# --- what a prediction is followed by -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "segment"),
    [
        ({"authorFollowers": 9_999}, "tiktok/under10k"),
        ({"authorFollowers": 10_000, "platform": "YouTube"}, "youtube/10kTo100k"),
        ({"authorFollowers": 100_000}, "tiktok/100kTo1M"),
        ({"authorFollowers": 1_000_000}, "tiktok/over1M"),
        ({"authorFollowers": 0}, "tiktok/under10k"),
        ({}, "tiktok/unknown"),
    ],
)
def test_a_prediction_is_logged_with_its_author_and_segment(
    context: Context, said: dict[str, Any], segment: str
) -> None:
    crown(context, always(2))
    predict(predictor(context), VIDEO | said | {"author": "ann"})
    (row,) = logged(context)
    assert (row["author"], row["segment"]) == ("ann", segment)


@pytest.mark.parametrize("days", [0, 2, 9])
def test_a_description_matures_at_the_label_age_but_not_before_it_was_made(context: Context, days: int) -> None:
    crown(context, always(2))
    posted_at = NEWEST - timedelta(days=days)
    predict(predictor(context), VIDEO | {"postedAt": posted_at.isoformat()})
    (row,) = logged(context)
    assert row["matures_at"] == max(posted_at + timedelta(hours=72), NEWEST)


def test_the_label_age_is_the_predictors(context: Context) -> None:
    crown(context, always(2))
    asked = Predictor(context.database, context.artifacts, LabelAge(timedelta(hours=100)))
    predict(asked, VIDEO | {"postedAt": NEWEST.isoformat()})
    (row,) = logged(context)
    assert row["matures_at"] == NEWEST + timedelta(hours=100)


def test_a_calibration_of_another_kind_serves_by_its_content(context: Context) -> None:
    crown(context, always(5))
    asked = predictor(context)
    plain = predict(asked, VIDEO)[0].score
    content = ScoreCalibration(Identity(), {"observed/tiktok/under10k": 1.0}).content()
    fitted = calibrations.Fitted(a=-9.0, b=9.0, active=True, reason="a test", pairs=60, content=content)
    version = calibrations.add(context.database, fitted, NEWEST).version
    small, unknown = predict(asked, VIDEO | {"authorFollowers": 5}, VIDEO)
    log_odds = np.log(plain / (100 - plain))
    assert small.calibrated_score == pytest.approx(100 / (1 + np.exp(-log_odds - 1)), abs=1e-3)
    assert unknown.calibrated_score == pytest.approx(plain, abs=1e-3)
    assert small.calibration_version == unknown.calibration_version == version


def test_a_restored_calibration_serves_the_very_next_prediction(context: Context) -> None:
    crown(context, always(5))
    asked = predictor(context)
    plain = predict(asked, VIDEO)[0].score
    calibrate(context, active=True)
    calibrated = predict(asked, VIDEO)[0].calibrated_score
    calibrations.restore(context.database, 0, NEWEST)
    assert predict(asked, VIDEO)[0].calibrated_score == plain
    calibrations.restore(context.database, 1, NEWEST)
    again = predict(asked, VIDEO)[0]
    assert (again.calibrated_score, again.calibration_version) == (calibrated, 3)
