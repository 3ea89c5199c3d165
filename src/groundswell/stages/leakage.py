"""Does a feature give the answer away? A label that is (nearly) a function of the features is reported, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from groundswell.boosting import Check
from groundswell.calibration.metrics import spearman
from groundswell.calibration.scores import Floats, likeliest
from groundswell.estimators import Estimator
from groundswell.learners import Part, fit_boosted, fit_logistic
from groundswell.records import Finding, Outcome

#: From this holdout accuracy on, a label is taken for a function of the features.
NEARLY_A_FUNCTION = 0.90
#: A feature whose removal costs no more accuracy than this is not part of the function.
NEGLIGIBLE = 0.005
RANK_CORRELATION = 0.98
_PROBE_ROUNDS = 60
_PROBE_INVERSE_RIDGE = 1_000.0


def find_leakage(
    training: Part, holdout: Part, quantity: Floats | None, names: Sequence[str], estimator: Estimator, check: Check
) -> tuple[Finding, ...]:
    """Return the two findings of the leakage check, each naming the features it is about.

    `quantity` is what the label ranks (views or WES) for the holdout rows, None where only tiers are known.
    """
    return (
        _label_function(training, holdout, names, estimator, check),
        _rank_twins(holdout, quantity, names),
    )


def _label_function(training: Part, holdout: Part, names: Sequence[str], estimator: Estimator, check: Check) -> Finding:
    title = "Label is not a function of the features"
    accuracy = _accuracy(estimator, holdout)
    if accuracy < NEARLY_A_FUNCTION:
        said = f"Test accuracy {accuracy:.1%} is under {NEARLY_A_FUNCTION:.0%} (n {len(holdout):,})"
        return Finding("L1", title, Outcome.PASSED, said)
    kept = _smallest_set(training, holdout, estimator.kind, check)
    said = (
        f"The label is (nearly) a function of {', '.join(names[column] for column in kept)}: test accuracy "
        f"{accuracy:.1%} (n {len(holdout):,}). It describes; it does not predict."
    )
    return Finding("L1", title, Outcome.FAILED, said)


def _smallest_set(training: Part, holdout: Part, kind: str, check: Check) -> list[int]:
    """Return the columns left by backward elimination, the least related to the tier tried first."""
    kept = list(range(training.features.shape[1]))
    reference = _probe(training, holdout, kept, kind, check)
    for column in _least_related_first(training):
        rest = [other for other in kept if other != column]
        if rest and _probe(training, holdout, rest, kind, check) >= reference - NEGLIGIBLE:
            kept = rest
    return kept


def _least_related_first(rows: Part) -> list[int]:
    related = [abs(_rank_correlation(column, rows.tiers.astype(np.float64))) for column in rows.features.T]
    return [int(column) for column in np.argsort(related, kind="stable")]


def _probe(training: Part, holdout: Part, columns: list[int], kind: str, check: Check) -> float:
    check()
    narrow, judged = (
        Part(training.features[:, columns], training.tiers),
        Part(holdout.features[:, columns], holdout.tiers),
    )
    if kind == "logistic":
        return _accuracy(fit_logistic(narrow, _PROBE_INVERSE_RIDGE), judged)
    return _accuracy(fit_boosted(narrow, _PROBE_ROUNDS, seed=0, threads=1, check=check), judged)


def _accuracy(estimator: Estimator, rows: Part) -> float:
    return float((likeliest(estimator.probabilities(rows.features)) == rows.tiers).mean())


def _rank_twins(holdout: Part, quantity: Floats | None, names: Sequence[str]) -> Finding:
    title = "No single feature ranks like the label"
    if quantity is None:
        said = "The label's quantity is not in the file, only its tiers"
        return Finding("L2", title, Outcome.NOT_APPLICABLE, said)
    related = [abs(_rank_correlation(column, quantity)) for column in holdout.features.T]
    twins = [f"{name} ({value:.3f})" for name, value in zip(names, related, strict=True) if value >= RANK_CORRELATION]
    if twins:
        said = f"Rank correlation with the label's quantity of {RANK_CORRELATION} or more: {', '.join(twins)}"
        return Finding("L2", title, Outcome.FAILED, said)
    highest = int(np.argmax(related))
    said = f"The highest rank correlation is {related[highest]:.3f}, of {names[highest]} (n {len(holdout):,})"
    return Finding("L2", title, Outcome.PASSED, said)


def _rank_correlation(first: Floats, second: Floats) -> float:
    value = float(spearman(first, second, np.ones((1, len(first))))[0])
    return 0.0 if np.isnan(value) else value
