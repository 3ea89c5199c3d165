"""What a forecast has to show: lift that is no chance, chances that came true, and nothing too good to be true."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from groundswell.calibration import metrics
from groundswell.calibration.intervals import Clusters, clustered_mean
from groundswell.calibration.scores import Floats, likeliest
from groundswell.estimators.blend import BlendedEstimator, TierShares
from groundswell.heads import Outcomes, base_of, fit_classifier, fit_linear
from groundswell.learners import Part
from groundswell.records import Decision, Estimate, Finding, Outcome, Verdict
from groundswell.stages import gate, leakage, merit
from groundswell.stages.gate import Comparison, Policy, Standing
from groundswell.stages.merit import Ceiling, Lift, check_calibration, check_ceiling, check_lift, find_lift
from tests.made_up import clustered_noise, clusters, forecasts, never
from tests.made_up_posts import cuts_of, fitting_of, tiers_of

# --- lift ---------------------------------------------------------------------------------------------------------


def lift_of(rps: Floats, baselines: dict[str, Floats], of: Clusters) -> Lift:
    best, delta, upper = find_lift(rps, baselines, of)
    return Lift(best, delta, upper, 0.0)


def simulated(generator: np.random.Generator, creators: int, true_delta: float, rivals: int = 1) -> Lift:
    """The lift of a forecast that is `true_delta` worse than equal baselines, on creators of 1 to 9 videos each."""
    of = clusters(creators, int(generator.integers(10**6)))
    baseline = 0.16 + clustered_noise(of, generator, 0.05)
    losses = {f"baseline{number}": baseline + clustered_noise(of, generator, 0.02) for number in range(rivals)}
    return lift_of(losses["baseline0"] + true_delta + clustered_noise(of, generator, 0.05), losses, of)


def test_the_rival_is_the_baseline_of_least_loss() -> None:
    generator = np.random.default_rng(0)
    losses = {name: generator.random(40) + bonus for name, bonus in (("a", 0.2), ("b", 0.0), ("c", 0.1))}
    for order in itertools.permutations(losses):
        best, delta, _ = find_lift(losses["a"], {name: losses[name] for name in order}, np.arange(40))
        assert best == "b"
        assert delta.value == pytest.approx(losses["a"].mean() - losses["b"].mean())


@pytest.mark.parametrize("sign", [1, -1])
def test_below_zero_is_better(sign: int) -> None:
    loss = np.random.default_rng(1).uniform(0.1, 0.2, 60)
    found = find_lift(loss - sign * 0.05, {"majority": loss}, np.arange(60))[1]
    assert found.value == pytest.approx(-sign * 0.05)
    better = find_lift(loss - sign * 0.05, {"majority": loss + 1e-6 * np.arange(60)}, np.arange(60))
    assert check_lift(Lift(*better, 0.0))[0].outcome is (Outcome.PASSED if sign > 0 else Outcome.FAILED)


def test_the_interval_is_students_on_the_clustered_error() -> None:
    generator = np.random.default_rng(2)
    of = clusters(30, 3)
    rps, baseline = generator.random(len(of)), generator.random(len(of))
    _, delta, upper = find_lift(rps, {"majority": baseline}, of)
    mean, error, freedom = clustered_mean(rps - baseline, of)
    wide, narrow = student.ppf(0.975, freedom) * error, student.ppf(0.95, freedom) * error
    assert (delta.value, delta.low, delta.high, delta.n) == pytest.approx((mean, mean - wide, mean + wide, len(of)))
    assert upper == pytest.approx(mean + narrow)


@pytest.mark.parametrize("creators", [25, 120])
@pytest.mark.parametrize("true_delta", [0.0, -0.02])
def test_the_interval_holds_the_true_lift(creators: int, true_delta: float) -> None:
    generator = np.random.default_rng(4)
    inside, below = [], []
    for _ in range(500):
        found = simulated(generator, creators, true_delta)
        assert found.rps.low is not None
        assert found.rps.high is not None
        inside.append(found.rps.low <= true_delta <= found.rps.high)
        below.append(true_delta <= found.upper)
    assert 0.93 <= np.mean(inside) <= 0.985
    assert 0.93 <= np.mean(below) <= 0.985


@pytest.mark.parametrize("creators", [12, 40, 150])
@pytest.mark.parametrize("rivals", [1, 3])
def test_noise_passes_for_lift_in_6_of_100_at_most(creators: int, rivals: int) -> None:
    generator = np.random.default_rng(5)
    passed = [check_lift(simulated(generator, creators, 0.0, rivals))[0].outcome for _ in range(500)]
    assert np.mean([outcome is Outcome.PASSED for outcome in passed]) <= 0.06


def test_a_true_lift_passes_nearly_always() -> None:
    generator = np.random.default_rng(6)
    passed = [check_lift(simulated(generator, 150, -0.03, rivals=2))[0].outcome for _ in range(200)]
    assert np.mean([outcome is Outcome.PASSED for outcome in passed]) >= 0.98


def test_one_creator_cannot_tell_lift_from_chance() -> None:
    found = lift_of(np.zeros(50), {"majority": np.full(50, 0.2)}, np.zeros(50, dtype=np.int64))
    assert found.rps.value == pytest.approx(-0.2)
    assert (found.rps.low, found.rps.high) == (None, None)
    finding, enough = check_lift(found)
    assert finding.outcome is Outcome.NOT_APPLICABLE
    assert "too few creators" in finding.explanation
    assert enough == "Two creators or more."


def test_what_would_have_been_enough_lift_is_enough() -> None:
    held = Lift("creatorMedian", Estimate(-0.004, -0.014, 0.006, 900), 0.005, 1.0)
    finding, enough = check_lift(held)
    assert finding.outcome is Outcome.FAILED
    assert finding.explanation.startswith("Too little signal: ΔRPS against creatorMedian is -0.0040, upper end +0.0050")
    assert enough == "A ΔRPS below -0.0090 on these rows."
    assert check_lift(Lift("creatorMedian", Estimate(-0.0091, None, None, 900), -0.0001, 1.0))[0].outcome is (
        Outcome.PASSED
    )
    on_the_line = Lift("creatorMedian", Estimate(-0.009, None, None, 900), 0.0, 1.0)
    assert check_lift(on_the_line)[0].outcome is Outcome.FAILED


# --- calibration --------------------------------------------------------------------------------------------------


def stated(rows: int, seed: int, sharpness: float = 1.0) -> tuple[Estimate, Floats]:
    probabilities, tiers = forecasts(rows, seed, sharpness)
    confidence, hits = probabilities.max(axis=1), (likeliest(probabilities) == tiers).astype(float)
    return Estimate(float(metrics.top_label_ece(confidence, hits, np.ones((1, rows)))[0]), None, None, rows), confidence


def calibration(rows: int, seed: int, limit: float, sharpness: float = 1.0) -> tuple[Finding, str]:
    return check_calibration(*stated(rows, seed, sharpness), limit, 42)


def test_an_ece_within_the_limit_passes_whatever_its_noise() -> None:
    for seed in range(10):
        ece, confidence = stated(5_000, seed, sharpness=1.3)
        noise = check_calibration(ece, confidence, 0.0, 42)
        assert noise[0].outcome is Outcome.FAILED
        assert check_calibration(ece, confidence, ece.value, 42)[0].outcome is Outcome.PASSED


@pytest.mark.parametrize("rows", [40, 400])
def test_an_honest_forecast_of_few_rows_passes_though_its_ece_is_over_the_limit(rows: int) -> None:
    over = [seed for seed in range(200) if stated(rows, seed)[0].value > 0.01]
    passed = [calibration(rows, seed, 0.01)[0].outcome is Outcome.PASSED for seed in over]
    assert len(over) > 150
    assert np.mean(passed) >= 0.90


def test_chances_that_did_not_come_true_fail_and_are_told_what_is_enough() -> None:
    finding, enough = calibration(3_000, 1, 0.1, sharpness=4.0)
    assert finding.outcome is Outcome.FAILED
    assert "limit 0.1" in finding.explanation
    assert "n 3,000" in finding.explanation
    assert enough == "An ECE of at most 0.100."


def test_without_an_ece_nothing_can_be_said() -> None:
    for value in (math.nan, math.inf):
        finding, _ = check_calibration(Estimate(value, None, None, 0), np.zeros(0), 0.1, 42)
        assert finding.outcome is Outcome.NOT_APPLICABLE


# --- ceiling ------------------------------------------------------------------------------------------------------

Judged = tuple[Estimate, Ceiling]


def judged(forecast: Floats, expected: Floats, log_views: Floats) -> Judged:
    """The accuracy of a forecast (plus and minus two errors of its binomial) and the ceiling of its holdout."""
    tiers, n = tiers_of(log_views), len(log_views)
    value = float((likeliest(forecast) == tiers).mean())
    reach = 2 * math.sqrt(value * (1 - value) / n)
    found = merit.find_ceiling(expected, log_views, tiers, forecast, cuts_of(log_views), value)
    return Estimate(value, value - reach, value + reach, n), found


def normal_views(rows: int, seed: int, r2: float, spread: Floats | float = 1.0) -> tuple[Floats, Floats, Floats]:
    """Expected and actual log-views, and the error's size: `r2` explains their variance where `spread` is 1."""
    generator = np.random.default_rng(seed)
    expected = 8 + math.sqrt(r2) * generator.normal(size=rows)
    errors = np.broadcast_to(math.sqrt(1 - r2) * np.asarray(spread), (rows,))
    return expected, expected + errors * generator.normal(size=rows), errors


