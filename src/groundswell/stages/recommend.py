"""What an audit recommends for a line: nothing, new calibrators, or a retrain; and why."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from groundswell.calibration.alarm import AlarmState

#: So many drifted features are named in a sentence.
_NAMED = 3


class Action(enum.StrEnum):
    """What to do, in the order of what it costs."""

    NONE = "none"
    RECALIBRATE = "recalibrate"
    RETRAIN = "retrain"


@dataclasses.dataclass(frozen=True, slots=True)
class Recommendation:
    """An action, and why in one sentence."""

    action: Action
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Signs:
    """What an audit saw of a line.

    `alarm` is that of the champion's own predictions; where too few of them have matured, `of_others` is that of the
    versions before it.
    `scraper` names the scrape checks that failed; `worse` says that the matured forecasts rank tiers clearly worse than
    the version did when it was promoted; `drifted` and `moved_cut_points` name what has moved away from its training.
    """

    alarm: AlarmState
    scraper: Sequence[str] = ()
    worse: bool = False
    drifted: Sequence[str] = ()
    moved_cut_points: Sequence[str] = ()
    of_others: AlarmState | None = None


def recommend(signs: Signs) -> Recommendation:
    """Return the cheapest action that answers what was seen.

    >>> recommend(Signs(AlarmState.GREEN)).action.value, recommend(Signs(AlarmState.RED)).action.value
    ('none', 'recalibrate')
    >>> recommend(Signs(AlarmState.RED, worse=True)).action.value
    'retrain'
    """
    told = [
        (
            bool(signs.scraper),
            Action.NONE,
            f"The scraper changed ({', '.join(signs.scraper)}): mend that first, the rest may be its doing.",
        ),
        (signs.worse, Action.RETRAIN, "It tells tiers apart clearly worse than when it was promoted."),
        (
            bool(signs.moved_cut_points),
            Action.RETRAIN,
            f"What a tier means has moved ({', '.join(signs.moved_cut_points)}): only a retrain finds new cut-points.",
        ),
        (
            signs.alarm in {AlarmState.RED, AlarmState.AMBER},
            Action.RECALIBRATE,
            f"The alarm is {signs.alarm.value}, but tiers are told apart as well as promised.",
        ),
        (
            signs.of_others in {AlarmState.RED, AlarmState.AMBER},
            Action.NONE,
            f"The alarm is {signs.of_others} over what former versions said; of the champion's too little has matured.",
        ),
        # Where what matured came true, drift alone is no reason: the world moves, and the model holds.
        (
            bool(signs.drifted) and signs.alarm is AlarmState.INSUFFICIENT,
            Action.RETRAIN,
            f"Nobody can tell yet whether it still holds, and what is predicted has drifted: {_named(signs.drifted)}.",
        ),
        (
            bool(signs.drifted),
            Action.NONE,
            f"What is predicted has drifted ({_named(signs.drifted)}), yet its chances came true.",
        ),
        (
            signs.alarm is AlarmState.INSUFFICIENT,
            Action.NONE,
            "Too few predictions have matured to tell; nothing else speaks against it.",
        ),
        (True, Action.NONE, "Its chances came true within what chance allows, and nothing has drifted."),
    ]
    return next(Recommendation(action, why) for seen, action, why in told if seen)


def _named(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are.

    >>> _named(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def costliest(found: Sequence[Recommendation]) -> Recommendation:
    """Return the recommendation of the costliest action; of equals the first.

    >>> costliest([Recommendation(Action.NONE, "a"), Recommendation(Action.RETRAIN, "b")]).why
    'b'
    """
    order = list(Action)
    return max(found, key=lambda one: order.index(one.action))
