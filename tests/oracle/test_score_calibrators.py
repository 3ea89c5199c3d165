"""Each calibrator of scores: its formula by hand, its fit against another optimiser, and what it refuses to be."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from groundswell.calibration.grouped import Grouped, grouped
from groundswell.calibration.platt import Platt
from groundswell.calibration.score_calibrators import (
    Beta,
    Identity,
    Isotonic,
    LogitPlatt,
    ScoreCalibrator,
    fit_beta,
    fit_isotonic,
    fit_logit_platt,
    score_calibrator_from_content,
)
from groundswell.calibration.scores import Floats
from tests.made_up import law


def drawn(n: int, seed: int, slope: float = 2.0, kind: str = "hits") -> tuple[Floats, Floats]:
    """Scores of so many times the log-odds of the true chance, in two decimals, and hits or shares."""
    generator = np.random.default_rng(seed)
    chance = generator.beta(2, 2, n)
    hits = (generator.random(n) < chance).astype(float)
    return expit(slope * logit(chance)).round(2), hits if kind == "hits" else generator.beta(9 * chance, 9 - 9 * chance)


def folded(x: Floats, y: Floats) -> Grouped:
    return grouped(x, y, np.zeros(len(x), dtype=np.int64), 1)[0]


def loss(p: Floats, y: Floats) -> float:
    return float(np.mean(-y * np.log(p) - (1 - y) * np.log1p(-p)))


@pytest.mark.parametrize("kind", ["hits", "shares"])
@pytest.mark.parametrize("seed", range(4))
def test_logit_platt_and_beta_have_the_least_loss_of_their_kind(seed: int, kind: str) -> None:
    x, y = drawn(500, seed, kind=kind)
    for fitted, form in (
        (fit_logit_platt(folded(x, y)), lambda t: LogitPlatt(t[0], t[1])),
        (fit_beta(folded(x, y)), lambda t: Beta(t[0], t[1], t[2])),
    ):
        assert not isinstance(fitted, str), fitted
        at = [value for name, value in fitted.content().items() if name != "kind"]
        other = (
            optimize.minimize(
                lambda t, form=form: loss(form(t).apply(x), y),
                np.ones(len(at)),
                bounds=[(0, 50)] * 2 + [(-9, 9)],
                method="L-BFGS-B",
            )
            if len(at) == 3
            else optimize.minimize(lambda t, form=form: loss(form(t).apply(x), y), np.ones(2))
        )
        assert loss(fitted.apply(x), y) <= other.fun + 1e-9
        assert at == pytest.approx(list(other.x), abs=0.02)


def test_over_confident_scores_have_a_slope_below_one_and_low_ones_a_positive_intercept() -> None:
    steep = fit_logit_platt(folded(*drawn(5_000, 1, slope=2.0)))
    assert isinstance(steep, LogitPlatt)
    assert steep.slope == pytest.approx(0.5, abs=0.07)
    x, y = drawn(5_000, 2, slope=1.0)
    low = fit_logit_platt(folded(expit(logit(np.clip(x, 0.01, 0.99)) - 1), y))
    assert isinstance(low, LogitPlatt)
    assert low.intercept == pytest.approx(1.0, abs=0.15)


def test_isotonic_equals_scikit_learn_on_unfolded_pairs_inside_its_edges() -> None:
    x, y = drawn(2_000, 3)
    ours = fit_isotonic(folded(x, y))
    assert isinstance(ours, Isotonic)
    plain = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    at = np.linspace(0, 1, 301)
    assert ours.apply(at) == pytest.approx(np.clip(plain.predict(at), 1 / 2_002, 1 - 1 / 2_002), abs=1e-9)
    assert 0 < min(ours.y) < max(ours.y) < 1


@pytest.mark.parametrize("fit", [fit_logit_platt, fit_beta, fit_isotonic])
def test_reversed_scores_have_no_calibrator(fit: object) -> None:
    x = np.repeat([0.2, 0.4, 0.8], 40)
    y = np.concatenate([np.tile([1.0, 1.0, 1.0, 0.0], 10), np.tile([1.0, 0.0], 20), np.tile([1.0, 0.0, 0.0, 0.0], 10)])
    assert isinstance(fit(folded(x, y)), str)  # type: ignore[operator]


positive = st.floats(0, 20)
anything = st.floats(-20, 20)
knots = st.lists(st.floats(0, 1), min_size=1, max_size=6, unique=True).map(sorted)
calibrators = st.one_of(
    st.just(Identity()),
    st.builds(Platt, a=st.floats(-50, 0), b=anything),
    st.builds(LogitPlatt, slope=positive, intercept=anything),
    st.builds(Beta, a=positive, b=positive, c=anything),
    knots.flatmap(
        lambda x: st.lists(st.floats(0, 1), min_size=len(x), max_size=len(x)).map(
            lambda y: Isotonic(tuple(x), tuple(sorted(y)))
        )
    ),
)


@law
@given(calibrators, st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_every_calibrator_keeps_the_order_and_stays_between_0_and_1(found: ScoreCalibrator, x: list[float]) -> None:
    y = found.apply(np.array([0.0, *sorted(x), 1.0]))
    assert (np.diff(y) >= -1e-12).all()
    assert ((y >= 0) & (y <= 1)).all()


@law
@given(calibrators)
def test_every_calibrator_is_made_again_from_its_json(found: ScoreCalibrator) -> None:
    assert score_calibrator_from_content(json.loads(json.dumps(found.content()))) == found


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kind": "magic"},
        {"kind": "platt", "a": 1.0, "b": 0.0},
        {"kind": "platt", "a": -1.0},
        {"kind": "platt", "a": math.nan, "b": 0.0},
        {"kind": "platt", "a": "-1", "b": 0.0},
        {"kind": "logitPlatt", "slope": -0.1, "intercept": 0.0},
        {"kind": "logitPlatt", "slope": True, "intercept": 0.0},
        {"kind": "beta", "a": 1.0, "b": -1.0, "c": 0.0},
        {"kind": "beta", "a": 1.0, "b": 1.0, "c": math.inf},
        {"kind": "isotonic", "x": [], "y": []},
        {"kind": "isotonic", "x": [0.1, 0.2], "y": [0.1]},
        {"kind": "isotonic", "x": [0.2, 0.1], "y": [0.1, 0.2]},
        {"kind": "isotonic", "x": [0.1, 0.2], "y": [0.3, 0.2]},
        {"kind": "isotonic", "x": [0.1, 1.2], "y": [0.1, 0.2]},
        {"kind": "isotonic", "x": "01", "y": [0.1, 0.2]},
        {"kind": "isotonic", "x": 3, "y": 4},
    ],
)
def test_nonsense_is_no_calibrator(content: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"kind|isotonic"):
        score_calibrator_from_content(content)