def bayes(expected: Floats, errors: Floats, log_views: Floats) -> Floats:
    below = norm.cdf((np.array(cuts_of(log_views)) - expected[:, None]) / errors[:, None])
    return np.diff(np.hstack([np.zeros((len(expected), 1)), below, np.ones((len(expected), 1))]), axis=1)


@pytest.mark.parametrize("r2", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("rows", [200, 2_000])
def test_the_best_honest_forecast_of_normal_views_is_not_too_good(r2: float, rows: int) -> None:
    for seed in range(15):
        expected, log_views, errors = normal_views(rows, seed, r2)
        accuracy, ceiling = judged(bayes(expected, errors, log_views), expected, log_views)
        assert check_ceiling(accuracy, ceiling)[0].outcome is Outcome.PASSED
        assert ceiling.r2 == pytest.approx(r2, abs=0.3 if rows == 200 else 0.06)
        assert ceiling.reached == pytest.approx(accuracy.value / ceiling.accuracy)


@pytest.mark.parametrize("r2", [0.3, 0.6, 0.9])
def test_both_ceilings_agree_with_the_accuracy_of_the_best_forecast(r2: float) -> None:
    expected, log_views, errors = normal_views(40_000, 1, r2)
    accuracy, ceiling = judged(bayes(expected, errors, log_views), expected, log_views)
    assert ceiling.accuracy == pytest.approx(accuracy.value, abs=0.012)
    assert ceiling.by_errors == pytest.approx(accuracy.value, abs=0.012)


def test_a_forecast_that_is_surer_of_some_videos_is_not_too_good() -> None:
    for seed in range(10):
        known = np.where(np.random.default_rng(seed).random(2_000) < 0.5, 0.1, 2.0)
        expected, log_views, errors = normal_views(2_000, seed, 0.5, known)
        accuracy, ceiling = judged(bayes(expected, errors, log_views), expected, log_views)
        assert accuracy.value > ceiling.accuracy + merit.TOLERANCE  # by normal errors of one size it would be a leak
        assert check_ceiling(accuracy, ceiling)[0].outcome is Outcome.PASSED


@pytest.mark.parametrize("r2", [0.3, 0.6])
@pytest.mark.parametrize("doubt", [0.05, 0.3])
@pytest.mark.parametrize("rows", [200, 2_000])
def test_an_accuracy_that_log_views_do_not_explain_fails(r2: float, doubt: float, rows: int) -> None:
    for seed in range(10):
        expected, log_views, errors = normal_views(rows, seed, r2)
        peeked = log_views + 0.03 * np.random.default_rng(seed).normal(size=rows)
        forecast = bayes(peeked, errors * doubt, log_views)
        accuracy, ceiling = judged(forecast, expected, log_views)
        assert accuracy.value > 0.85
        finding, enough = check_ceiling(accuracy, ceiling)
        assert finding.outcome is Outcome.FAILED
        assert finding.explanation.startswith("Too good to be true: Accuracy ")
        assert "look for what gives the answer away" in enough


def test_the_ceiling_allows_for_the_interval_and_a_tolerance() -> None:
    ceiling = Ceiling(0.50, 0.45, 0.4, 1.0)
    for low, expected in ((0.549, Outcome.PASSED), (0.551, Outcome.FAILED)):
        assert check_ceiling(Estimate(0.6, low, 0.65, 900), ceiling)[0].outcome is expected
        assert check_ceiling(Estimate(low, None, None, 900), ceiling)[0].outcome is expected
        swapped = Ceiling(0.45, 0.50, 0.4, 1.0)
        assert check_ceiling(Estimate(0.6, low, 0.65, 900), swapped)[0].outcome is expected


# --- the gate asks ------------------------------------------------------------------------------------------------

GOOD = {name: Estimate(0.3, 0.28, 0.32, n=2_000) for name in gate.REQUIRED}
POLICY = Policy(accuracy_floor=0.0, margin=0.005, min_comparable_rows=100)
WORSE = Comparison(3, 400, 90, 0.01, 0.002, 0.02, same_rows=True, chance_equal=0.8, chance_worse=0.0)
ASKED = ("G6", "G7", "G8", "L1")


def asked(outcomes: Sequence[Outcome]) -> tuple[gate.Check, ...]:
    return tuple(
        (Finding(code, "Title", outcome, f"said by {code}"), f"enough for {code}")
        for code, outcome in zip(ASKED, outcomes, strict=True)
    )


def decided(
    outcomes: Sequence[Outcome], accuracy: float = 0.3, policy: Policy = POLICY, comparison: Comparison | None = None
) -> Decision:
    standing = Standing.CONTEST if comparison else Standing.FIRST
    given = {**GOOD, "accuracy": Estimate(accuracy, None, None, 2_000)}
    return gate.decide(given, 5, standing, comparison, policy, (), asked(outcomes))


@pytest.mark.parametrize("outcomes", list(itertools.product(Outcome, repeat=len(ASKED))))
def test_the_gate_holds_when_anything_asked_did_not_pass_and_says_the_first(outcomes: Sequence[Outcome]) -> None:
    decision = decided(outcomes)
    assert [finding.code for finding in decision.findings] == ["G1", "G2", "G3", "G4", *ASKED, "G5"]
    at_fault = [code for code, outcome in zip(ASKED, outcomes, strict=True) if outcome is not Outcome.PASSED]
    if at_fault:
        assert decision.decision is Verdict.HOLD
        assert (decision.reason, decision.enough) == (f"said by {at_fault[0]}", f"enough for {at_fault[0]}")
    else:
        assert decision.decision is Verdict.PROMOTE
        assert decision.reason.startswith("said by G6; ")


def test_the_floor_is_told_before_what_is_asked_and_that_before_the_champion() -> None:
    failed, passed = [Outcome.FAILED] * 4, [Outcome.PASSED] * 4
    floor = Policy(accuracy_floor=0.5, margin=0.005, min_comparable_rows=100)
    assert decided(failed, policy=floor, comparison=WORSE).reason == "Test accuracy 30.0% below 50% gate"
    assert decided(failed, comparison=WORSE).reason == "said by G6"
    assert decided(passed, comparison=WORSE).reason.startswith("ΔRPS against champion 3")


@pytest.mark.parametrize("accuracy", [0.0, 0.2, 1.0])
def test_a_floor_of_zero_asks_for_no_accuracy_but_for_a_number(accuracy: float) -> None:
    passed = [Outcome.PASSED] * 4
    assert decided(passed, accuracy).decision is Verdict.PROMOTE
    assert decided([Outcome.FAILED, *passed[1:]], accuracy).reason == "said by G6"
    assert decided(passed, math.nan).reason == "No finite value of accuracy"
    assert decided(passed, accuracy, Policy(None, 0.005, 100)).reason == "The policy sets no accuracy_floor"


# --- leakage ------------------------------------------------------------------------------------------------------


def test_a_feature_that_the_future_changes_is_named() -> None:
    assert leakage.find_future((), 600).outcome is Outcome.PASSED
    assert leakage.find_future((), 0).outcome is Outcome.NOT_APPLICABLE
    finding = leakage.find_future(("creatorMedian", "soundLift"), 600)
    assert finding.outcome is Outcome.FAILED
    assert finding.explanation == "creatorMedian, soundLift changed when later rows were deleted (n 600)"


def test_a_lift_too_small_to_matter_is_none_however_sure_it_is() -> None:
    for gain, outcome in ((0.0009, Outcome.FAILED), (0.0011, Outcome.PASSED)):
        found = Lift("tierShares", Estimate(-gain, -gain - 1e-6, -gain + 1e-6, 5_000), -gain + 1e-6, 0.0)
        assert check_lift(found)[0].outcome is outcome


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.70, 0.79, Outcome.FAILED), (0.75, 0.80, Outcome.PASSED), (0.85, 0.9, Outcome.PASSED)],
)
def test_ranges_fail_where_even_the_upper_end_stays_under_the_promise(
    low: float, high: float, outcome: Outcome
) -> None:
    finding = merit.find_range(Estimate((low + high) / 2, low, high, 1_234), 0.8)
    assert finding.outcome is outcome
    assert f"(n 1,234, 95 % {100 * low:.1f} to {100 * high:.1f})" in finding.explanation
    unknown = merit.find_range(Estimate(0.5, None, None, 7), 0.8)
    assert (unknown.outcome, unknown.explanation[-5:]) == (Outcome.NOT_APPLICABLE, "(n 7)")


