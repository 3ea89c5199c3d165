"""What every tier calibrator promises, and how one is chosen: leaving alone unless another clearly leads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from groundswell.calibration.isotonic import fit_isotonic
from groundswell.calibration.matrix import fit_matrix, fit_vector
from groundswell.calibration.ranges import conformal_reach
from groundswell.calibration.scores import Floats, Tiers, likeliest, log_loss
from groundswell.calibration.temperature import Temperature, fit_temperature
from groundswell.calibration.tier_calibration import (
    TierCalibrator,
    choose_tier_calibrator,
    tier_calibrator_from_content,
)
from groundswell.errors import ArtifactError
from groundswell.estimators.classifiers import LogisticEstimator
from groundswell.model import Model, model_from_bytes
from groundswell.records import Window
from tests.made_up import forecasts, law

Fit = Callable[[Floats, Tiers], TierCalibrator]
FITS: dict[str, Fit] = {
    "temperature": fit_temperature,
    "vector": fit_vector,
    "matrix": fit_matrix,
    "isotonic": fit_isotonic,
}
every_kind = pytest.mark.parametrize("kind", FITS)


def mean_loss(probabilities: Floats, tiers: Tiers) -> float:
    return float(log_loss(probabilities, tiers).mean())


def mixed_up(n: int, seed: int) -> tuple[Floats, Tiers]:
    """Return forecasts that hold a tier for its neighbour and the first for half as likely as it is."""
    probabilities, tiers = forecasts(n, seed)
    weights = np.eye(5) + 0.5 * np.eye(5, k=1) - 0.3 * np.eye(5, k=-1)
    return np.asarray(softmax(np.log(probabilities) @ weights.T - [0.7, 0, 0, 0, 0], axis=1)), tiers


@every_kind
def test_calibrated_forecasts_are_hardly_changed(kind: str) -> None:
    found = FITS[kind](*forecasts(20_000, 1))
    fresh, tiers = forecasts(20_000, 2)
    assert mean_loss(found.apply(fresh), tiers) <= mean_loss(fresh, tiers) + 0.003
    assert np.abs(found.apply(fresh) - fresh).mean() < 0.01


@pytest.mark.parametrize("n", [60, 350, pytest.param(1_500, marks=pytest.mark.slow)])
def test_calibrated_forecasts_are_left_alone_most_of_the_time(n: int) -> None:
    # About 3 in 100 are not (6 of 205 simulated, from 60 to 3,000 rows).
    kinds = [choose_tier_calibrator(*forecasts(n, seed)).calibrator.kind for seed in range(20)]
    assert kinds.count("none") >= 17


@every_kind
@pytest.mark.parametrize("sharpness", [0.4, 2.5])
def test_too_timid_and_too_bold_forecasts_get_better(kind: str, sharpness: float) -> None:
    found = FITS[kind](*forecasts(2_000, 1, sharpness))
    fresh, tiers = forecasts(10_000, 2, sharpness)
    assert mean_loss(found.apply(fresh), tiers) < mean_loss(fresh, tiers) - 0.02


def test_the_simplest_kind_that_does_is_chosen() -> None:
    assert choose_tier_calibrator(*forecasts(2_000, 1, 2.5)).calibrator.kind == "temperature"
    chosen = choose_tier_calibrator(*mixed_up(2_000, 1)).calibrator
    assert chosen.kind == "matrix"
    fresh, tiers = mixed_up(20_000, 2)
    temperature = fit_temperature(*mixed_up(2_000, 1))
    assert mean_loss(chosen.apply(fresh), tiers) < mean_loss(temperature.apply(fresh), tiers) - 0.02


def stepped(n: int, seed: int) -> tuple[Floats, Tiers]:
    """Return forecasts bent where no power bends them: low chances a fifth of what they are, middling ones level."""
    honest, tiers = forecasts(n, seed)
    bent = np.where(honest < 0.3, honest / 5, np.where(honest < 0.6, 0.27 + honest / 10, honest)).clip(0.002)
    return np.asarray(bent / bent.sum(axis=1, keepdims=True)), tiers


def test_steps_are_chosen_where_rows_are_many_and_no_matrix_does() -> None:
    chosen = choose_tier_calibrator(*stepped(4_000, 1)).calibrator
    assert chosen.kind == "isotonic"
    fresh, tiers = stepped(20_000, 2)
    assert mean_loss(chosen.apply(fresh), tiers) < mean_loss(fit_matrix(*stepped(4_000, 1)).apply(fresh), tiers) - 0.01
    assert choose_tier_calibrator(*stepped(999, 1)).calibrator.kind != "isotonic"


def test_what_lasts_for_a_stretch_only_is_not_learnt() -> None:
    probabilities, tiers = forecasts(1_000, 3)
    # In one stretch of time the highest tier is all there is: dealt in turn, every fold would have its share of it.
    tiers[300:400] = 5
    assert choose_tier_calibrator(probabilities, tiers).calibrator.kind == "none"
    assert choose_tier_calibrator(probabilities, tiers, seed=1).calibrator.kind != "none"


@every_kind
@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_matter_to_a_fit(kind: str, seed: int) -> None:
    probabilities, tiers = mixed_up(1_200, seed)
    order = np.random.default_rng(seed).permutation(len(tiers))
    first, second = FITS[kind](probabilities, tiers), FITS[kind](probabilities[order], tiers[order])
    assert first.apply(probabilities) == pytest.approx(second.apply(probabilities), abs=1e-6)


@pytest.mark.parametrize("n", [0, 1, 49, 50, 299, 300, 999, 1_000])
@pytest.mark.parametrize("sharpness", [1.0, 3.0])
def test_the_chosen_is_never_above_leaving_alone(n: int, sharpness: float) -> None:
    probabilities, tiers = forecasts(1_000, 5, sharpness)
    probabilities, tiers = probabilities[:n], tiers[:n]
    chosen = choose_tier_calibrator(probabilities, tiers)
    told = {candidate.kind: candidate.log_loss for candidate in chosen.candidates}
    if n < 50:
        assert chosen.calibrator == Temperature()
        assert set(told) == ({"none"} if n else set())
        assert np.array_equal(chosen.cross_validated, probabilities)
        return
    assert told[chosen.calibrator.kind] <= told["none"]
    assert mean_loss(chosen.cross_validated, tiers) == pytest.approx(told[chosen.calibrator.kind])
    fewest = {"none": 0, "temperature": 50, "vector": 300, "matrix": 300, "isotonic": 1_000}
    assert set(told) == {kind for kind, rows in fewest.items() if n >= rows}


@pytest.mark.parametrize("creators", [1, 9, 49])
def test_few_creators_choose_nothing(creators: int) -> None:
    probabilities, tiers = forecasts(600, 5, 3.0)
    assert choose_tier_calibrator(probabilities, tiers, clusters=np.arange(600) % creators).calibrator == Temperature()
    assert choose_tier_calibrator(probabilities, tiers, clusters=np.arange(600) % 100).calibrator.kind != "none"


@pytest.mark.parametrize("seed", [None, 1])
def test_the_same_rows_give_the_same_calibrator(seed: int | None) -> None:
    once, again = (choose_tier_calibrator(*mixed_up(800, 4), seed) for _ in range(2))
    assert once.calibrator == again.calibrator
    assert np.array_equal(once.cross_validated, again.cross_validated)


likelihoods = st.lists(
    st.lists(st.sampled_from([0, 0, 1, 2, 3, 50, 10**6, 10**12]), min_size=5, max_size=5).filter(any),
    min_size=1,
    max_size=10,
)


FITTED = {kind: fit(*mixed_up(1_000, 8)) for kind, fit in FITS.items()}


@every_kind
@law
@given(rows=likelihoods)
def test_rows_add_up_and_only_the_impossible_gets_nothing(kind: str, rows: list[list[int]]) -> None:
    plain = np.array(rows, dtype=float)
    plain /= plain.sum(axis=1, keepdims=True)
    calibrated = FITTED[kind].apply(plain)
    assert calibrated.sum(axis=1) == pytest.approx(np.ones(len(rows)))
    assert np.array_equal(calibrated > 0, plain > 0)
    if kind == "temperature":
        assert np.array_equal(likeliest(calibrated), likeliest(plain))


@every_kind
def test_no_rows_stay_none(kind: str) -> None:
    assert FITTED[kind].apply(np.zeros((0, 5))).shape == (0, 5)


@every_kind
def test_a_tier_that_never_occurs_keeps_a_chance(kind: str) -> None:
    probabilities, tiers = forecasts(1_000, 9)
    found = FITS[kind](probabilities, np.minimum(tiers, 4)).apply(probabilities)
    assert np.isfinite(found).all()
    assert (found[:, 4] > 0).all()


@every_kind
def test_a_tier_that_was_impossible_at_fitting_is_not_bent_afterwards(kind: str) -> None:
    # A model is refitted on all rows: then a tier may be possible of which its calibrator never saw a chance.
    full, tiers = forecasts(2_000, 10)
    narrow = full * [1, 1, 1, 1, 0]
    narrow /= narrow.sum(axis=1, keepdims=True)
    found = FITS[kind](narrow, tiers)
    assert np.isfinite(found.apply(full)).all()
    assert (found.apply(narrow)[:, 4] == 0).all()
    if kind != "isotonic":  # its curve of that tier knows one point only
        assert mean_loss(found.apply(full), tiers) < mean_loss(full, tiers) + 0.05
    none = np.tile([0.0, 0.0, 0.0, 0.0, 1.0], (60, 1))
    assert np.isfinite(FITS[kind](none, np.ones(60, dtype=np.int64)).apply(full)).all()


@every_kind
def test_what_is_stored_says_the_same_to_the_last_bit(kind: str) -> None:
    stored = orjson.dumps(FITTED[kind].content())
    back = tier_calibrator_from_content(orjson.loads(stored))
    assert back == FITTED[kind]
    assert orjson.dumps(back.content()) == stored
    fresh, _ = forecasts(500, 11)
    assert np.array_equal(back.apply(fresh), FITTED[kind].apply(fresh))


def served(calibrator: TierCalibrator) -> Model:
    weights = tuple((float(tier), -float(tier)) for tier in range(5))
    estimator = LogisticEstimator((1, 2, 3, 4, 5), (0.0, 0.0), (1.0, 1.0), weights, (0.0,) * 5)
    return Model(Window.OBSERVED, ("likeRate", "shareRate"), "views", (1.0, 2.0, 3.0, 4.0), estimator, calibrator)


@every_kind
def test_a_model_is_stored_with_its_calibrator(kind: str) -> None:
    model = served(FITTED[kind])
    stored = model.to_bytes()
    back = model_from_bytes(stored)
    rows = np.random.default_rng(1).normal(0, 1, (50, 2))
    assert back.to_bytes() == stored
    assert np.array_equal(back.probabilities(rows), model.probabilities(rows))
    # A version that knows temperatures only tells by the format that it cannot read the others.
    assert orjson.loads(stored)["format"] == (1 if kind == "temperature" else 2)


def test_a_model_of_the_first_release_still_loads() -> None:
    content = orjson.loads(served(Temperature(1.3)).to_bytes())
    assert content["calibrator"] == {"kind": "temperature", "t": 1.3}
    kept = ("format", "window", "featureNames", "label", "cutPoints", "estimator", "calibrator")
    assert model_from_bytes(orjson.dumps({name: content[name] for name in kept})).calibrator == Temperature(1.3)


@pytest.mark.parametrize("calibrator", [None, [], {}, "warm", {"kind": "matrix"}, {"kind": "of tomorrow"}])
def test_a_model_whose_calibrator_cannot_be_read_is_refused(calibrator: Any) -> None:
    content = orjson.loads(served(Temperature()).to_bytes())
    with pytest.raises(ArtifactError):
        model_from_bytes(orjson.dumps(content | {"calibrator": calibrator}))


MATRIX: dict[str, Any] = {"kind": "matrix", "weights": np.eye(5).tolist(), "intercepts": [0.0] * 5}
CURVE: dict[str, Any] = {"x": [0.0, 1.0], "y": [0.0, 1.0]}
BROKEN_CURVES: list[dict[str, Any]] = [
    {"x": []},
    {"x": [1.0, 0.0]},
    {"x": [0.5, 0.5]},
    {"x": [0.0]},
    {"x": [0.0, math.inf]},
    {"x": None},
    {"y": [1.0, 0.0]},
    {"y": [0.0, 1.5]},
    {"y": [-0.5, 1.0]},
    {"y": [math.nan, 1.0]},
]
STEPS: dict[str, Any] = {"kind": "isotonic", "curves": [CURVE] * 5, "least": 0.01}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kind": "pickle"},
        {"kind": ["matrix"]},
        {"t": 1.0},
        {"kind": "temperature"},
        *({"kind": "temperature", "t": t} for t in (0, -1, math.inf, math.nan, None, "warm")),
        *(MATRIX | {"weights": weights} for weights in ([], [[1.0]], None, [[1.0] * 5] * 4, [[math.nan] * 5] * 5)),
        *(MATRIX | {"intercepts": intercepts} for intercepts in ([], [1.0] * 6, None, "many", [math.inf] * 5)),
        *(STEPS | {"curves": curves} for curves in ([], [CURVE] * 4, None, [1] * 5, "many")),
        *(STEPS | {"least": least} for least in (0, -1, 0.3, None, math.nan)),
        *(STEPS | {"curves": [CURVE] * 4 + [CURVE | changed]} for changed in BROKEN_CURVES),
    ],
)
def test_nonsense_is_refused(content: dict[str, Any]) -> None:
    assert tier_calibrator_from_content(MATRIX).kind == "matrix"
    assert tier_calibrator_from_content(STEPS).kind == "isotonic"
    with pytest.raises(ValueError, match=r"."):
        tier_calibrator_from_content(content)


def test_a_reach_found_on_cross_validated_rows_holds_what_it_promises() -> None:
    shares = []
    for seed in range(8):
        probabilities, tiers = mixed_up(500, seed)
        chosen = choose_tier_calibrator(probabilities, tiers)
        reach = conformal_reach(chosen.cross_validated, tiers)
        fresh, occurred = mixed_up(2_000, 100 + seed)
        ranges = reach.ranges(chosen.calibrator.apply(fresh))
        shares.append(((ranges[:, 0] <= occurred) & (occurred <= ranges[:, 1])).mean())
    assert 0.78 <= np.mean(shares) <= 0.825
