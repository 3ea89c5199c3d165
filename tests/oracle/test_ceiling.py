"""The predictability ceiling against simulation and an integral, and R² against scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import norm
from sklearn.metrics import r2_score

from groundswell.calibration.ceiling import ceiling_accuracy, explained_share
from groundswell.calibration.scores import Floats
from tests.made_up import law

SHARES = {
    "even": (0.2, 0.2, 0.2, 0.2, 0.2),
    "uneven": (0.05, 0.4, 0.1, 0.3, 0.15),
    "a rare tier": (0.499, 0.001, 0.2, 0.2, 0.1),
    "no first tier": (0.0, 0.25, 0.25, 0.25, 0.25),
    "no middle tier": (0.3, 0.2, 0.0, 0.2, 0.3),
    "no last tier": (0.1, 0.2, 0.3, 0.4, 0.0),
    "two tiers": (0.0, 0.7, 0.0, 0.3, 0.0),
}
each_shares = pytest.mark.parametrize("shares", [np.array(each) for each in SHARES.values()], ids=list(SHARES))
each_r2 = pytest.mark.parametrize("r2", [0.02, 0.3, 0.6, 0.9, 0.99])
any_shares = (
    st.lists(st.integers(0, 20), min_size=5, max_size=5).filter(any).map(lambda each: np.array(each) / sum(each))
)


def ends(shares: Floats) -> tuple[Floats, Floats]:
    """Where each tier begins and ends on standard normal log-views; beyond the last share there is nothing."""
    at = np.clip(np.concatenate([[0.0], np.cumsum(shares)]), 0, 1)
    at[at > 1 - 1e-9] = 1.0
    return norm.ppf(at[:-1]), norm.ppf(at[1:])


@each_shares
@each_r2
def test_ceiling_equals_an_adaptive_integral(r2: float, shares: Floats) -> None:
    begins, stops = ends(shares)

    def best(mu: float) -> float:
        left = np.sqrt(1 - r2)
        chances = norm.cdf((stops - np.sqrt(r2) * mu) / left) - norm.cdf((begins - np.sqrt(r2) * mu) / left)
        return float(chances.max() * norm.pdf(mu))

    pieces = np.linspace(-8, 8, 65)
    slow = sum(integrate.quad(best, *piece, epsabs=1e-9, limit=200)[0] for piece in itertools.pairwise(pieces))
    assert ceiling_accuracy(r2, shares) == pytest.approx(slow, abs=2e-5)


@each_shares
@each_r2
def test_ceiling_is_how_often_the_best_guess_is_right(r2: float, shares: Floats) -> None:
    generator = np.random.default_rng(1)
    mu = np.sqrt(r2) * generator.normal(size=40_000)
    log_views = mu + np.sqrt(1 - r2) * generator.normal(size=len(mu))
    begins, stops = ends(shares)
    # Whoever knows μ guesses the likeliest tier around it.
    left = np.sqrt(1 - r2)
    guess = (norm.cdf((stops - mu[:, None]) / left) - norm.cdf((begins - mu[:, None]) / left)).argmax(axis=1)
    right = (begins[guess] < log_views) & (log_views <= stops[guess])
    error = np.sqrt(right.var() / len(mu))
    assert ceiling_accuracy(r2, shares) == pytest.approx(right.mean(), abs=4 * error)


@law
@given(any_shares, st.lists(st.floats(0, 1), min_size=2, max_size=6).map(sorted))
def test_ceiling_rises_with_what_is_explained_from_the_largest_share_to_one(shares: Floats, r2: list[float]) -> None:
    found = [ceiling_accuracy(each, shares) for each in r2]
    assert (np.diff(found) >= -2e-4).all()
    assert min(found) >= shares.max() - 1e-6
    assert max(found) <= 1


@law
@given(any_shares, st.floats(0, 1))
def test_ceiling_of_the_tiers_upside_down_is_the_same(shares: Floats, r2: float) -> None:
    assert ceiling_accuracy(r2, shares[::-1]) == pytest.approx(ceiling_accuracy(r2, shares), abs=1e-6)


@each_shares
def test_nothing_explained_leaves_the_largest_share_and_everything_leaves_certainty(shares: Floats) -> None:
    assert ceiling_accuracy(0.0, shares) == shares.max()
    assert ceiling_accuracy(-0.4, shares) == shares.max()
    assert ceiling_accuracy(1.0, shares) == ceiling_accuracy(1.5, shares) == 1
    assert ceiling_accuracy(1e-9, shares) == pytest.approx(shares.max(), abs=1e-3)
    assert ceiling_accuracy(1 - 1e-9, shares) == pytest.approx(1, abs=2e-3)


@law
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(-50, 50)), min_size=2, max_size=30))
def test_explained_share_equals_scikit_learn(pairs: list[tuple[float, int]]) -> None:
    expected, actual = np.array([pair[0] for pair in pairs]), np.array([float(pair[1]) for pair in pairs])
    if np.ptp(actual) == 0:
        assert explained_share(expected, actual) == 0
    else:
        assert explained_share(expected, actual) == pytest.approx(r2_score(actual, expected), rel=1e-9, abs=1e-9)


def test_explained_share_of_the_mean_is_nothing_and_of_worse_below_nothing() -> None:
    actual = np.array([1.0, 2.0, 6.0])
    assert explained_share(np.full(3, 3.0), actual) == 0
    assert explained_share(-actual, actual) < 0
