"""What every learner of a forecast promises: chances that add up, kept as JSON, learnt from nobody's own outcome."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from groundswell.boosting import Check, Sample, codes, grow
from groundswell.calibration.scores import Floats, log_loss
from groundswell.estimators import Estimator, estimator_from_content
from groundswell.estimators.blend import BlendedEstimator, TierShares, blend_weights
from groundswell.estimators.boosters import check_booster, rounds_of
from groundswell.estimators.ordinal import OrdinalEstimator, from_answers, questions
from groundswell.estimators.regressions import FARTHEST, Errors, LinearEstimator, Ridge
from groundswell.heads import (
    Outcomes,
    base_of,
    expected_out_of_fold,
    fit_classifier,
    fit_linear,
    fit_ordinal,
    fit_regression,
    fit_ridge,
    more_rounds,
)
from groundswell.learners import Part, fit_logistic
from groundswell.stages.blend import Forecast, train_forecast
from tests.made_up import law, never
from tests.made_up_posts import cuts_of, fitting_of, outcomes, tiers_of

KINDS = ("tierShares", "linear", "boostedRegression", "boosted", "boostedOrdinal", "blend")
TIERS = {"five tiers": (1, 2, 3, 4, 5), "two tiers": (2, 5)}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_rows = pytest.mark.parametrize("name", list(TIERS))


def odd(rows: Outcomes) -> Outcomes:
    """Return the rows with a constant column and one that is unknown throughout."""
    extra = np.column_stack([np.full(len(rows), 3.0), np.full(len(rows), np.nan)])
    return dataclasses.replace(rows, features=np.hstack([rows.features, extra]))


@cache
def rows_of(name: str) -> tuple[Outcomes, Outcomes]:
    rows = odd(outcomes(900, 3, signal=1.0))
    rows = rows.where(np.isin(rows.tiers, TIERS[name]))
    half = len(rows) * 2 // 3
    return rows.where(slice(0, half)), rows.where(slice(half, None))


@cache
def fitted(name: str) -> dict[str, Estimator]:
    training, judging = rows_of(name)
    base, fitting = base_of(training, 1), fitting_of(outcomes(900, 3, signal=1.0))
    found: list[Estimator] = [
        TierShares((0.1, 0.2, 0.3, 0.4, 0.0)),
        fit_linear(base, fitting),
        fit_regression(base, fitting, judging, None),
        fit_classifier(training, fitting, judging),
        fit_ordinal(base, fitting, judging),
    ]
    found.append(BlendedEstimator(tuple(found), (0.1, 0.2, 0.3, 0.2, 0.2)))
    return {estimator.kind: estimator for estimator in found}


def strange(count: int, columns: int) -> Floats:
    """Return rows beyond any that were learnt from: unknown, huge, and all the same."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(count, columns)) * 10.0 ** generator.integers(-3, 9, (count, 1))
    features[generator.random(features.shape) < 0.3] = np.nan
    features[0], features[1] = np.nan, 0
    return features


def assert_chances(found: Floats, count: int) -> None:
    assert found.shape == (count, 5)
    assert (found >= 0).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(count), abs=1e-9)


@each_kind
@each_rows
def test_chances_of_any_row_are_five_that_add_up(kind: str, name: str) -> None:
    _, judging = rows_of(name)
    estimator = fitted(name)[kind]
    for features in (judging.features, strange(200, judging.features.shape[1]), judging.features[:0]):
        assert_chances(estimator.probabilities(features), len(features))


@each_kind
def test_a_row_says_the_same_alone_as_among_others(kind: str) -> None:
    _, judging = rows_of("five tiers")
    estimator = fitted("five tiers")[kind]
    many = estimator.probabilities(np.vstack([judging.features] * 4))  # enough for a second thread
    for row in range(3):
        alone = estimator.probabilities(judging.features[row : row + 1])[0]
        assert alone == pytest.approx(many[row], abs=1e-12)


