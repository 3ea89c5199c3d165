"""How often the alarm says red of calibrated streams, and of a true ECE of 0.17; and what its test alone rejects."""

from __future__ import annotations

import numpy as np
from tests.made_up_chances import MISSES, SIZES, STATED, outcome, size_of

from bench.measure import Row, seconds
from groundswell.calibration.alarm import DRAWS, LEVEL, judge
from groundswell.calibration.reliability import expected_calibration_error
from groundswell.calibration.resampling import resampling_test
from groundswell.calibration.scores import Floats

THRESHOLD = 0.15
STREAMS, MISSED_STREAMS, TESTED_STREAMS = 1_000, 200, 200
KINDS = {"hits": 300, "shares": 200}


def false_alarms() -> list[Row]:
    """The share of 1,000 calibrated streams called red at every n, the worst of four distributions of predictions."""
    rows = []
    for kind in KINDS:
        worst = {n: max(_red(kind, stated, n) for stated in STATED) for n in SIZES}
        told = ", ".join(f"{n:,}: {100 * share:.1f}" for n, share in worst.items())
        reached = f"worst {max(worst.values()):.1%} (% by n: {told})"
        rows.append(Row(f"red of calibrated {kind}, n 20 to 10,000", "≤ 5 % at every n", reached, _at_most(worst)))
    tested = {n: max(_rejected(kind, n) for kind in KINDS) for n in (20, 100, 1_000, 10_000)}
    told = ", ".join(f"{n:,}: {share:.1%}" for n, share in tested.items())
    rows.append(Row(f"… rejected by the test alone, {TESTED_STREAMS} streams a kind", "about 2.5 %", told, True))
    return rows


def power() -> list[Row]:
    """The share of streams with a true ECE of 0.17 called red, by how the chances are off."""
    rows = []
    for kind, n in KINDS.items():
        found = {
            (stated, miss): _red(kind, stated, n, miss, size_of(stated, miss), MISSED_STREAMS)
            for stated in STATED
            for miss in MISSES
        }
        mean, least = float(np.mean(list(found.values()))), min(found, key=lambda cell: found[cell])
        many = MISSED_STREAMS * len(found)
        reached = f"{mean:.1%} of all {many:,}; least {found[least]:.1%} ({least[0]}, {least[1]}, n {MISSED_STREAMS})"
        rows.append(
            Row(f"red at a true ECE of 0.17, {kind}, n {n}", "≥ 80 % in each of 16 cells", reached, found[least] >= 0.8)
        )
    generator = np.random.default_rng(0)
    predicted = generator.random(1_000_000)
    actual = (generator.random(1_000_000) < predicted).astype(float)
    taken = seconds(lambda: judge(predicted, actual, THRESHOLD, 0))
    rows.append(Row("… the alarm over 1,000,000 pairs", "for scale", f"{taken:.2f} s", True))
    return rows


def _red(kind: str, stated: str, n: int, miss: str | None = None, size: float = 0.0, streams: int = STREAMS) -> float:
    return float(np.mean([_is_red(*_stream(kind, stated, n, seed, miss, size), seed) for seed in range(streams)]))


def _is_red(predicted: Floats, actual: Floats, seed: int) -> bool:
    # The rule itself, without what it tells of its own rates, which costs ten times as much.
    if expected_calibration_error(predicted, actual) <= THRESHOLD:
        return False
    return resampling_test(predicted, actual, DRAWS, seed).p_value <= LEVEL


def _rejected(kind: str, n: int) -> float:
    names = list(STATED)
    streams = [_stream(kind, names[seed % len(names)], n, seed, None, 0.0) for seed in range(TESTED_STREAMS)]
    return float(np.mean([resampling_test(*pairs, DRAWS, 1).p_value <= LEVEL for pairs in streams]))


def _stream(kind: str, stated: str, n: int, seed: int, miss: str | None, size: float) -> tuple[Floats, Floats]:
    generator = np.random.default_rng([seed, n])
    predicted = STATED[stated](generator, n).round(4)
    return predicted, outcome(generator, MISSES[miss](predicted, size) if miss else predicted, kind)


def _at_most(found: dict[int, float]) -> bool:
    return max(found.values()) <= 0.05
