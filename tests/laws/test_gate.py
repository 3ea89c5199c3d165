"""The gate's laws: it holds whenever it cannot tell, and every decision says why and what would have been enough."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from groundswell.records import Decision, Estimate, Finding, Outcome, Verdict
from groundswell.stages import gate
from groundswell.stages.gate import Comparison, Policy, Scored, Standing

POLICY = Policy(accuracy_floor=0.60, margin=0.005, min_comparable_rows=100)
GOOD: Mapping[str, Estimate] = {name: Estimate(0.7, 0.68, 0.72, n=2_000) for name in gate.REQUIRED}
BETTER = Comparison(
    champion=3,
    n=400,
    creators=90,
    delta=-0.01,
    standard_error=0.002,
    upper=-0.007,
    same_rows=True,
    chance_equal=0.8,
    chance_worse=0.0,
)


def accuracy(value: float, n: int = 2_000) -> Mapping[str, Estimate]:
    return {**GOOD, "accuracy": Estimate(value, None, None, n)}


def decided(
    metrics: Mapping[str, Estimate] = GOOD,
    tiers: int = 5,
    standing: Standing = Standing.CONTEST,
    comparison: Comparison | None = BETTER,
    policy: Policy = POLICY,
) -> Decision:
    decision = gate.decide(metrics, tiers, standing, comparison, policy)
    assert decision.reason.strip()
    assert decision.enough.strip()
    assert "\n" not in decision.reason
    assert [finding.code for finding in decision.findings] == ["G1", "G2", "G3", "G4", "G5"]
    return decision


def holds(decision: Decision, code: str) -> bool:
    """Whether the gate held for this finding and no other."""
    at_fault = [finding for finding in decision.findings if finding.outcome is not Outcome.PASSED]
    return decision.decision is Verdict.HOLD and [finding.code for finding in at_fault] == [code]


def test_better_challenger_over_the_floor_is_promoted() -> None:
    decision = decided()
    assert decision.decision is Verdict.PROMOTE
    assert decision.reason.startswith("Test accuracy 70.0% passes the 60% gate (n 2,000); ")
    assert {finding.outcome for finding in decision.findings} == {Outcome.PASSED}


def test_reason_under_the_floor_is_this_line() -> None:
    decision = decided(accuracy(0.441))
    assert holds(decision, "G4")
    assert decision.reason == "Test accuracy 44.1% below 60% gate"
    assert decision.enough == "1,200 of 2,000 holdout videos right; it had 882."


@pytest.mark.parametrize(("value", "shown"), [(0.5996, "59.96%"), (0.59999, "59.999%"), (0.5994, "59.9%")])
def test_an_accuracy_under_the_floor_is_not_shown_as_the_floor(value: float, shown: str) -> None:
    assert decided(accuracy(value, 100_000)).reason == f"Test accuracy {shown} below 60% gate"


def test_accuracy_of_exactly_the_floor_passes() -> None:
    assert decided(accuracy(3 / 5, 5)).decision is Verdict.PROMOTE
    assert decided(accuracy(0.66), policy=dataclasses.replace(POLICY, accuracy_floor=0.66)).decision is Verdict.PROMOTE


@pytest.mark.parametrize("name", gate.REQUIRED)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("standing", list(Standing))
def test_a_metric_that_is_no_number_holds(name: str, value: float, standing: Standing) -> None:
    decision = decided({**GOOD, name: Estimate(value, None, None, 2_000)}, standing=standing)
    assert decision.decision is Verdict.HOLD
    assert decision.reason == f"No finite value of {name}"


@pytest.mark.parametrize("name", gate.REQUIRED)
@pytest.mark.parametrize("standing", list(Standing))
def test_a_missing_metric_holds(name: str, standing: Standing) -> None:
    decision = decided({other: value for other, value in GOOD.items() if other != name}, standing=standing)
    assert decision.decision is Verdict.HOLD
    assert decision.reason == f"No finite value of {name}"


@pytest.mark.parametrize("standing", list(Standing))
def test_an_empty_policy_holds(standing: Standing) -> None:
    decision = decided(standing=standing, policy=Policy())
    assert decision.decision is Verdict.HOLD
    assert decision.reason == "The policy sets no accuracy_floor, margin, min_comparable_rows"


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Policy)])
@pytest.mark.parametrize("value", [None, math.nan])
def test_a_policy_without_one_threshold_holds(field: str, value: Any) -> None:
    decision = decided(policy=dataclasses.replace(POLICY, **{field: value}))
    assert decision.decision is Verdict.HOLD
    assert decision.reason == f"The policy sets no {field}"


@pytest.mark.parametrize("tiers", [0, 1])
@pytest.mark.parametrize("standing", [Standing.FIRST, Standing.CONTEST, Standing.LIVE_OVER_FALLBACK])
def test_under_two_tiers_holds_even_without_metrics(tiers: int, standing: Standing) -> None:
    decision = decided({}, tiers, standing, None)
    assert decision.decision is Verdict.HOLD
    assert decision.reason == f"The training rows hold {tiers} of 5 tiers"


@pytest.mark.parametrize("standing", [Standing.FIRST, Standing.LIVE_OVER_FALLBACK])
def test_first_and_live_over_fallback_are_promoted_on_the_floor_alone(standing: Standing) -> None:
    assert decided(standing=standing, comparison=None).decision is Verdict.PROMOTE
    assert decided(accuracy(0.59), standing=standing, comparison=None).decision is Verdict.HOLD


def test_a_fallback_never_replaces_a_live_champion() -> None:
    perfect = accuracy(1.0)
    assert holds(decided(perfect, standing=Standing.FALLBACK_OVER_LIVE), "G5")


def test_no_comparison_with_an_existing_champion_holds() -> None:
    assert holds(decided(comparison=None), "G5")


def test_too_few_comparable_rows_hold_unless_no_champion_exists() -> None:
    few = dataclasses.replace(BETTER, n=99)
    decision = decided(comparison=few)
    assert holds(decision, "G5")
    assert decision.findings[-1].outcome is Outcome.NOT_APPLICABLE
    assert "Only 99 holdout rows of 90 creators" in decision.reason
    assert decided(comparison=few, standing=Standing.FIRST).decision is Verdict.PROMOTE


@pytest.mark.parametrize("rows", [0, 500])
def test_comparable_rows_of_one_creator_hold(rows: int) -> None:
    scored = Scored(np.arange(rows, dtype=np.uint64), np.zeros(rows))
    found = gate.compare(scored, scored, np.zeros(rows, dtype=np.int64), 3, 0.005)
    assert holds(decided(comparison=found), "G5")


def test_a_champion_scored_on_other_rows_holds() -> None:
    rows, losses = np.arange(500, dtype=np.uint64), np.full(500, 0.1)
    for others in (rows[::-1].copy(), rows + np.uint64(1), rows[:499]):
        found = gate.compare(Scored(rows, losses), Scored(others, losses[: len(others)] + 1), np.arange(500), 3, 0.005)
        decision = decided(comparison=found)
        assert holds(decision, "G5")
        assert "other rows" in decision.reason


def test_a_loss_that_is_no_number_holds() -> None:
    rows = np.arange(500, dtype=np.uint64)
    losses = np.where(rows == 7, np.nan, 0.1)
    found = gate.compare(Scored(rows, losses), Scored(rows, np.full(500, 0.2)), np.arange(500), 3, 0.005)
    assert holds(decided(comparison=found), "G5")


def test_an_upper_end_on_the_margin_holds_and_just_below_promotes() -> None:
    assert holds(decided(comparison=dataclasses.replace(BETTER, upper=0.005)), "G5")
    assert decided(comparison=dataclasses.replace(BETTER, upper=0.00499)).decision is Verdict.PROMOTE


def test_what_would_have_been_enough_is_enough() -> None:
    worse = dataclasses.replace(BETTER, delta=0.004, upper=0.007)
    decision = decided(comparison=worse)
    assert holds(decision, "G5")
    assert decision.enough == "A ΔRPS below +0.0020 on these rows."
    moved = dataclasses.replace(worse, delta=0.0019, upper=0.0049)
    assert decided(comparison=moved).decision is Verdict.PROMOTE


def test_the_verdict_prints_the_chance_of_promoting_a_worse_challenger() -> None:
    found = dataclasses.replace(BETTER, chance_equal=0.81, chance_worse=0.034)
    assert (
        "promotes an equal challenger with chance 81%, one worse by 0.02 with 3.4%" in decided(comparison=found).reason
    )


def test_the_same_model_again_is_promoted() -> None:
    scored = Scored(np.arange(200, dtype=np.uint64), np.random.default_rng(0).random(200))
    found = gate.compare(scored, scored, np.arange(200), 3, 0.005)
    assert (found.delta, found.upper, found.chance_equal, found.chance_worse) == (0, 0, 1, 0)
    assert decided(comparison=found).decision is Verdict.PROMOTE


def test_reported_findings_stand_in_the_decision_without_a_vote() -> None:
    leak = Finding("L1", "Leak", Outcome.FAILED, "The label is a function of likeRate")
    decision = gate.decide(GOOD, 5, Standing.FIRST, None, POLICY, [leak])
    assert decision.decision is Verdict.PROMOTE
    assert decision.findings[-1] is leak


def test_every_decision_says_why_and_what_would_have_been_enough() -> None:
    metrics = [GOOD, accuracy(0.1), accuracy(math.nan, 0), {}]
    comparisons = [None, BETTER, dataclasses.replace(BETTER, n=1), dataclasses.replace(BETTER, same_rows=False)]
    comparisons += [dataclasses.replace(BETTER, upper=math.nan), dataclasses.replace(BETTER, upper=1.0)]
    for case in itertools.product(metrics, [0, 1, 5], Standing, comparisons, [POLICY, Policy()]):
        decided(*case)
