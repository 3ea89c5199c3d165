"""Reasons and importance: what the model ignores is never told, what moves it is, in its direction and its size."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.calibration.scores import Floats, ranked_probability_score, score
from groundswell.calibration.temperature import Temperature
from groundswell.estimators import Estimator
from groundswell.heads import Outcomes, base_of, fit_classifier, fit_linear
from groundswell.model import Model
from groundswell.predictor.reasons import SMALLEST, TOLD, Reason, explain
from groundswell.records import Window
from groundswell.stages import features as catalogue
from groundswell.stages import importance
from groundswell.stages.features import Feature
from groundswell.stages.importance import Importance, find_importance
from tests.made_up import law
from tests.made_up_posts import fitting_of, outcomes

LOG = "log(1 + views)"


def feature(name: str, theme: str, unit: str = LOG, sentence: str = "Views that went before.") -> Feature:
    return Feature(name, pl.lit(0.0), Window.PUBLISH, unit, sentence, theme)


#: Three themes of two features each, then one of a single feature.
FEATURES = tuple(feature(f"{theme}{number}", theme) for theme in ("creator", "sound", "time") for number in (1, 2))
FEATURES += (feature("length", "length", "seconds", "Length of the video."),)
TYPICAL = (5.0, 5.0, 1.0, 0.0, -1.0, 2.0, 20.0)


@dataclasses.dataclass(frozen=True)
class Slope:
    """A forecast whose score rises with a weighted sum of the features; an unknown one counts as `unknown`.

    Where the sum is `middle` the forecast is tier 3.
    """

    weights: tuple[float, ...]
    unknown: float = 0.0
    middle: float = 0.0

    kind = "slope"

    def probabilities(self, features: Floats) -> Floats:
        place = 3 - self.middle + np.where(np.isnan(features), self.unknown, features) @ np.array(self.weights)
        near = np.exp(-((np.arange(1, 6) - np.clip(place, -10, 16)[:, None]) ** 2) / 2)
        return np.asarray(near / near.sum(axis=1, keepdims=True))

    def content(self) -> dict[str, Any]:
        return {}


def model_of(
    estimator: Estimator, typical: Sequence[float | None] = TYPICAL, names: Sequence[Feature] = FEATURES
) -> Model:
    return Model(
        window=Window.PUBLISH,
        feature_names=tuple(each.name for each in names),
        label="views",
        cut_points=(1.0, 2.0, 3.0, 4.0),
        estimator=estimator,
        calibrator=Temperature(1.2),
        typical=tuple(typical),
    )


def centred(weights: Sequence[float]) -> Slope:
    return Slope(tuple(weights), middle=float(np.dot(weights, TYPICAL)))


def told(weights: Sequence[float], values: Sequence[float] | Floats) -> tuple[Reason, ...]:
    return explain(model_of(centred(weights)), FEATURES, np.array([values], dtype=float))[0]


numbers = st.floats(-3, 3).map(lambda value: round(value, 2))
weight_lists = st.lists(st.sampled_from([-0.4, -0.1, 0.0, 0.1, 0.4]), min_size=7, max_size=7)
value_lists = st.lists(numbers | st.just(float("nan")), min_size=7, max_size=7)


@law
@given(weight_lists, value_lists)
def test_reasons_equal_a_loop_over_themes(weights: list[float], moved: list[float]) -> None:
    row = np.array(TYPICAL) + np.array(moved)
    model = model_of(centred(weights))

    def points_without(columns: list[int]) -> float:
        other = row.copy()
        other[columns] = np.array(TYPICAL)[columns]
        return float((score(model.probabilities(row[None])) - score(model.probabilities(other[None])))[0])

    slow = []
    for theme in ("creator", "sound", "time", "length"):
        members = [number for number, each in enumerate(FEATURES) if each.theme == theme]
        points = points_without(members)
        if abs(points) >= SMALLEST:
            slow.append((theme, points))
    found = explain(model, FEATURES, row[None])[0]
    slow.sort(key=lambda each: -abs(each[1]))
    assert [reason.points for reason in found] == pytest.approx([points for _, points in slow[:TOLD]], abs=0.006)
    for reason in found:
        assert reason.points == pytest.approx(dict(slow)[reason.theme], abs=0.006)


@law
@given(weight_lists, value_lists)
def test_what_the_model_ignores_is_never_told(weights: list[float], moved: list[float]) -> None:
    for reason in told(weights, np.array(TYPICAL) + np.array(moved)):
        members = [number for number, each in enumerate(FEATURES) if each.theme == reason.theme]
        assert any(weights[number] for number in members)
        told_of = next(number for number in members if FEATURES[number].name == reason.feature)
        assert weights[told_of] != 0


@law
@given(st.lists(st.sampled_from([-0.4, -0.2, 0.2, 0.4]), min_size=7, max_size=7), st.lists(numbers, min_size=7))
def test_points_have_the_sign_of_what_is_above_and_below_the_typical(weights: list[float], moved: list[float]) -> None:
    alone = [0, 2, 4, 6]  # one feature of each theme moves
    row = np.array(TYPICAL)
    row[alone] += np.array(moved)[alone]
    for reason in told(weights, row):
        number = next(number for number in alone if FEATURES[number].theme == reason.theme)
        assert reason.feature == FEATURES[number].name
        assert np.sign(reason.points) == np.sign(weights[number] * moved[number])


@law
@given(weight_lists, value_lists)
def test_reasons_come_by_size_and_only_where_worth_telling(weights: list[float], moved: list[float]) -> None:
    found = told(weights, np.array(TYPICAL) + np.array(moved))
    sizes = [abs(reason.points) for reason in found]
    assert len(found) <= TOLD
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes, default=SMALLEST) >= SMALLEST
    assert len({reason.theme for reason in found}) == len(found)


@law
@given(weight_lists)
def test_a_typical_video_has_no_reasons(weights: list[float]) -> None:
    assert told(weights, TYPICAL) == ()


def test_a_model_that_kept_nothing_typical_tells_nothing() -> None:
    model = model_of(Slope((1.0,) * 7), typical=())
    assert explain(model, FEATURES, np.ones((2, 7))) == [(), ()]


def test_no_video_has_no_reasons() -> None:
    assert explain(model_of(Slope((1.0,) * 7)), FEATURES, np.empty((0, 7))) == []


def test_the_feature_that_moves_most_speaks_for_its_theme() -> None:
    found = told((0.1, 0.4, 0, 0, 0, 0, 0), (7.0, 7.0, *TYPICAL[2:]))
    assert [(reason.theme, reason.feature) for reason in found] == [("creator", "creator2")]


def test_what_is_unknown_is_told_as_unknown() -> None:
    names = (feature("creatorMedian", "creator"), feature("length", "length", "seconds", "Length of the video."))
    first, second = (
        explain(model_of(Slope((0.3, 0.1), unknown=1.0), typical, names), names, np.array([row]))[0]
        for typical, row in (((5.0, None), (np.nan, np.nan)), ((None, 10.0), (5.0, 10.0)))
    )
    assert [(reason.feature, reason.value, reason.typical) for reason in first] == [("creatorMedian", None, 5.0)]
    assert first[0].text.endswith("views that went before: unknown, typical 147 views")
    assert [(reason.feature, reason.value, reason.typical) for reason in second] == [("creatorMedian", 5.0, None)]
    assert second[0].text.endswith("views that went before: 147 views, typical unknown")


@pytest.mark.parametrize(
    ("unit", "value", "typical", "words"),
    [
        (LOG, np.log1p(1_200), np.log1p(300), "1,200 views, typical 300 views"),
        ("log(1 + followers)", np.log1p(2e6), 0.0, "2,000,000 followers, typical 0 followers"),
        ("log ratio", np.log(3.0), 0.0, "3.00 times, typical 1.00 times"),
        ("seconds", 31.0, 12.5, "31 seconds, typical 12.5 seconds"),
        ("hashtags", 30.0, 0.0, "30 hashtags, typical 0 hashtags"),
    ],
)
def test_a_reason_is_told_in_words_and_numbers(unit: str, value: float, typical: float, words: str) -> None:
    names = (feature("one", "creator", unit, "Mean of what went before."),)
    weight = 2 / (value - typical)
    model = model_of(Slope((weight,), middle=weight * typical), (typical,), names)
    (reason,) = explain(model, names, np.array([[value]]))[0]
    assert reason.points > 0
    assert reason.text == f"{reason.points:+.1f} points by creator: mean of what went before: {words}"
    assert (reason.value, reason.typical) == pytest.approx((value, typical), abs=1e-6)
    (opposite,) = explain(model, names, np.array([[typical - (value - typical)]]))[0]
    assert opposite.text.startswith(f"{opposite.points:+.1f} points by creator: ")
    assert opposite.points < 0


# --- real learners, the whole catalogue -----------------------------------------------------------------------------

PUBLISH = catalogue.of_window(Window.PUBLISH)
KINDS = ("linear", "boosted")
each_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def learnt(kind: str) -> tuple[Model, Floats]:
    """A model of the publish window in which five features speak, and rows it did not see."""
    rows = outcomes(900, 5, signal=0.8)
    noise = np.random.default_rng(6).normal(size=(900, len(PUBLISH) - 5))
    rows = dataclasses.replace(rows, features=np.hstack([rows.features, noise]))
    training = rows.where(slice(0, 700))
    fitting = fitting_of(rows)
    estimator: Estimator = (
        fit_linear(base_of(training, 1), fitting) if kind == "linear" else fit_classifier(training, fitting, 40)
    )
    typical = np.nanmedian(training.features, axis=0).tolist()
    return model_of(estimator, typical, PUBLISH), rows.features[700:]


@each_kind
def test_reasons_repeat_and_are_the_same_alone_as_among_others(kind: str) -> None:
    model, values = learnt(kind)
    before = values.copy()
    found = explain(model, PUBLISH, values)
    assert explain(model, PUBLISH, values) == found
    assert np.array_equal(values, before, equal_nan=True)
    for row in range(5):
        assert explain(model, PUBLISH, values[row : row + 1]) == [found[row]]


@each_kind
def test_reasons_of_real_learners_name_features_of_the_catalogue(kind: str) -> None:
    by_name = {each.name: each for each in PUBLISH}
    found = explain(*learnt(kind)[:1], PUBLISH, learnt(kind)[1])
    assert sum(map(len, found)) > 100
    for reason in (reason for reasons in found for reason in reasons):
        assert by_name[reason.feature].theme == reason.theme
        assert f"{reason.points:+.1f}" in reason.text or abs(reason.points * 10 % 1 - 0.5) < 0.06
        assert all(word in reason.text for word in ("points by", reason.theme, "typical"))


# --- importance -----------------------------------------------------------------------------------------------------


def importances(kind: str, seed: int = 3, signal: float = 0.8) -> dict[str, float]:
    rows = with_noise(outcomes(1_500, 9, signal=signal, columns=1))
    training, judged = rows.where(slice(0, 1_000)), rows.where(slice(1_000, None))
    fitting = fitting_of(rows)
    estimator: Estimator = (
        fit_linear(base_of(training, 1), fitting) if kind == "linear" else fit_classifier(training, fitting, 40)
    )
    found = find_importance(estimator.probabilities, judged.features, judged.tiers, NAMES, seed)
    return {each.name: each.rps_increase for each in found}


NAMES = ("informative", "noise1", "noise2", "constant", "unknown")


def with_noise(rows: Outcomes) -> Outcomes:
    generator = np.random.default_rng(2)
    extra = [generator.normal(size=len(rows)), generator.integers(0, 3, len(rows)), np.full(len(rows), 2.0)]
    return dataclasses.replace(rows, features=np.column_stack([rows.features, *extra, np.full(len(rows), np.nan)]))


@each_kind
def test_the_only_informative_feature_comes_first_and_noise_does_not_matter(kind: str) -> None:
    found = importances(kind)
    assert next(iter(found)) == "informative"
    assert found["informative"] > 0.02
    assert {"constant", "unknown"} & found.keys() == set()
    assert all(abs(found[name]) < 0.004 for name in ("noise1", "noise2"))


@each_kind
def test_where_nothing_informs_nothing_matters(kind: str) -> None:
    assert all(abs(increase) < 0.01 for increase in importances(kind, signal=0.0).values())


def test_importance_repeats_with_its_seed() -> None:
    assert importances("linear", 3) == importances("linear", 3)
    assert importances("linear", 3) != importances("linear", 4)


def test_importance_equals_a_loop_that_shuffles_one_column_at_a_time() -> None:
    generator = np.random.default_rng(1)
    values, tiers = generator.normal(size=(300, 3)), generator.integers(1, 6, 300)
    forecast = Slope((0.5, 0.0, -1.0)).probabilities
    again = np.random.default_rng(7)
    order = again.permutation(300)
    rows, judged = values[order], tiers[order]
    plain = ranked_probability_score(forecast(rows), judged).mean()
    slow = []
    for column, name in enumerate("abc"):
        shuffled = rows.copy()
        shuffled[:, column] = again.permutation(rows[:, column])
        slow.append(Importance(name, float(ranked_probability_score(forecast(shuffled), judged).mean() - plain)))
    slow.sort(key=lambda each: -each.rps_increase)
    found = find_importance(forecast, values, tiers, "abc", 7)
    assert [each.name for each in found] == [each.name for each in slow]
    assert [each.rps_increase for each in found] == pytest.approx([each.rps_increase for each in slow], abs=1e-12)
    assert next(each.rps_increase for each in found if each.name == "b") == 0


def test_importance_looks_at_so_many_rows_and_tells_of_so_many_features() -> None:
    seen = []
    width = importance.TOLD + 5

    def forecast(rows: Floats) -> Floats:
        seen.append(len(rows))
        return np.full((len(rows), 5), 0.2)

    values = np.random.default_rng(1).normal(size=(3 * importance.ROWS, width))
    found = find_importance(forecast, values, np.ones(len(values), dtype=np.int64), [str(n) for n in range(width)], 1)
    assert seen == [importance.ROWS * (width + 1)]
    assert [each.rps_increase for each in found] == [0.0] * importance.TOLD
