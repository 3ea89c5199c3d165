"""What an audit recommends: the cheapest action that answers what was seen, and why."""

from __future__ import annotations

import itertools

import pytest

from groundswell.calibration.alarm import AlarmState
from groundswell.stages.recommend import Action, Recommendation, Signs, costliest, recommend

GREEN, AMBER, RED, INSUFFICIENT = (
    AlarmState.GREEN,
    AlarmState.AMBER,
    AlarmState.RED,
    AlarmState.INSUFFICIENT,
)
NONE, RECALIBRATE, RETRAIN = Action.NONE, Action.RECALIBRATE, Action.RETRAIN


@pytest.mark.parametrize(
    ("signs", "action", "why"),
    [
        (Signs(GREEN), NONE, "within what chance allows"),
        (Signs(AMBER), RECALIBRATE, "The alarm is amber"),
        (Signs(RED), RECALIBRATE, "The alarm is red"),
        (Signs(INSUFFICIENT), NONE, "Too few predictions have matured"),
        (Signs(GREEN, worse=True), RETRAIN, "clearly worse than when it was promoted"),
        (Signs(RED, worse=True), RETRAIN, "clearly worse"),
        (Signs(GREEN, moved_cut_points=("p80",)), RETRAIN, "What a tier means has moved (p80)"),
        (Signs(RED, moved_cut_points=("p20", "p80")), RETRAIN, "(p20, p80)"),
        (Signs(GREEN, drifted=("hour",)), NONE, "has drifted (hour), yet its chances came true"),
        (Signs(RED, drifted=("hour",)), RECALIBRATE, "The alarm is red"),
        (Signs(INSUFFICIENT, drifted=("a", "b", "c", "d")), RETRAIN, "drifted: a, b, c and 1 more"),
        (Signs(RED, scraper=("rounded counts",), worse=True), NONE, "The scraper changed (rounded counts)"),
    ],
)
def test_an_action_answers_what_was_seen(signs: Signs, action: Action, why: str) -> None:
    found = recommend(signs)
    assert found.action is action
    assert why in found.why


EVERY = [
    Signs(alarm, scraper, worse, drifted, moved)
    for alarm, scraper, worse, drifted, moved in itertools.product(
        AlarmState, ((), ("falling counters",)), (False, True), ((), ("hour",)), ((), ("p80",))
    )
]


@pytest.mark.parametrize("signs", EVERY, ids=lambda signs: str(EVERY.index(signs)))
def test_whatever_was_seen_gets_one_answer(signs: Signs) -> None:
    found = recommend(signs)
    assert found.why.endswith(".")
    if signs.scraper:
        assert found.action is NONE
    elif signs.worse or signs.moved_cut_points:
        assert found.action is RETRAIN
    elif signs.alarm in {RED, AMBER}:
        assert found.action is RECALIBRATE


def test_actions_are_in_the_order_of_what_they_cost() -> None:
    assert list(Action) == [NONE, RECALIBRATE, RETRAIN]
    found = [Recommendation(action, str(number)) for number, action in enumerate((NONE, RETRAIN, RECALIBRATE, RETRAIN))]
    assert costliest(found).why == "1"
