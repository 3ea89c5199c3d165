"""Platt's a and b against scipy's maximum likelihood, and whether a finite maximum exists against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from scipy.special import expit

from groundswell.calibration.platt import Platt, fit_platt
from groundswell.calibration.scores import Floats
from tests.made_up import law

Pairs = list[tuple[float, float]]


def loss(parameters: Floats, x: Floats, y: Floats) -> float:
    """The mean of −y·ln p − (1−y)·ln(1−p) with p = 1/(1+exp(a·x+b))."""
    exponent = parameters[0] * x + parameters[1]
    return float(np.mean(np.logaddexp(0, exponent) - (1 - y) * exponent))


def gradient(parameters: Floats, x: Floats, y: Floats) -> Floats:
    missing = y - expit(-(parameters[0] * x + parameters[1]))
    return np.array([(missing * x).mean(), missing.mean()])


def curvature(parameters: Floats, x: Floats, y: Floats) -> Floats:
    p = expit(-(parameters[0] * x + parameters[1]))
    weight = p * (1 - p)
    return np.array([[(weight * x * x).mean(), (weight * x).mean()], [(weight * x).mean(), weight.mean()]])


def maximum_likelihood(x: Floats, y: Floats) -> Floats:
    found = optimize.minimize(
        loss, np.zeros(2), (x, y), method="trust-exact", jac=gradient, hess=curvature, options={"gtol": 1e-11}
    )
    return np.asarray(found.x)


def fitted(x: Floats, y: Floats) -> Platt:
    found = fit_platt(x, y)
    assert isinstance(found, Platt), found
    return found


def drawn(kind: str, n: int, seed: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    x = generator.beta(1.2, 1.2, n).round(2)
    p = expit(generator.normal(5, 3) * (x - generator.uniform(0.3, 0.7)))
    hard = (generator.random(n) < p).astype(float)
    soft = np.clip(p + generator.normal(0, 0.15, n), 0, 1)
    return x, {"hard": hard, "soft": soft, "mixed": np.where(generator.random(n) < 0.5, hard, soft)}[kind]


@pytest.mark.parametrize("kind", ["hard", "soft", "mixed"])
@pytest.mark.parametrize("n", [50, 51, 200, 1_000, 5_000])
@pytest.mark.parametrize("seed", range(4))
def test_a_and_b_equal_maximum_likelihood_to_four_digits(kind: str, n: int, seed: int) -> None:
    x, y = drawn(kind, n, seed)
    ours = fitted(x, y)
    assert [ours.a, ours.b] == pytest.approx(maximum_likelihood(x, y), rel=1e-5, abs=1e-5)


def test_gradient_by_finite_differences_vanishes_at_the_fit() -> None:
    x, y = drawn("mixed", 400, seed=9)
    ours, step = fitted(x, y), 1e-4
    at = np.array([ours.a, ours.b])
    for direction in ((step, 0.0), (0.0, step), (step, step)):
        up, down = loss(at + direction, x, y), loss(at - np.array(direction), x, y)
        assert (up - down) / (2 * step) == pytest.approx(0, abs=1e-7)
        assert min(up, down) > loss(at, x, y)


@pytest.mark.parametrize(("rising", "sign"), [(True, -1), (False, 1)])
def test_a_is_negative_exactly_where_higher_scores_come_true_more_often(rising: bool, sign: int) -> None:
    x = np.repeat([0.2, 0.8], 10)
    y = np.array([1.0] * 2 + [0.0] * 8 + [1.0] * 8 + [0.0] * 2)
    ours = fitted(x, y if rising else 1 - y)
    assert np.sign(ours.a) == sign
    # By hand: the log-odds are ∓ln 4 at 0.2 and ±ln 4 at 0.8, so a = ∓2·ln 4/0.6 and b = ±ln 4/0.3·0.5.
    assert ours.a == pytest.approx(sign * 2 * np.log(4) / 0.6)
    assert ours.b == pytest.approx(-sign * np.log(4) / 0.6)


def test_scores_of_0_and_100_alone_are_fitted() -> None:
    x, y = (
        np.repeat([0.0, 1.0], 100),
        np.concatenate([np.repeat([0.0, 1.0], [75, 25]), np.repeat([0.0, 1.0], [20, 80])]),
    )
    ours = fitted(x, y)
    assert ours.apply(np.array([0.0, 1.0])) == pytest.approx([0.25, 0.8])


def test_a_soft_target_equals_as_many_hard_ones() -> None:
    x = np.linspace(0.05, 0.95, 19)
    shares = np.round(expit(4 * x - 2), 1)
    hard_x, hard_y = (
        np.repeat(x, 10),
        np.concatenate([np.repeat([1.0, 0.0], [k, 10 - k]) for k in (shares * 10).round().astype(int)]),
    )
    soft, hard = fitted(x, shares), fitted(hard_x, hard_y)
    assert [soft.a, soft.b] == pytest.approx([hard.a, hard.b], rel=1e-6)


def rises_for_ever(x: Floats, y: Floats) -> bool:
    """Whether the likelihood never falls along some ray.

    The rays that can matter turn where a pair changes sides, so those through the pairs, between them and beyond
    them are all there are.
    """
    ends = np.unique(x)
    thresholds = np.concatenate([ends, (ends[1:] + ends[:-1]) / 2, [ends[0] - 1, ends[-1] + 1]])
    rays = [np.array([sign, -sign * t]) for t in thresholds for sign in (1.0, -1.0)] + [
        np.array([0.0, s]) for s in (1.0, -1.0)
    ]
    return any(loss(4_000 * ray, x, y) <= loss(400 * ray, x, y) + 1e-12 for ray in rays)


quarters = st.integers(0, 4).map(lambda k: k / 4)
outcomes = st.sampled_from([0.0, 1.0, 0.0, 1.0, 0.25, 0.5])


@law
@given(st.lists(st.tuples(quarters, outcomes), min_size=1, max_size=9))
def test_there_is_a_fit_exactly_where_the_likelihood_rises_along_no_ray(found: Pairs) -> None:
    x, y = (np.array(side) for side in zip(*found, strict=True))
    ours = fit_platt(x, y)
    assert isinstance(ours, str) == rises_for_ever(x, y), ours
    if isinstance(ours, str):
        assert ours.startswith("no finite maximum:")
    else:
        assert [ours.a, ours.b] == pytest.approx(maximum_likelihood(x, y), rel=1e-4, abs=1e-4)


@law
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12))
def test_any_pairs_end_in_a_finite_fit_or_a_reason(found: Pairs) -> None:
    x, y = (np.array(side) for side in zip(*found, strict=True))
    ours = fit_platt(x, y)
    assert ours if isinstance(ours, str) else np.isfinite([ours.a, ours.b]).all()
