"""The leakage check names the features that give the answer away, exactly those, and none where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from groundswell.learners import Part, fit_boosted, fit_logistic
from groundswell.records import Finding, Outcome
from groundswell.stages import features
from groundswell.stages.labels import Label, views_cut_points
from groundswell.stages.leakage import find_leakage
from tests.made_up import never, parts

NAMES = features.names()


def named(finding: Finding) -> list[str]:
    return [name for name in NAMES if name in finding.explanation.replace(",", " ").replace(":", " ").split()]


def test_a_wes_label_names_its_three_rates_and_no_other() -> None:
    training, holdout, wes = parts(3_000, seed=4)
    function, twins = find_leakage(training, holdout, wes, NAMES, fit_logistic(training, 10_000.0), never)
    assert function.outcome is Outcome.FAILED
    assert named(function) == ["shareRate", "commentRate", "likeRate"]
    assert twins.outcome is Outcome.PASSED


def test_noise_gives_no_finding() -> None:
    training, holdout, wes = parts(800, seed=5)
    generator = np.random.default_rng(0)
    noise = Part(training.features, generator.permutation(training.tiers))
    judged = Part(holdout.features, generator.permutation(holdout.tiers))
    found = find_leakage(noise, judged, generator.permutation(wes), NAMES, fit_logistic(noise, 1.0), never)
    assert [finding.outcome for finding in found] == [Outcome.PASSED, Outcome.PASSED]


@pytest.mark.parametrize("kind", ["logistic", "boosted"])
def test_a_single_feature_that_is_the_label_is_named_by_both_findings(kind: str) -> None:
    training, holdout, _ = parts(1_500, seed=6)
    column = NAMES.index("likeRate")
    label = Label("views", views_cut_points(training.features[:, column]))
    training, holdout = (Part(part.features, label.tiers(part.features[:, column])) for part in (training, holdout))
    estimator = fit_logistic(training, 10_000.0) if kind == "logistic" else fit_boosted(training, 60, 42, 1, never)
    function, twins = find_leakage(training, holdout, holdout.features[:, column] ** 3, NAMES, estimator, never)
    assert (function.outcome, named(function)) == (Outcome.FAILED, ["likeRate"])
    assert (twins.outcome, twins.explanation.split(": ")[1]) == (Outcome.FAILED, "likeRate (1.000)")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_rank_twin_is_found_whichever_way_it_runs(sign: int) -> None:
    training, holdout, wes = parts(600, seed=7)
    ranks = wes.argsort().argsort() / len(wes)
    noise = np.random.default_rng(0).normal(0, 0.02, len(wes))
    twin = holdout.features.copy()
    twin[:, NAMES.index("hourPosted")] = sign * (ranks + noise)
    found = find_leakage(training, Part(twin, holdout.tiers), wes, NAMES, fit_logistic(training, 1.0), never)[1]
    assert (found.outcome, named(found)) == (Outcome.FAILED, ["hourPosted"])


def test_without_the_labels_quantity_there_is_no_rank_to_compare() -> None:
    training, holdout, _ = parts(600, seed=7)
    found = find_leakage(training, holdout, None, NAMES, fit_logistic(training, 1.0), never)[1]
    assert found.outcome is Outcome.NOT_APPLICABLE
