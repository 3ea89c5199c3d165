"""The workers: a promotion is complete when all who are alive serve it, on both databases; the tests move the clock."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa

from groundswell.store import registry, tables, workers
from groundswell.store.database import Database
from tests.contract.clock import AT, Clock

ONE, TWO, THREE = (str(uuid.UUID(int=number)) for number in (1, 2, 3))


def beat(database: Database, worker: str, serving: Mapping[str, int]) -> tuple[str, ...]:
    return workers.beat(database, worker, "host", int(worker[-1]), serving)


def promoted(database: Database, window: str = "observed") -> int:
    """Promote a version and return its number."""
    before = registry.champion(database, window)
    return registry.promote(
        database,
        window=window,
        artifact="a",
        training_rows="b",
        source="scraped_videos",
        lineage={},
        evaluation={},
        decision={},
        expected=before.version if before else None,
        at=AT,
    ).version


def rollout(database: Database) -> workers.Rollout:
    (found,) = workers.rollouts(database)
    return found


def waited_for(database: Database) -> list[str]:
    return [one.id for one in rollout(database).waiting_for]


def test_a_worker_is_listed_from_its_first_beat_until_it_leaves(database: Database, clock: Clock) -> None:
    assert workers.alive(database) == []
    beat(database, ONE, {"observed": 3})
    clock.move(9)
    beat(database, ONE, {"observed": 4})
    later = AT + timedelta(seconds=9)
    assert workers.alive(database) == [workers.Worker(ONE, "host", 1, AT, later, {"observed": 4})]
    workers.leave(database, ONE)
    assert workers.alive(database) == []


def test_a_promotion_is_complete_when_the_last_worker_reports_it(database: Database, clock: Clock) -> None:
    first = promoted(database)
    assert beat(database, ONE, {"observed": first}) == ("observed",)
    beat(database, TWO, {"observed": first})
    second = promoted(database)
    assert rollout(database).completed_at is None
    assert waited_for(database) == [ONE, TWO]
    assert beat(database, ONE, {"observed": second}) == ()
    assert waited_for(database) == [TWO]
    clock.move(1)
    assert beat(database, TWO, {"observed": second}) == ("observed",)
    found = rollout(database)
    assert (found.version, found.completed_at, found.waiting_for) == (second, AT + timedelta(seconds=1), ())
    clock.move(1)
    assert beat(database, ONE, {"observed": second}) == ()
    assert rollout(database).completed_at == AT + timedelta(seconds=1)


def test_a_rollback_is_a_promotion_of_its_own(database: Database, clock: Clock) -> None:
    first, second = promoted(database), promoted(database)
    assert beat(database, ONE, {"observed": second}) == ("observed",)
    registry.rollback(database, "observed", AT)
    assert waited_for(database) == [ONE]
    assert beat(database, ONE, {"observed": first}) == ("observed",)


def test_windows_are_complete_one_by_one(database: Database, clock: Clock) -> None:
    observed, publish = promoted(database), promoted(database, "publish")
    assert beat(database, ONE, {"observed": observed}) == ("observed",)
    assert {one.window: one.completed_at for one in workers.rollouts(database)} == {"observed": AT, "publish": None}
    assert beat(database, ONE, {"observed": observed, "publish": publish}) == ("publish",)


def test_nobody_waits_for_a_dead_worker(database: Database, clock: Clock) -> None:
    version = promoted(database)
    beat(database, TWO, {})
    clock.move(15)
    assert beat(database, ONE, {"observed": version}) == ()
    clock.move(0.1)
    assert waited_for(database) == []
    assert beat(database, ONE, {"observed": version}) == ("observed",)
    with database.read() as connection:
        assert [str(row.id) for row in connection.execute(sa.select(tables.workers))] == [ONE]


def test_a_worker_that_was_taken_for_dead_is_listed_again(database: Database, clock: Clock) -> None:
    beat(database, TWO, {})
    clock.move(60)
    beat(database, ONE, {})
    assert [one.id for one in workers.alive(database)] == [ONE]
    beat(database, TWO, {})
    assert [one.id for one in workers.alive(database)] == [ONE, TWO]


def test_a_clock_set_back_leaves_no_ghost(database: Database, clock: Clock) -> None:
    clock.move(3_600)
    beat(database, TWO, {})
    clock.move(-3_600)
    beat(database, ONE, {})
    assert [one.id for one in workers.alive(database)] == [ONE]


def test_without_a_worker_a_promotion_waits_for_the_first(database: Database, clock: Clock) -> None:
    version = promoted(database)
    assert (rollout(database).completed_at, waited_for(database)) == (None, [])
    assert beat(database, THREE, {"observed": version}) == ("observed",)
