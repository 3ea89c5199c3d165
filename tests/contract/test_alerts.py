"""The alerts: each matter is told once, again after the cooldown, and once it is good; the tests move the clock."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from groundswell.store import alerts
from groundswell.store.alerts import GOOD, Alert
from groundswell.store.database import Database
from tests.contract.clock import AT, Clock

COOLDOWN = timedelta(hours=24)
RUN = str(uuid.UUID(int=1))


def note(database: Database, state: str, topic: str = "alarm:scores") -> bool:
    return alerts.note(database, Alert(topic, state, f"It is {state}", "ECE 0.2, n 900", RUN), COOLDOWN)


def test_a_matter_is_told_once_and_again_after_the_cooldown(database: Database, clock: Clock) -> None:
    assert note(database, "red")
    clock.move(hours=1)
    assert not note(database, "red")
    clock.move(hours=22.9)
    assert not note(database, "red")
    clock.move(hours=0.1)
    assert note(database, "red")
    clock.move(hours=23)
    assert not note(database, "red")
    (found,) = alerts.standing(database)
    since_then = AT + timedelta(hours=24)
    assert found == alerts.Matter("alarm:scores", "red", "It is red", "ECE 0.2, n 900", RUN, AT, since_then)


def test_that_it_is_good_again_is_told_once_and_a_relapse_too(database: Database, clock: Clock) -> None:
    assert note(database, "red")
    clock.move(hours=1)
    assert note(database, GOOD)
    assert alerts.standing(database) == []
    assert not note(database, GOOD)
    clock.move(hours=1)
    assert note(database, "red")


def test_what_was_never_wrong_is_not_told_to_be_good(database: Database, clock: Clock) -> None:
    assert not note(database, GOOD)
    assert alerts.standing(database) == []


def test_a_change_is_told_within_the_cooldown(database: Database, clock: Clock) -> None:
    assert note(database, "amber")
    assert note(database, "red")
    assert not note(database, "red")
    assert note(database, "amber")


def test_what_nobody_heard_of_is_told_again_and_its_end_is_not(database: Database, clock: Clock) -> None:
    assert note(database, "red")
    alerts.undelivered(database, "alarm:scores")
    assert note(database, "red")
    alerts.undelivered(database, "alarm:scores")
    assert not note(database, GOOD)
    assert alerts.standing(database) == []


def test_matters_are_apart(database: Database, clock: Clock) -> None:
    assert note(database, "failed", "run:retrain:observed")
    assert note(database, "failed", "run:retrain:publish")
    assert [one.topic for one in alerts.standing(database)] == ["run:retrain:observed", "run:retrain:publish"]


def test_a_clock_set_back_silences_nobody_for_long(database: Database, clock: Clock) -> None:
    clock.move(hours=1_000)
    assert note(database, "red")
    clock.move(hours=-1_000)
    assert note(database, "red")


def test_of_many_replicas_one_tells(database: Database) -> None:
    with ThreadPoolExecutor(8) as replicas:
        for state in ("red", GOOD, "amber"):
            told = list(replicas.map(note, [database] * 8, [state] * 8))
            assert told.count(True) == 1
