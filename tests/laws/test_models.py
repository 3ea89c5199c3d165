"""What every estimator promises: honest probabilities, the same bytes from the same data, and nothing executable."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest

from groundswell.boosting import Check
from groundswell.calibration import scores
from groundswell.calibration.temperature import Temperature
from groundswell.calibration.tier_calibration import TierCalibrator
from groundswell.errors import ArtifactError
from groundswell.estimators import Estimator
from groundswell.estimators.boosters import rounds_of
from groundswell.jobs.material import live_material
from groundswell.learners import Part, fit_boosted, fit_logistic
from groundswell.model import Model, model_from_bytes
from groundswell.records import Window
from groundswell.stages import features
from groundswell.stages.train import train
from groundswell.training_rows import TrainingRows, training_rows_from_bytes
from tests.made_up import never, parts, stored, videos

TRAINING, HOLDOUT, _ = parts(600, seed=11)
#: Rows of which only tiers 2 and 5 are left.
TWO_TIERS = TRAINING.where(np.isin(TRAINING.tiers, (2, 5)))


def logistic(rows: Part) -> Estimator:
    return fit_logistic(rows, 10.0)


def boosted(rows: Part) -> Estimator:
    return fit_boosted(rows, 20, seed=42, threads=1, check=never)


every_estimator = pytest.mark.parametrize("fit", [logistic, boosted])
Fit = Callable[[Part], Estimator]


def model(estimator: Estimator, calibrator: TierCalibrator = Temperature(1.3)) -> Model:  # noqa: B008
    return Model(Window.OBSERVED, features.names(), "wes", (0.1, 0.2, 0.3, 0.4), estimator, calibrator)


@every_estimator
@pytest.mark.parametrize("rows", [TRAINING, TWO_TIERS], ids=["five tiers", "two tiers"])
def test_probabilities_are_honest(fit: Fit, rows: Part) -> None:
    found = model(fit(rows)).probabilities(HOLDOUT.features)
    assert found.shape == (len(HOLDOUT), 5)
    assert ((found >= 0) & (found <= 1)).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(len(HOLDOUT)))
    never_seen = sorted({1, 2, 3, 4, 5} - set(rows.tiers.tolist()))
    assert (found[:, [tier - 1 for tier in never_seen]] == 0).all()
    assert ((scores.score(found) >= 12.5) & (scores.score(found) <= 90)).all()


@every_estimator
@pytest.mark.parametrize("rows", [TRAINING, TWO_TIERS], ids=["five tiers", "two tiers"])
def test_an_estimator_knows_more_than_the_shares_of_tiers(fit: Fit, rows: Part) -> None:
    judged = HOLDOUT.where(np.isin(HOLDOUT.tiers, rows.tiers))
    tiers = np.unique(rows.tiers)
    assert scores.log_loss(fit(rows).probabilities(judged.features), judged.tiers).mean() < np.log(len(tiers)) - 0.1


@every_estimator
def test_the_same_data_and_seed_give_the_same_bytes(fit: Fit) -> None:
    assert model(fit(TRAINING)).to_bytes() == model(fit(TRAINING)).to_bytes()


@every_estimator
@pytest.mark.parametrize("rows", [TRAINING, TWO_TIERS], ids=["five tiers", "two tiers"])
def test_a_stored_model_predicts_the_same_to_the_last_bit(fit: Fit, rows: Part) -> None:
    before = model(fit(rows))
    after = model_from_bytes(before.to_bytes())
    assert np.array_equal(before.probabilities(HOLDOUT.features), after.probabilities(HOLDOUT.features))
    assert after.to_bytes() == before.to_bytes()
    assert (after.window, after.feature_names, after.cut_points) == (
        before.window,
        before.feature_names,
        (0.1, 0.2, 0.3, 0.4),
    )


def test_training_twice_gives_the_same_model_and_rows() -> None:
    def bytes_of(seed: int) -> tuple[bytes, bytes]:
        material = live_material(stored(videos(300, seed=2)), None, seed)
        trained = train(material.training.rows, material.selection, seed, 1, never)
        side = material.training
        assert side.quantity is not None
        rows = TrainingRows(side.keys, side.rows.tiers, side.quantity)
        return model(trained.estimator, trained.calibrator).to_bytes(), rows.to_bytes()

    assert bytes_of(42) == bytes_of(42)
    assert bytes_of(42) != bytes_of(43)


def test_training_rows_come_back_in_one_order_whatever_order_they_went_in() -> None:
    generator = np.random.default_rng(1)
    keys = generator.integers(0, 90, 200).astype(np.uint64)  # some rows of a fallback are twins
    tiers, quantity = generator.integers(1, 6, 200), np.where(keys % 2 == 0, np.nan, keys.astype(float))
    order = generator.permutation(200)
    stored_bytes = TrainingRows(keys, tiers, quantity).to_bytes()
    assert TrainingRows(keys[order], tiers[order], quantity[order]).to_bytes() == stored_bytes
    back = training_rows_from_bytes(stored_bytes)
    assert sorted(zip(back.keys.tolist(), back.tiers.tolist(), strict=True)) == sorted(
        zip(keys.tolist(), tiers.tolist(), strict=True)
    )
    assert not back.unseen(keys).any()
    assert back.unseen(keys + np.uint64(90)).all()


@pytest.mark.parametrize(
    "given", [b"", b"garbage", b"[]", b"null", b"{}", b'{"format": 1}', pickle.dumps({"format": 1}), b"\x00" * 99]
)
def test_what_is_no_model_is_refused(given: bytes) -> None:
    with pytest.raises(ArtifactError):
        model_from_bytes(given)
    with pytest.raises(ArtifactError):
        training_rows_from_bytes(given)


@every_estimator
def test_a_truncated_model_is_refused(fit: Fit) -> None:
    whole = model(fit(TRAINING)).to_bytes()
    for part in range(20):
        with pytest.raises(ArtifactError):
            model_from_bytes(whole[: len(whole) * part // 20])


def test_truncated_training_rows_are_refused() -> None:
    whole = TrainingRows(np.arange(500, dtype=np.uint64), np.ones(500, dtype=np.int64), np.zeros(500)).to_bytes()
    for part in range(20):
        with pytest.raises(ArtifactError):
            training_rows_from_bytes(whole[: len(whole) * part // 20])


def test_a_booster_that_breaks_off_is_refused_and_does_not_end_the_process() -> None:
    content = orjson.loads(model(boosted(TRAINING)).to_bytes())
    text = content["estimator"]["text"]
    whole = text.index("\nend of parameters\n")
    for end in [*range(0, whole, whole // 40), whole]:
        content["estimator"]["text"] = text[:end]
        with pytest.raises(ArtifactError, match="incomplete"):
            model_from_bytes(orjson.dumps(content))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("format",), 3),
        (("format",), None),
        (("window",), "someday"),
        (("featureNames",), ["likeRate"]),
        (("calibrator", "t"), 0),
        (("calibrator", "t"), -1),
        (("calibrator", "t"), None),
        (("calibrator", "t"), "warm"),
        (("estimator", "kind"), "pickle"),
        (("estimator", "tiers"), []),
        (("estimator", "tiers"), [1, 2, 3, 4, 6]),
        (("estimator", "tiers"), [5, 4, 3, 2, 1]),
    ],
)
@every_estimator
def test_a_model_with_one_wrong_part_is_refused(fit: Fit, where: tuple[str, ...], value: Any) -> None:
    content = part = orjson.loads(model(fit(TRAINING)).to_bytes())
    for name in where[:-1]:
        part = part[name]
    part[where[-1]] = value
    with pytest.raises(ArtifactError):
        model_from_bytes(orjson.dumps(content))


@pytest.mark.parametrize("name", ["mean", "scale", "weights", "intercepts"])
@pytest.mark.parametrize("value", [[], [1.0], None, "many", [None] * 15])
def test_logistic_weights_of_another_shape_are_refused(name: str, value: Any) -> None:
    content = orjson.loads(model(logistic(TRAINING)).to_bytes())
    content["estimator"][name] = value
    with pytest.raises(ArtifactError):
        model_from_bytes(orjson.dumps(content))


def test_training_rows_without_a_column_are_refused() -> None:
    import io

    import polars as pl

    buffer = io.BytesIO()
    pl.DataFrame({"key": [1], "tier": [2]}).write_parquet(buffer)
    with pytest.raises(ArtifactError):
        training_rows_from_bytes(buffer.getvalue())


def test_early_stopping_grows_no_more_rounds_than_it_keeps() -> None:
    noise = Part(HOLDOUT.features, np.random.default_rng(0).integers(1, 6, len(HOLDOUT)))
    stopped = fit_boosted(TRAINING, 300, 42, 1, never, judging=noise)
    kept = rounds_of(stopped.text, len(stopped.tiers))
    assert 1 <= kept < 270
    assert stopped == fit_boosted(TRAINING, 300, 42, 1, never, judging=noise)
    plain = fit_boosted(TRAINING, kept, 42, 1, never)
    assert np.array_equal(stopped.probabilities(HOLDOUT.features), plain.probabilities(HOLDOUT.features))


@pytest.mark.parametrize("rows", [2, 6, 30])
def test_a_handful_of_rows_still_gives_a_model(rows: int) -> None:
    few = Part(TRAINING.features[:rows], np.resize(np.array([1, 3]), rows))
    trained = train(few, np.arange(rows) % 5 == 0, 42, 1, never)
    assert trained.estimator.probabilities(few.features).sum(axis=1) == pytest.approx(np.ones(rows))


@pytest.mark.parametrize(("quantity", "kind"), [("wes", "logistic"), ("views", "boosted")])
def test_the_winner_is_the_better_candidate_refitted_on_all_rows(quantity: str, kind: str) -> None:
    rows, _, _ = parts(1_000, seed=11, quantity=quantity)
    trained = train(rows, np.arange(len(rows)) % 5 == 0, 42, 1, never)
    best = min(trained.candidates, key=lambda candidate: candidate.selection_log_loss)
    assert (best.kind, trained.estimator.kind, len(trained.candidates)) == (kind, kind, 2)
    if kind == "logistic":
        assert trained.estimator == fit_logistic(rows, best.setting)
    else:
        assert trained.estimator == fit_boosted(rows, int(best.setting), 42, 1, never)


def test_a_tier_that_only_the_selection_has_does_not_stop_training() -> None:
    tiers = np.where(np.arange(len(TRAINING)) == 0, 5, np.minimum(TRAINING.tiers, 4))
    selection = np.arange(len(TRAINING)) % 5 == 0
    trained = train(Part(TRAINING.features, tiers), selection, 42, 1, never)
    assert trained.estimator.tiers == (1, 2, 3, 4, 5)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "work",
    [
        lambda check: fit_boosted(TRAINING, 20, 42, 1, check),
        lambda check: train(TRAINING, np.arange(len(TRAINING)) % 5 == 0, 42, 1, check),
    ],
    ids=["boosted", "train"],
)
def test_time_running_out_stops_the_work_between_two_steps(work: Callable[[Check], object]) -> None:
    class TooLateError(Exception):
        """The time is up."""

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise TooLateError

    with pytest.raises(TooLateError):
        work(check)
    assert calls == 4
