"""Which calibrator the tiers get: leaving alone, a temperature, a vector, a matrix or steps, by cross-validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from groundswell.calibration.intervals import Clusters, clustered_mean
from groundswell.calibration.isotonic import IsotonicTiers, fit_isotonic, isotonic_from_content
from groundswell.calibration.matrix import MatrixScaling, fit_matrix, fit_vector, matrix_from_content
from groundswell.calibration.scores import Floats, Tiers, log_loss
from groundswell.calibration.temperature import Temperature, fit_temperature, temperature_from_content

Folds: TypeAlias = npt.NDArray[np.int64]
TierCalibrator: TypeAlias = Temperature | MatrixScaling | IsotonicTiers

#: Stretches of rows, each judged by what the others taught.
FOLDS = 10
#: Rows under which probabilities are left alone, and those that each richer kind asks for.
FEWEST_ROWS = 50
FEWEST_ROWS_OF = {"temperature": FEWEST_ROWS, "vector": 300, "matrix": 300, "isotonic": 1_000}
#: A kind must beat the simpler one by this many standard errors of the difference. Measured on 24 real forecasts of
#: the time after: with 1 for all, or folds dealt in turn, vectors and matrices were chosen for what did not last.
LEAST_LEAD = {"temperature": 1.0, "vector": 2.0, "matrix": 2.0, "isotonic": 2.0}


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of calibrator and its cross-validated log loss."""

    kind: str
    log_loss: float


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """The winner fitted on all rows, what it says of rows it was not fitted on, and how all candidates did.

    `cross_validated` has shape (n, 5): the winner flatters itself on its own rows, here each row was calibrated by a
    fit without it. What is made of calibrated probabilities on the same rows, such as a reach, must be made of these.
    """

    calibrator: TierCalibrator
    cross_validated: Floats
    candidates: tuple[Candidate, ...]


def choose_tier_calibrator(
    probabilities: Floats, tiers: Tiers, seed: int | None = None, clusters: Clusters | None = None
) -> Chosen:
    """Return the calibrator of least cross-validated log loss, a richer one only where it clearly leads.

    Candidates from simple to rich: none, temperature, vector, matrix, isotonic; each replaces the best before it
    where its lead is at least `LEAST_LEAD` standard errors of the paired difference.

    Rows are in time order and folds are stretches of it, so that what holds for a while only is seen not to hold; with
    a `seed` folds are drawn at random. Rows of one cluster (a creator) share a fold. The standard error is that of
    folds, not of rows: it knows the drift between them. Under `FEWEST_ROWS` rows or clusters all is left alone.
    """
    fold = _folds(tiers, seed, clusters)
    best = Temperature().kind
    forecasts = {best: probabilities} | _cross_validated(probabilities, tiers, fold)
    losses = {kind: log_loss(forecast, tiers) for kind, forecast in forecasts.items()}
    for kind, least in LEAST_LEAD.items():
        if kind in losses and _leads(losses[best] - losses[kind], fold, least):
            best = kind
    calibrator = _FITS[best](probabilities, tiers, None) if best in _FITS else Temperature()
    candidates = tuple(Candidate(kind, float(loss.mean())) for kind, loss in losses.items() if len(loss))
    return Chosen(calibrator, forecasts[best], candidates)


def tier_calibrator_from_content(content: Mapping[str, Any]) -> TierCalibrator:
    """Return the calibrator whose `content()` that is; raises ValueError where it is none of ours.

    >>> tier_calibrator_from_content({"kind": "temperature", "t": 1.5})
    Temperature(t=1.5)
    """
    try:
        return _READERS[content["kind"]](dict(content))
    except (KeyError, TypeError) as error:
        raise ValueError(f"a calibrator that cannot be read ({type(error).__name__}: {error})") from None


_Fit: TypeAlias = Callable[[Floats, Tiers, float | None], TierCalibrator]
#: From simple to rich; the third argument is the temperature of the same rows where it is known already.
_FITS: Mapping[str, _Fit] = {
    "temperature": lambda probabilities, tiers, t: (
        fit_temperature(probabilities, tiers) if t is None else Temperature(t)
    ),
    "vector": fit_vector,
    "matrix": fit_matrix,
    "isotonic": lambda probabilities, tiers, _: fit_isotonic(probabilities, tiers),
}
_READERS: Mapping[str, Callable[[dict[str, Any]], TierCalibrator]] = {
    "temperature": temperature_from_content,
    "vector": matrix_from_content,
    "matrix": matrix_from_content,
    "isotonic": isotonic_from_content,
}


def _cross_validated(probabilities: Floats, tiers: Tiers, fold: Folds) -> dict[str, Floats]:
    """Return what each kind for which there are rows says of the rows of a fold, fitted on the others."""
    numbers = np.unique(fold)
    kinds = [kind for kind in _FITS if len(tiers) >= FEWEST_ROWS_OF[kind] and len(numbers) == FOLDS]
    found = {kind: np.empty_like(probabilities) for kind in kinds}
    for number in numbers if kinds else ():
        held = fold == number
        own, occurred = probabilities[~held], tiers[~held]
        t = fit_temperature(own, occurred).t
        for kind in kinds:
            found[kind][held] = _FITS[kind](own, occurred, t).apply(probabilities[held])
    return found


def _folds(tiers: Tiers, seed: int | None, clusters: Clusters | None) -> Folds:
    """Return the fold of each row; all are in one where there are too few rows or clusters to tell."""
    groups = np.arange(len(tiers)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    count = int(groups.max()) + 1 if len(groups) else 0
    if count < FEWEST_ROWS:
        return np.zeros(len(tiers), dtype=np.int64)
    order = np.arange(count) if seed is None else np.random.default_rng(seed).permutation(count)
    return np.asarray(order[groups] * FOLDS // count, dtype=np.int64)


def _leads(gains: Floats, fold: Folds, least: float) -> bool:
    lead, error, _ = clustered_mean(gains, fold)
    return lead > 0 and lead >= least * error