@each_kind
@each_rows
def test_a_stored_learner_says_the_same_to_the_last_bit(kind: str, name: str) -> None:
    _, judging = rows_of(name)
    before = fitted(name)[kind]
    stored = orjson.dumps(before.content())
    after = estimator_from_content(orjson.loads(stored), judging.features.shape[1])
    assert after.kind == kind
    assert np.array_equal(after.probabilities(judging.features), before.probabilities(judging.features))
    assert orjson.dumps(after.content()) == stored


def test_a_stored_logistic_regression_says_the_same_in_a_blend() -> None:
    generator = np.random.default_rng(1)
    features, tiers = generator.normal(size=(300, 4)), generator.integers(1, 6, 300)
    logistic = fit_logistic(Part(features, tiers), 1.0)
    before = BlendedEstimator((logistic, TierShares((0.2,) * 5)), (0.5, 0.5))
    after = estimator_from_content(orjson.loads(orjson.dumps(before.content())), 4)
    assert np.array_equal(after.probabilities(features), before.probabilities(features))


@each_kind
def test_a_learner_for_other_features_or_with_a_wrong_part_is_refused(kind: str) -> None:
    columns = rows_of("five tiers")[1].features.shape[1]
    content = orjson.loads(orjson.dumps(fitted("five tiers")[kind].content()))
    if kind != "tierShares":
        with pytest.raises(ValueError, match=r"features|shape|missing"):
            estimator_from_content(content, columns + 1)
    refused = (ValueError, KeyError, TypeError)
    for name in content:
        for value in (None, "pickle", [], [1.0, None]):
            with pytest.raises(refused):
                estimator_from_content({**content, name: value}, columns)
        with pytest.raises(refused):
            estimator_from_content({key: part for key, part in content.items() if key != name}, columns)


@pytest.mark.parametrize("kind", ["linear", "boostedRegression", "boosted", "boostedOrdinal", "blend"])
def test_a_learner_knows_more_than_the_shares_of_tiers(kind: str) -> None:
    _, judging = rows_of("five tiers")
    found = log_loss(fitted("five tiers")[kind].probabilities(judging.features), judging.tiers).mean()
    assert found < np.log(5) - 0.2


def test_a_booster_keeps_its_best_rounds_and_the_refit_grows_a_tenth_more() -> None:
    training, judging = rows_of("five tiers")
    base, fitting = base_of(training, 1), fitting_of(training)
    stopped = fit_regression(base, fitting, judging, None)
    kept = rounds_of(stopped.text)
    assert 1 < kept < 1_000
    assert more_rounds(stopped.text) == int(1.1 * kept)
    again = fit_regression(base, fitting, kept, stopped.errors)
    assert np.array_equal(again.probabilities(judging.features), stopped.probabilities(judging.features))
    assert check_booster(stopped.text, training.features.shape[1], 1) == stopped.text


# --- errors and answers -------------------------------------------------------------------------------------------

errors_lists = st.lists(st.floats(-5, 5), min_size=1, max_size=20)
cut_lists = st.lists(st.floats(0, 20), min_size=4, max_size=4).map(sorted)


@law
@given(errors_lists, cut_lists, st.lists(st.floats(-10, 30), min_size=2, max_size=8).map(sorted))
def test_chances_from_errors_add_up_and_rise_with_what_is_expected(
    errors: list[float], cuts: list[float], expected: list[float]
) -> None:
    found = Errors(tuple(errors), tuple(cuts)).probabilities(np.array(expected))
    assert_chances(found, len(expected))
    at_most = found.cumsum(axis=1)
    assert (np.diff(at_most, axis=0) <= 1e-12).all()


@pytest.mark.parametrize("seed", range(4))
def test_chances_from_errors_equal_an_integral_of_their_density(seed: int) -> None:
    generator = np.random.default_rng(seed)
    errors = generator.normal(0, generator.uniform(0.5, 2), 15)
    cuts, expected = np.sort(generator.uniform(4, 10, 4)), generator.uniform(3, 11, 6)
    width = 0.15 * errors.std() + 1e-6
    grid = np.linspace(-20, 40, 60_001)
    step = grid[1] - grid[0]
    found = Errors(tuple(errors.tolist()), tuple(cuts.tolist())).probabilities(expected)
    for row, middle in zip(found, expected, strict=True):
        density = norm.pdf(grid[:, None], middle + errors, width).mean(axis=1)
        tier = np.searchsorted(cuts, grid)
        slow = [density[tier == number].sum() * step for number in range(5)]
        assert row == pytest.approx(np.array(slow), abs=2e-3)


