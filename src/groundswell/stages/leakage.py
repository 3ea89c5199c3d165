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
#: A feature known of fewer rows than this says nothing by its rank correlation.
_FEWEST_KNOWN = 30
#: Share of the holdout that may be re-uploads of training videos before that is a leak.
REUPLOADS = 0.01
#: So many look-alikes are chance in however small a holdout.
FEW_REUPLOADS = 3
#: Rows that a probe learns from at most: it only asks which features the function needs.
_PROBE_ROWS = 5_000
#: How many of the most related columns are tried as all that is needed.
_SET_SIZES = (4, 8, 16)
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
    """Return the columns left by backward elimination, the least related to the tier tried first.

    It begins with the few most related columns that do as well as all of them, where there are such.
    """
    training = training.where(np.arange(len(training)) % (1 + len(training) // _PROBE_ROWS) == 0)
    everything = range(training.features.shape[1])
    reference = _probe(training, holdout, list(everything), kind, check)
    order = _least_related_first(training)
    kept = next(
        (
            found
            for size in _SET_SIZES
            if _probe(training, holdout, found := order[-size:], kind, check) >= reference - NEGLIGIBLE
        ),
        order,
    )
    for column in list(kept):
        rest = [other for other in kept if other != column]
        if rest and _probe(training, holdout, rest, kind, check) >= reference - NEGLIGIBLE:
            kept = rest
    return sorted(kept)


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
    known = ~np.isnan(first)
    if known.sum() < _FEWEST_KNOWN:
        return 0.0
    first, second = first[known], second[known]
    value = float(spearman(first, second, np.ones((1, len(first))))[0])
    return 0.0 if np.isnan(value) else value


def find_future(changed: Sequence[str], compared: int) -> Finding:
    """Return whether the features stayed the same when everything later than the moment of prediction was deleted."""
    title = "Deleting the future changes no feature"
    if not compared:
        return Finding("L3", title, Outcome.NOT_APPLICABLE, "There were no rows to compare")
    if changed:
        said = f"{', '.join(changed)} changed when later rows were deleted (n {compared:,})"
        return Finding("L3", title, Outcome.FAILED, said)
    return Finding("L3", title, Outcome.PASSED, f"Recomputed for {compared:,} videos, not one value changed")


def find_copies(same: int, reuploads: int, holdout: int) -> Finding:
    """Return whether the same videos stand on both sides of the split, or too many re-uploads of training videos do."""
    title = "No video stands on both sides"
    said = (
        f"{same:,} videos of the holdout were trained on, {reuploads:,} look like re-uploads of one "
        f"(same caption and length, by the same creator or with the same sound; n {holdout:,})"
    )
    failed = same > 0 or reuploads > max(FEW_REUPLOADS, REUPLOADS * holdout)
    return Finding("L4", title, Outcome.FAILED if failed else Outcome.PASSED, said)


def tell_random_split(random: float, honest: float, rows: int) -> Finding:
    """Return what a random split would have claimed: never a failure, but the figure that most reports quote."""
    said = (
        f"A random split would have claimed an accuracy of {random:.1%}, the split by time says {honest:.1%} of the "
        f"same learner: a gap of {100 * (random - honest):+.1f} points (n {rows:,})"
    )
    return Finding("L5", "What a random split would have claimed", Outcome.PASSED, said)