@pytest.mark.parametrize(
    ("same", "reuploads", "holdout", "outcome"),
    [
        (0, 0, 0, Outcome.PASSED),
        (0, 0, 500, Outcome.PASSED),
        (0, 5, 500, Outcome.PASSED),
        (0, 6, 500, Outcome.FAILED),
        (0, 3, 60, Outcome.PASSED),
        (0, 4, 60, Outcome.FAILED),
        (1, 0, 100_000, Outcome.FAILED),
    ],
)
def test_one_video_on_both_sides_is_a_leak_and_so_are_many_reuploads(
    same: int, reuploads: int, holdout: int, outcome: Outcome
) -> None:
    finding = leakage.find_copies(same, reuploads, holdout)
    assert finding.outcome is outcome
    assert f"{reuploads:,} look like re-uploads" in finding.explanation


@pytest.mark.parametrize(("random", "gap"), [(0.71, "+30.0"), (0.41, "+0.0"), (0.38, "-3.0")])
def test_the_gap_of_a_random_split_is_told_and_never_holds(random: float, gap: str) -> None:
    finding = leakage.tell_random_split(random, 0.41, 1_234)
    assert finding.outcome is Outcome.PASSED
    for said in (f"{random:.1%}", "41.0%", f"a gap of {gap} points", "n 1,234"):
        assert said in finding.explanation