def test_errors_are_kept_as_even_quantiles() -> None:
    errors = np.random.default_rng(1).normal(size=5_000)
    kept = np.array(Errors.of(errors, (0.0, 1.0, 2.0, 3.0)).quantiles)
    assert len(kept) == 200
    assert (np.diff(kept) >= 0).all()
    assert [(errors < value).mean() for value in kept] == pytest.approx((np.arange(200) + 0.5) / 200, abs=1e-3)


def test_without_error_the_expected_tier_is_sure() -> None:
    errors = Errors.of(np.zeros(1), (1.0, 2.0, 3.0, 4.0))
    assert errors.probabilities(np.array([0.5, 1.5, 2.5, 3.5, 4.5])).round(4).tolist() == np.eye(5).tolist()


answers = st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=6).map(np.array)


@law
@given(answers)
def test_answers_become_chances_that_add_up_and_no_tier_is_impossible(passed: Floats) -> None:
    found = from_answers(passed)
    assert_chances(found, len(passed))
    assert (found > 0).all()
    falling = np.minimum.accumulate(passed, axis=1)
    assert 1 - found.cumsum(axis=1)[:, :4] == pytest.approx(falling, abs=1e-5)


@law
@given(answers, st.floats(0, 1))
def test_likelier_answers_never_make_a_lower_tier_likelier(passed: Floats, towards: float) -> None:
    higher = passed + towards * (1 - passed)
    assert (from_answers(higher).cumsum(axis=1) <= from_answers(passed).cumsum(axis=1) + 1e-5).all()


def test_the_four_questions_stand_cut_point_by_cut_point() -> None:
    features, expected = np.array([[1.0, 2.0], [3.0, np.nan]]), np.array([10.0, 20.0])
    found = questions(features, expected, (5.0, 6.0, 7.0, 8.0))
    rows = list(zip(features, expected, strict=True))
    slow = [[*row, number, cut - own] for number, cut in enumerate((5, 6, 7, 8)) for row, own in rows]
    assert np.array_equal(found, np.array(slow), equal_nan=True)


def test_the_ordinal_learner_asks_each_row_the_four_questions() -> None:
    _, judging = rows_of("five tiers")
    estimator = fitted("five tiers")["boostedOrdinal"]
    assert isinstance(estimator, OrdinalEstimator)
    turned = judging.where(np.arange(len(judging))[::-1])
    assert np.array_equal(estimator.probabilities(turned.features)[::-1], estimator.probabilities(judging.features))


# --- the ridge ----------------------------------------------------------------------------------------------------


def test_a_ridge_finds_a_line_and_counts_the_unknown_as_average() -> None:
    generator = np.random.default_rng(2)
    features = generator.normal(5, 2, (4_000, 3))
    log_views = 7 + features @ np.array([1.0, -0.5, 0.0])
    rows = Outcomes(features, tiers_of(log_views), log_views, np.arange(4_000))
    ridge = fit_ridge(rows)
    assert ridge.expected(features) == pytest.approx(log_views, abs=0.05)
    assert ridge.missing == ()
    unknown = np.full((1, 3), np.nan)
    assert ridge.expected(unknown) == pytest.approx(ridge.expected(features.mean(axis=0)[None, :]))


def test_being_unknown_has_a_weight_of_its_own() -> None:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(2_000, 2))
    features[::2, 1] = np.nan
    log_views = 5 + 3.0 * np.isnan(features[:, 1]) + 0.1 * generator.normal(size=2_000)
    ridge = fit_ridge(Outcomes(features, tiers_of(log_views), log_views, np.arange(2_000)))
    assert ridge.missing == (1,)
    assert ridge.expected(np.array([[0.0, np.nan], [0.0, 0.0]])) == pytest.approx([8, 5], abs=0.05)


