"""Which features matter: by how much the forecast worsens when one is shuffled among the videos."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from groundswell.calibration.scores import Floats, Tiers, ranked_probability_score

#: Rows it is measured on at most, and how many features are told of.
ROWS, TOLD = 500, 15


@dataclasses.dataclass(frozen=True, slots=True)
class Importance:
    """A feature and the increase of RPS when its values are shuffled; near 0, or below, it does not matter."""

    name: str
    rps_increase: float


def find_importance(
    forecast: Callable[[Floats], Floats], features: Floats, tiers: Tiers, names: Sequence[str], seed: int
) -> tuple[Importance, ...]:
    """Return the features that matter most on (up to ROWS of) the given rows, the most important first.

    Source: Breiman, "Random forests", Machine Learning 45 (2001). Features that tell of the same thing share their
    importance: each alone can be done without.
    """
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(len(features))[:ROWS]
    rows, judged = features[chosen], tiers[chosen]
    known = [column for column in range(rows.shape[1]) if len(np.unique(rows[:, column])) > 1]
    # All shuffled copies in one call: boosters are quicker over one large table than over fifty small ones.
    copies = np.tile(rows, (len(known) + 1, 1))
    for number, column in enumerate(known):
        block = slice(number * len(rows), (number + 1) * len(rows))
        copies[block, column] = generator.permutation(rows[:, column])
    losses = ranked_probability_score(forecast(copies), np.tile(judged, len(known) + 1))
    *shuffled, plain = losses.reshape(len(known) + 1, len(rows)).mean(axis=1).tolist()
    found = [Importance(names[column], loss - plain) for column, loss in zip(known, shuffled, strict=True)]
    return tuple(sorted(found, key=lambda importance: -importance.rps_increase)[:TOLD])