NAMES = ("earlyViews", "creatorMedian", "hour", "soundLift", "followers")


def gappy(rows: int, seed: int, leak: int | None) -> Outcomes:
    """Log-views that the second column hints at; in `leak` they stand themselves; a third of the values is unknown."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, len(NAMES)))
    log_views = 8 + 0.6 * features[:, 1] + generator.normal(size=rows)
    gaps = generator.random(features.shape) < 0.3
    if leak is not None:
        features[:, leak], gaps[:, leak] = log_views, False
    features[gaps] = np.nan
    return Outcomes(features, tiers_of(log_views), log_views, np.arange(rows))


def found_leaks(leak: int | None) -> tuple[Finding, Finding]:
    rows = gappy(2_000, 8, leak)
    training, judging, holdout = (rows.where(slice(*ends)) for ends in ((0, 1_200), (1_200, 1_500), (1_500, 2_000)))
    fitting = fitting_of(rows)
    members = (
        fit_linear(base_of(training, 1), fitting),
        fit_classifier(training, fitting, judging),
        TierShares((0.2,) * 5),
    )
    blend = BlendedEstimator(members, (0.5, 0.45, 0.05))
    found = leakage.find_leakage(
        Part(training.features, training.tiers),
        Part(holdout.features, holdout.tiers),
        np.expm1(holdout.log_views),
        NAMES,
        blend,
        never,
    )
    assert len(found) == 2
    return found[0], found[1]


def named(finding: Finding) -> list[str]:
    return [name for name in NAMES if name in finding.explanation]


@pytest.mark.parametrize("leak", [0, 3])
def test_a_leak_among_unknown_values_is_named_for_a_blend(leak: int) -> None:
    function, twins = found_leaks(leak)
    assert (function.outcome, named(function)) == (Outcome.FAILED, [NAMES[leak]])
    assert (twins.outcome, named(twins)) == (Outcome.FAILED, [NAMES[leak]])


def test_a_hint_among_unknown_values_is_no_leak() -> None:
    function, twins = found_leaks(None)
    assert function.outcome is Outcome.PASSED
    assert (twins.outcome, named(twins)) == (Outcome.PASSED, ["creatorMedian"])


def twins_of(features: Floats, quantity: Floats) -> Finding:
    rows = Part(features, np.random.default_rng(0).integers(1, 6, len(features)))
    return leakage.find_leakage(rows, rows, quantity, NAMES, TierShares((0.2,) * 5), never)[1]


@pytest.mark.parametrize(("known", "outcome"), [(0, Outcome.PASSED), (29, Outcome.PASSED), (30, Outcome.FAILED)])
def test_a_rank_twin_must_be_known_of_thirty_rows(known: int, outcome: Outcome) -> None:
    generator = np.random.default_rng(9)
    quantity = generator.random(400)
    features = generator.normal(size=(400, len(NAMES)))
    features[:, 2] = np.where(np.arange(400) < known, -(quantity**3), np.nan)
    finding = twins_of(features, quantity)
    assert finding.outcome is outcome
    assert ("hour (1.000)" in finding.explanation) == (outcome is Outcome.FAILED)


def test_features_that_are_unknown_or_constant_throughout_are_no_twins() -> None:
    features = np.full((400, len(NAMES)), np.nan)
    features[:, 1] = 3.0
    finding = twins_of(features, np.arange(400.0))
    assert finding.outcome is Outcome.PASSED
    assert "0.000" in finding.explanation