def test_a_ridge_reaches_no_farther_than_it_may() -> None:
    ridge = fit_ridge(outcomes(500, 1, 1.0))
    at = np.array(ridge.mean) + np.array(ridge.scale) * FARTHEST
    assert ridge.expected((at * 1e6)[None, :]) == pytest.approx(ridge.expected(at[None, :]))


def test_constant_and_unknown_columns_change_no_expectation() -> None:
    rows = outcomes(300, 4, 1.0)
    assert fit_ridge(odd(rows)).expected(odd(rows).features) == pytest.approx(fit_ridge(rows).expected(rows.features))


@pytest.mark.parametrize("column", [-1, 5, 99])
def test_a_ridge_of_columns_that_are_not_there_is_refused(column: int) -> None:
    content = fit_ridge(outcomes(100, 1, 1.0)).content()
    with pytest.raises(ValueError, match="missing"):
        Ridge.from_content({**content, "missing": [column]}, 5)


def with_lessons(videos: int, seed: int) -> Outcomes:
    """Return rows of which each video has one to five, in no order."""
    generator = np.random.default_rng(seed)
    of = generator.permutation(np.repeat(np.arange(videos), generator.integers(1, 6, videos)))
    rows = outcomes(len(of), seed, 1.0)
    return dataclasses.replace(rows, videos=of)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_expected_of_a_video_never_depends_on_its_own_outcomes(seed: int) -> None:
    rows = with_lessons(25, seed)
    before = expected_out_of_fold(rows, seed)
    for video in range(25):
        own = rows.videos == video
        changed = dataclasses.replace(rows, log_views=np.where(own, 1_000.0, rows.log_views))
        after = expected_out_of_fold(changed, seed)
        assert np.array_equal(after[own], before[own])
        assert not np.array_equal(after[~own], before[~own])


def test_lessons_of_one_video_are_one_fold() -> None:
    rows = with_lessons(40, 1)
    before = expected_out_of_fold(rows, 1)
    touched = np.zeros((40, 40), dtype=bool)
    for video in range(40):
        changed = dataclasses.replace(rows, log_views=np.where(rows.videos == video, 1e3, rows.log_views))
        moved = expected_out_of_fold(changed, 1) != before
        touched[video] = [moved[rows.videos == other].all() for other in range(40)]
        assert all(moved[rows.videos == other].any() == touched[video, other] for other in range(40))
    # Who does not touch whom are the folds: the same for all of a fold.
    folds = {tuple(row.tolist()) for row in ~touched}
    assert len(folds) == 5
    assert np.sum([list(fold) for fold in folds], axis=0).tolist() == [1] * 40


def test_boosters_on_a_ridge_see_of_their_own_rows_what_ridges_without_them_expected() -> None:
    rows = outcomes(400, 9, 1.0)
    base, fitting = base_of(rows, 1), fitting_of(rows)
    all_known = dataclasses.replace(base, expected=rows.log_views)
    told = fit_regression(all_known, fitting, 20, None)
    assert told.expected(rows.features) == pytest.approx(
        base.ridge.expected(rows.features), abs=1e-6
    )  # single precision
    seen = dataclasses.replace(base, expected=base.ridge.expected(rows.features))
    for fit in (lambda known: fit_regression(known, fitting, 20, None), lambda known: fit_ordinal(known, fitting, 20)):
        assert fit(base) != fit(seen)
        assert fit(base).ridge == fit(all_known).ridge == base.ridge


# --- weights ------------------------------------------------------------------------------------------------------


def posterior(likelihoods: Floats, prior: Floats, weights: Floats) -> float:
    return float(np.log(likelihoods @ weights).sum() + (prior * np.log(weights)).sum())


@law
@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 99), st.floats(0.5, 20))
def test_no_step_lowers_the_posterior(members: int, rows: int, seed: int, worth: float) -> None:
    generator = np.random.default_rng(seed)
    likelihoods, prior = generator.uniform(0.01, 1, (rows, members)), worth * generator.uniform(0.1, 1, members)
    found = [posterior(likelihoods, prior, blend_weights(likelihoods, prior, rounds)) for rounds in range(12)]
    assert (np.diff(found) >= -1e-9).all()


