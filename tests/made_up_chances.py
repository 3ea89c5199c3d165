"""Made-up chances as they are stated, how they may be off, and what comes of them: for the laws and the benchmark."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit, logit

from groundswell.calibration.scores import Floats

#: Chances as they are stated, one distribution a name.
STATED: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "uniform": lambda generator, n: generator.uniform(0, 1, n),
    "middling": lambda generator, n: generator.beta(2, 2, n),
    "sure": lambda generator, n: generator.beta(0.5, 0.5, n),
    "five values": lambda generator, n: generator.choice([0.125, 0.35, 0.55, 0.725, 0.9], n),
}
#: The true chance of a stated one, with a true ECE of 0.17 for the size given to each distribution.
MISSES: dict[str, Callable[[Floats, float], Floats]] = {
    "too sure": lambda p, size: p + size * np.where(p < 0.5, 1, -1),
    "too low": lambda p, size: np.minimum(p + size, 1),
    "too high": lambda p, size: np.maximum(p - size, 0),
    "too steep": lambda p, size: expit((1 - size) * logit(np.clip(p, 1e-6, 1 - 1e-6))),
}
SIZES = [20, 30, 50, 100, 200, 300, 500, 1_000, 2_000, 5_000, 10_000]


def outcome(generator: np.random.Generator, chance: Floats, kind: str) -> Floats:
    """Return what came of the chances: `hits` are 0 or 1, `shares` lie between."""
    if kind == "hits":
        return (generator.random(len(chance)) < chance).astype(float)
    chance = np.clip(chance, 1e-6, 1 - 1e-6)
    return generator.beta(10 * chance, 10 * (1 - chance))


def size_of(stated: str, miss: str) -> float:
    """Return the size at which a miss has a true ECE of 0.17 over the bins."""
    predicted = STATED[stated](np.random.default_rng(0), 50_000)
    member = np.minimum((predicted * 10).astype(int), 9)
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        gaps = np.abs(np.bincount(member, weights=MISSES[miss](predicted, middle) - predicted, minlength=10))
        low, high = (middle, high) if gaps.sum() / 50_000 < 0.17 else (low, middle)
    return low
