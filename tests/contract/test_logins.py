"""Failed logins and ended sessions, on both databases; the tests move the clock."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from groundswell.errors import DatabaseError
from groundswell.store import logins, tables
from groundswell.store.database import Database
from groundswell.store.logins import MOST_FAILURES, WITHIN
from tests.contract.clock import AT, Clock

SECONDS = WITHIN.total_seconds()
HERE, THERE = "192.0.2.7", "2001:db8::/64"
DAY = timedelta(days=1)


def rows(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_the_eleventh_attempt_waits_until_the_first_is_five_minutes_old(database: Database, clock: Clock) -> None:
    for _ in range(MOST_FAILURES):
        assert logins.begin(database, HERE) == 0
        clock.move(1)
    assert logins.begin(database, HERE) == SECONDS - MOST_FAILURES
    assert logins.begin(database, HERE) == SECONDS - MOST_FAILURES, "what was refused is not counted"
    assert logins.begin(database, THERE) == 0
    clock.move(SECONDS - MOST_FAILURES - 0.5)
    assert logins.begin(database, HERE) == 0.5
    clock.move(0.5)
    assert logins.begin(database, HERE) == 0
    assert logins.begin(database, HERE) == 1


def test_a_right_key_takes_back_its_own_attempt_alone(database: Database, clock: Clock) -> None:
    for address in (HERE, THERE):
        for _ in range(MOST_FAILURES):
            logins.begin(database, address)
            clock.move(1)
    logins.take_back(database, HERE)
    assert logins.begin(database, HERE) == 0
    assert logins.begin(database, HERE) == SECONDS - 2 * MOST_FAILURES, "the first attempt still counts"
    assert logins.begin(database, THERE) == SECONDS - MOST_FAILURES
    logins.take_back(database, "198.51.100.1")


def test_any_order_of_attempts_is_counted_as_a_list_of_times_would(database: Database, clock: Clock) -> None:
    chance = random.Random(7)
    times: dict[str, list[datetime]] = {HERE: [], THERE: []}
    for _ in range(150):
        clock.move(chance.choice((0, 1, 17.25, 80)))
        address = chance.choice((HERE, HERE, HERE, THERE))
        if chance.random() < 0.2:
            logins.take_back(database, address)
            del times[address][-1:]
        times[address] = [at for at in times[address] if clock.now - at < WITHIN]
        full = len(times[address]) >= MOST_FAILURES
        expected = SECONDS - (clock.now - times[address][0]).total_seconds() if full else 0
        assert logins.begin(database, address) == pytest.approx(expected)
        times[address] += [] if full else [clock.now]


def test_of_guesses_at_the_same_moment_ten_are_made(database: Database) -> None:
    others = [Database(database.url.render_as_string(hide_password=False)) for _ in range(4)]
    try:
        with ThreadPoolExecutor(4) as pool:
            waits = list(pool.map(lambda number: logins.begin(others[number % 4], HERE), range(24)))
    finally:
        for other in others:
            other.dispose()
    assert waits.count(0) == MOST_FAILURES
    assert all(0 < wait <= SECONDS for wait in waits if wait)


def test_old_attempts_of_anybody_go_with_the_next_one(database: Database, clock: Clock) -> None:
    for number in range(50):
        logins.begin(database, f"10.0.0.{number}")
    assert rows(database, tables.login_attempts) == 50
    clock.move(SECONDS)
    logins.begin(database, HERE)
    assert rows(database, tables.login_attempts) == 1


def test_a_clock_set_back_locks_nobody_out(database: Database, clock: Clock) -> None:
    clock.move(hours=1)
    for _ in range(MOST_FAILURES):
        logins.begin(database, HERE)
    clock.move(hours=-1)
    assert logins.begin(database, HERE) == 0
    assert rows(database, tables.login_attempts) == 1


def test_a_login_waits_for_a_writer_no_longer_than_it_may(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "_PATIENCE_SECONDS", 0.02)
    with database.begin() as connection:
        if database.is_postgres:
            connection.exec_driver_sql("select pg_advisory_xact_lock(hashtext('groundswell logins'))")
        with pytest.raises(DatabaseError):
            logins.begin(database, HERE)
    assert logins.begin(database, HERE) == 0


def test_an_ended_session_has_ended_and_no_other(database: Database, clock: Clock) -> None:
    assert not logins.has_ended(database, "one")
    logins.end_session(database, "one", DAY)
    logins.end_session(database, "one", DAY)
    assert logins.has_ended(database, "one")
    assert not logins.has_ended(database, "two")
    with database.read() as connection:
        (row,) = connection.execute(sa.select(tables.ended_sessions)).all()
    known = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"  # printf one | sha256sum
    assert row == (known, AT), "no id is kept"


def test_ended_sessions_are_forgotten_when_their_cookies_are_too_old(database: Database, clock: Clock) -> None:
    logins.end_session(database, "one", DAY)
    clock.move(hours=24)
    logins.end_session(database, "two", DAY)
    assert logins.has_ended(database, "one")
    clock.move(1)
    logins.end_session(database, "three", DAY)
    assert [logins.has_ended(database, one) for one in ("one", "two", "three")] == [False, True, True]
    assert rows(database, tables.ended_sessions) == 2