@law
@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 99))
def test_weights_are_shares_and_follow_their_members(members: int, rows: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    likelihoods, prior = generator.uniform(0, 1, (rows, members)), generator.uniform(0, 9, members)
    weights = blend_weights(likelihoods, prior)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    order = generator.permutation(members)
    assert blend_weights(likelihoods[:, order], prior[order]) == pytest.approx(weights[order], abs=1e-9)
    twins = blend_weights(np.repeat(likelihoods[:, :1], members, axis=1), np.ones(members))
    assert twins == pytest.approx(np.full(members, 1 / members))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_known_mixture_is_found(share: float) -> None:
    generator = np.random.default_rng(5)
    first = generator.random(20_000) < share
    drawn = np.where(first, generator.normal(0, 1, 20_000), generator.normal(3, 1, 20_000))
    likelihoods = np.column_stack([norm.pdf(drawn, 0), norm.pdf(drawn, 3)])
    assert blend_weights(likelihoods, np.zeros(2)) == pytest.approx([share, 1 - share], abs=0.015)


def test_weights_are_the_best_on_a_fine_grid() -> None:
    generator = np.random.default_rng(6)
    likelihoods, prior = generator.uniform(0.05, 1, (50, 2)), np.array([2.0, 5.0])
    grid = np.linspace(0.001, 0.999, 999)
    best = max(grid, key=lambda share: posterior(likelihoods, prior, np.array([share, 1 - share])))
    assert blend_weights(likelihoods, prior)[0] == pytest.approx(best, abs=0.002)


def test_without_rows_the_weights_are_the_prior() -> None:
    assert blend_weights(np.zeros((0, 3)), np.array([1.0, 1.0, 2.0])) == pytest.approx([0.25, 0.25, 0.5])


def test_members_that_all_called_it_impossible_share_its_weight() -> None:
    assert blend_weights(np.zeros((9, 2)), np.ones(2)) == pytest.approx([0.5, 0.5])


# --- the whole forecast -------------------------------------------------------------------------------------------

NO_LESSONS = slice(0, 0)


def forecast(rows: Outcomes, training: int, calibration: int, lessons: Any = NO_LESSONS, seed: int = 7) -> Forecast:
    before = rows.where(slice(0, training + calibration))
    return train_forecast(
        rows.where(slice(0, training)),
        rows.where(slice(training, training + calibration)),
        rows.where(lessons),
        fitting_of(before, seed),
    )


def lift(rows: Outcomes, training: int, calibration: int) -> float:
    """Log loss on the rows after those of both parts, above that of the shares of their tiers."""
    found = forecast(rows, training, calibration)
    first = training + calibration
    judged = rows.where(slice(first, None))
    stated = found.calibrator.apply(found.estimator.probabilities(judged.features))
    assert_chances(stated, len(judged))
    shares = np.bincount(rows.tiers[:first], minlength=6)[1:] / first
    plain = log_loss(np.tile(shares, (len(judged), 1)), judged.tiers).mean()
    return float(log_loss(stated, judged.tiers).mean() - plain)


def test_a_forecast_of_pure_noise_is_no_worse_than_the_shares_of_tiers() -> None:
    found = [lift(odd(outcomes(3_000, seed, signal=0.0)), 1_700, 300) for seed in range(3)]
    assert np.mean(found) <= 0.01
    assert max(found) <= 0.02


def test_a_forecast_of_a_signal_beats_the_shares_of_tiers_by_far() -> None:
    assert lift(outcomes(2_000, 1, signal=1.0), 1_000, 250) < -0.3


@pytest.mark.parametrize("signal", [0.0, 1.0])
def test_few_rows_try_only_simple_learners(signal: float) -> None:
    rows = outcomes(1_200, 2, signal)
    found = forecast(rows, 160, 40)
    assert [learner.kind for learner in found.learners] == ["tierShares", "linear"]
    assert isinstance(found.regression, LinearEstimator)
    assert lift(rows, 160, 40) < (-0.3 if signal else 0.1)


def test_few_rows_of_heavy_tails_call_nothing_impossible_that_happens() -> None:
    for seed in range(2):
        generator = np.random.default_rng(seed)
        features = generator.normal(size=(1_200, 5))
        log_views = 8 + 3 * features[:, 0] + 0.3 * generator.standard_t(2, size=1_200)
        rows = Outcomes(features, tiers_of(log_views), log_views, np.arange(1_200))
        found = forecast(rows, 200, 80)
        stated = found.calibrator.apply(found.estimator.probabilities(rows.features))
        assert (stated[np.arange(1_200), rows.tiers - 1] > 1e-12).all()


def test_the_weights_that_are_served_are_those_reported_and_add_up() -> None:
    found = forecast(outcomes(900, 5, 1.0), 500, 200)
    assert [learner.kind for learner in found.learners] == list(KINDS[:5])
    assert sum(found.estimator.weights) == pytest.approx(1)
    served = [(learner.kind, learner.weight) for learner in found.learners if learner.weight > 0]
    assert served == list(
        zip([member.kind for member in found.estimator.members], found.estimator.weights, strict=True)
    )
    assert all(weight >= 0.03 for _, weight in served)
    assert found.regression.kind == "boostedRegression"


def bytes_of(found: Forecast) -> bytes:
    known = {"learners": found.learners, "calibrator": found.calibrator.content(), "reach": found.reach.mass}
    content = {"estimator": found.estimator.content(), "regression": found.regression.content()}
    return orjson.dumps(known | content)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    rows = outcomes(700, 6, 0.5)
    first, again, other = (bytes_of(forecast(rows, 400, 150, slice(0, 50), seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_lessons_of_calibration_videos_say_nothing_before_the_blend_is_weighed() -> None:
    rows = outcomes(800, 8, 1.0)
    lessons = rows.where(slice(0, 520))
    known = lessons.videos < 400
    wrong = Outcomes(
        np.where(known[:, None], lessons.features, -lessons.features),
        np.where(known, lessons.tiers, 5),
        np.where(known, lessons.log_views, 99.0),
        lessons.videos,
    )
    parts = rows.where(slice(0, 400)), rows.where(slice(400, 550))
    honest, misled = (train_forecast(*parts, own, fitting_of(rows)) for own in (lessons, wrong))
    assert honest.learners == misled.learners
    assert (honest.calibrator, honest.reach) == (misled.calibrator, misled.reach)
    assert bytes_of(honest) != bytes_of(misled)


@pytest.mark.parametrize("after", [0, 3, 60])
def test_time_running_out_stops_the_work(after: int) -> None:
    class TooLateError(Exception):
        """The time is up."""

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise TooLateError

    rows = outcomes(700, 1, 1.0)
    fitting = fitting_of(rows, check=check)
    with pytest.raises(TooLateError):
        train_forecast(rows.where(slice(0, 400)), rows.where(slice(400, 600)), rows.where(NO_LESSONS), fitting)


def test_a_check_is_asked_before_every_round() -> None:
    rows = outcomes(200, 1, 1.0)
    calls: list[int] = []
    note: Check = lambda: calls.append(1)  # noqa: E731
    text = grow(Sample(rows.features, rows.log_views), {"seed": 1, "num_threads": 1}, 12, note)
    assert len(calls) == rounds_of(text) == 12
    start = rows.log_views - 1
    shifted = grow(Sample(rows.features, rows.log_views, start=start), {"seed": 1, "num_threads": 1}, 3, never)
    assert rounds_of(shifted) == 3


@law
@given(st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_codes_number_the_tiers_that_occur(tiers: list[int]) -> None:
    present = np.unique(tiers)
    found = codes(np.array(tiers), present)
    assert [int(present[number]) for number in found] == tiers


def test_cuts_and_tiers_of_the_made_up_rows_are_even() -> None:
    rows = outcomes(1_000, 1, 1.0)
    assert np.bincount(rows.tiers)[1:].tolist() == [200] * 5
    assert list(cuts_of(rows.log_views)) == sorted(cuts_of(rows.log_views))
