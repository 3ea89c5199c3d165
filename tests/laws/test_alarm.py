"""The alarm does not cry wolf, does not sleep, and has an answer to everything: measured on simulated audits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from groundswell.calibration.alarm import FEWEST_UNITS, Alarm, AlarmState, judge, notifies
from groundswell.calibration.scores import Floats
from tests.made_up_chances import MISSES, SIZES, STATED, outcome, size_of


def audited(stated: str, kind: str, n: int, seed: int, miss: Callable[[Floats], Floats] | None = None) -> Alarm:
    generator = np.random.default_rng([seed, n])
    predicted = STATED[stated](generator, n).round(4)
    return judge(predicted, outcome(generator, miss(predicted) if miss else predicted, kind), 0.15, seed)


def rate(found: list[Alarm], state: AlarmState) -> float:
    return float(np.mean([alarm.state is state for alarm in found]))


def slack(share: float, n: int) -> float:
    return float(3 * np.sqrt(share * (1 - share) / n))


@pytest.mark.parametrize("kind", ["hits", "shares"])
@pytest.mark.parametrize("n", [20, 200])
def test_calibrated_streams_raise_few_alarms(n: int, kind: str) -> None:
    names = list(STATED)
    found = [audited(names[seed % 4], kind, n, seed) for seed in range(60)]
    assert rate(found, AlarmState.RED) <= 0.025 + slack(0.025, 60)
    assert rate(found, AlarmState.AMBER) <= 0.03 + slack(0.03, 60)


@pytest.mark.parametrize(("kind", "n"), [("hits", 500), ("shares", 200)])
@pytest.mark.parametrize("miss", MISSES)
def test_a_true_miss_is_called_red(miss: str, kind: str, n: int) -> None:
    size = size_of("uniform", miss)
    found = [audited("uniform", kind, n, seed, lambda p: MISSES[miss](p, size)) for seed in range(30)]
    assert rate(found, AlarmState.RED) >= 0.8 - slack(0.8, 30)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hits", "shares"])
@pytest.mark.parametrize("stated", STATED)
@pytest.mark.parametrize("n", SIZES)
def test_calibrated_streams_raise_few_alarms_at_every_n(n: int, stated: str, kind: str) -> None:
    found = [audited(stated, kind, n, seed) for seed in range(1_000)]
    assert rate(found, AlarmState.RED) <= 0.05
    assert rate(found, AlarmState.AMBER) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "n"), [("hits", 300), ("shares", 200)])
@pytest.mark.parametrize("stated", STATED)
def test_true_misses_are_called_red_four_times_in_five(stated: str, kind: str, n: int) -> None:
    found = []
    for miss in MISSES:
        size = size_of(stated, miss)
        found += [audited(stated, kind, n, seed, lambda p, m=miss, s=size: MISSES[m](p, s)) for seed in range(250)]  # type: ignore[misc]
    assert rate(found, AlarmState.RED) >= 0.8 - slack(0.8, 1_000)


@pytest.mark.parametrize("kind", ["hits", "shares"])
def test_the_rule_knows_its_own_rates(kind: str) -> None:
    n = 150
    states = [audited("uniform", kind, n, seed, lambda p: MISSES["too sure"](p, 0.17)) for seed in range(40)]
    own = [audited("uniform", kind, n, seed) for seed in range(10)]
    power = np.mean([alarm.power.value for alarm in own if alarm.power])
    assert power == pytest.approx(rate(states, AlarmState.RED), abs=0.06 + slack(0.7, 40))
    assert all(alarm.false_alarms and alarm.false_alarms.value <= 0.05 for alarm in own)


def constant(predicted: float, actual: float, n: int) -> tuple[Floats, Floats]:
    return np.full(n, predicted), np.full(n, actual)


@pytest.mark.parametrize(
    ("pairs", "state"),
    [
        ((np.zeros(0), np.zeros(0)), AlarmState.INSUFFICIENT),
        (constant(0.5, 1.0, 1), AlarmState.INSUFFICIENT),
        (constant(0.9, 0.0, FEWEST_UNITS - 1), AlarmState.INSUFFICIENT),
        (constant(0.9, 0.2, 1_000), AlarmState.RED),
        ((np.full(1_000, 0.9), np.repeat([1.0, 0.0], [200, 800])), AlarmState.RED),
        ((np.full(1_000, 0.9), np.repeat([1.0, 0.0], [900, 100])), AlarmState.GREEN),
        ((np.full(1_000, 0.5), np.tile([0.45, 0.55], 500)), AlarmState.GREEN),
        (constant(0.5, 0.5, 1_000), AlarmState.INSUFFICIENT),
        (constant(1.0, 1.0, 1_000), AlarmState.INSUFFICIENT),
        (constant(0.9, 1.0, 20), AlarmState.INSUFFICIENT),
        (constant(0.9, 1.0, 1_000), AlarmState.AMBER),
        (constant(0.0, 1.0, 1_000), AlarmState.RED),
        ((np.linspace(0, 1, 1_000), np.zeros(1_000)), AlarmState.RED),
        ((np.linspace(0, 1, 1_000), np.full(1_000, 0.5)), AlarmState.RED),
        ((np.linspace(0.41, 0.49, 1_000), np.tile([1.0, 0.0], 500)), AlarmState.AMBER),
        ((np.repeat([0.0, 1.0], 500), np.repeat([0.0, 1.0], 500)), AlarmState.GREEN),
        ((np.linspace(0, 1, 1_000), np.linspace(0, 1, 1_000)), AlarmState.GREEN),
    ],
)
def test_every_degenerate_case_has_an_answer_and_none_is_a_silent_green(
    pairs: tuple[Floats, Floats], state: AlarmState
) -> None:
    found = judge(*pairs, 0.15, 1)
    assert found.state is state, found
    assert found.reason
    assert found.n == len(pairs[0])


def test_all_pairs_of_one_video_say_nothing() -> None:
    found = judge(np.full(500, 0.9), np.full(500, 0.1), 0.15, 1, clusters=np.zeros(500, dtype=np.int64))
    assert found.state is AlarmState.INSUFFICIENT
    assert "1 independent" in found.reason


def test_the_verdict_repeats_and_does_not_depend_on_the_order_of_the_pairs() -> None:
    generator = np.random.default_rng(4)
    predicted = generator.uniform(0, 1, 400).round(2)
    actual = outcome(generator, predicted, "hits")
    order = generator.permutation(400)
    first = judge(predicted, actual, 0.15, 1)
    assert judge(predicted, actual, 0.15, 1) == first
    assert judge(predicted[order], actual[order], 0.15, 1).state is first.state


@pytest.mark.parametrize("before", AlarmState)
@pytest.mark.parametrize("newest", AlarmState)
def test_red_is_told_at_once_and_amber_where_it_persists(before: AlarmState, newest: AlarmState) -> None:
    persists = before in (AlarmState.AMBER, AlarmState.RED)
    assert notifies([before, newest]) == (newest is AlarmState.RED or (newest is AlarmState.AMBER and persists))
    assert notifies([newest]) == (newest is AlarmState.RED)
    assert not notifies([])
