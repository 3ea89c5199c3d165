"""The logbook: what is answered is stored, at once or once the database is back, and what is lost is counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from groundswell.errors import DatabaseError
from groundswell.predictor.logbook import PATIENCE_SECONDS, Logbook, Rows


class Shelf:
    """A database that can be away, slow, or refuse a row."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self.transactions = 0
        self.is_away = threading.Event()
        self.refused: Mapping[str, Any] | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self.tried = threading.Semaphore(0)

    def write(self, rows: Rows) -> None:
        self.tried.release()
        self.go_on.wait()
        if self.is_away.is_set():
            raise DatabaseError("The database is away.")
        if self.refused in rows:
            raise DatabaseError("A value does not fit its column.")
        self.rows += rows
        self.transactions += 1

    def are_to_blame(self, error: Exception) -> bool:
        return not isinstance(error, DatabaseError) or "column" in str(error)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def logbook(shelf: Shelf) -> Iterator[Logbook]:
    made = Logbook(shelf.write, shelf.are_to_blame, most_waiting=10, retry_seconds=0.01)
    yield made
    shelf.go_on.set()
    made.close()


def rows(*numbers: int) -> list[dict[str, int]]:
    return [{"id": number} for number in numbers]


def stored(shelf: Shelf) -> list[int]:
    return [row["id"] for row in shelf.rows]


def test_what_is_added_is_stored_when_the_call_returns(shelf: Shelf, logbook: Logbook) -> None:
    for number in range(5):
        logbook.add(rows(number))
        assert stored(shelf)[-1] == number
    assert logbook.status().stored == 5
    assert (logbook.status().waiting, logbook.status().lost, logbook.status().error) == (0, 0, None)


def test_nothing_to_add_needs_no_thread(logbook: Logbook) -> None:
    before = threading.active_count()
    logbook.add([])
    assert threading.active_count() == before


def test_what_gathers_is_stored_in_one_transaction(shelf: Shelf, logbook: Logbook) -> None:
    shelf.go_on.clear()
    callers = [threading.Thread(target=logbook.add, args=(rows(number),)) for number in range(6)]
    callers[0].start()
    shelf.tried.acquire()  # the writer holds the first row
    for caller in callers[1:]:
        caller.start()
    while logbook.status().waiting < 6:
        pass
    shelf.go_on.set()
    for caller in callers:
        caller.join()
    assert sorted(stored(shelf)) == list(range(6))
    assert shelf.transactions == 2


def test_a_slow_database_holds_up_a_caller_once(shelf: Shelf, logbook: Logbook) -> None:
    shelf.go_on.clear()
    logbook.add(rows(1))  # returns after PATIENCE_SECONDS, though nothing is stored
    assert logbook.status().waiting == 1
    done = threading.Thread(target=logbook.add, args=(rows(2),))
    done.start()
    done.join(PATIENCE_SECONDS / 2)
    assert not done.is_alive()
    shelf.go_on.set()
    logbook.close()
    assert stored(shelf) == [1, 2]


def test_an_outage_loses_nothing_that_finds_room(shelf: Shelf, logbook: Logbook) -> None:
    shelf.is_away.set()
    for number in range(4):
        logbook.add(rows(number))
    assert logbook.status().waiting == 4
    assert logbook.status().error == "The database is away."
    shelf.is_away.clear()
    logbook.close()
    assert stored(shelf) == [0, 1, 2, 3]
    assert logbook.status().lost == 0


def test_the_oldest_make_room_and_are_counted(shelf: Shelf, logbook: Logbook, caplog: pytest.LogCaptureFixture) -> None:
    shelf.is_away.set()
    logbook.add(rows(0))
    for _ in range(2):  # the writer has tried, and given up for now
        shelf.tried.acquire()
    for number in range(1, 14):
        logbook.add(rows(number))
    status = logbook.status()
    assert status.waiting <= 10
    assert status.waiting + status.lost == 14
    shelf.is_away.clear()
    logbook.close()
    kept = stored(shelf)
    assert kept == sorted(kept)
    assert kept[-1] == 13
    assert len(kept) + logbook.status().lost == 14


def test_a_row_that_cannot_be_stored_holds_up_no_other(shelf: Shelf, logbook: Logbook) -> None:
    shelf.refused = {"id": 2}
    shelf.go_on.clear()
    callers = [threading.Thread(target=logbook.add, args=(rows(number),)) for number in range(5)]
    for caller in callers:
        caller.start()
    while logbook.status().waiting < 5:
        pass
    shelf.go_on.set()
    for caller in callers:
        caller.join()
    logbook.close()
    assert sorted(stored(shelf)) == [0, 1, 3, 4]
    assert logbook.status().lost == 1
    assert logbook.status().waiting == 0


def test_the_end_says_what_could_not_be_stored(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    made = Logbook(shelf.write, shelf.are_to_blame, retry_seconds=0.01)
    shelf.is_away.set()
    made.add(rows(1, 2, 3))
    made.close()
    assert made.status().waiting == 3


def test_a_fault_of_ours_does_not_end_the_writer(shelf: Shelf) -> None:
    def write(given: Rows) -> None:
        if given == rows(1):
            raise TypeError("not a row")
        shelf.write(given)

    made = Logbook(write, shelf.are_to_blame, retry_seconds=0.01)
    made.add(rows(1))
    made.add(rows(2))
    made.close()
    assert stored(shelf) == [2]
    assert made.status().lost == 1


def test_a_disk_that_is_full_is_nobodys_fault(shelf: Shelf) -> None:
    full = threading.Event()
    full.set()

    def write(given: Rows) -> None:
        if full.is_set():
            raise DatabaseError("database or disk is full")
        shelf.write(given)

    made = Logbook(write, shelf.are_to_blame, retry_seconds=0.01)
    for number in range(5):
        made.add(rows(number))
    assert made.status().lost == 0
    full.clear()
    made.close()
    assert stored(shelf) == [0, 1, 2, 3, 4]


def test_where_nothing_waits_the_caller_stores_its_rows_itself(shelf: Shelf) -> None:
    by_caller: list[str] = []

    def at_once(given: Rows) -> None:
        by_caller.append(threading.current_thread().name)
        shelf.write(given)

    made = Logbook(shelf.write, shelf.are_to_blame, at_once, retry_seconds=0.01)
    made.add(rows(1))
    assert by_caller == [threading.current_thread().name]
    shelf.is_away.set()
    made.add(rows(2))  # it cannot; the writer takes over
    made.add(rows(3))
    assert len(by_caller) == 2, "while rows wait nobody goes before them"
    shelf.is_away.clear()
    made.close()
    assert stored(shelf) == [1, 2, 3]
    assert made.status().stored == 3


def test_it_is_not_idle_while_the_writer_stores(shelf: Shelf, logbook: Logbook) -> None:
    assert logbook.is_idle
    shelf.go_on.clear()
    caller = threading.Thread(target=logbook.add, args=(rows(1),))
    caller.start()
    shelf.tried.acquire()  # the writer holds the row
    assert not logbook.is_idle
    shelf.go_on.set()
    caller.join()
    logbook.close()
    assert logbook.is_idle


def test_it_is_not_idle_while_a_caller_stores_by_itself(shelf: Shelf) -> None:
    seen: list[bool] = []

    def at_once(given: Rows) -> None:
        seen.append(made.is_idle)
        shelf.write(given)

    made = Logbook(shelf.write, shelf.are_to_blame, at_once)
    made.add(rows(1))
    assert (seen, made.is_idle) == ([False], True)


def test_it_is_not_idle_while_anything_waits(shelf: Shelf, logbook: Logbook) -> None:
    shelf.is_away.set()
    logbook.add(rows(1))
    assert not logbook.is_idle
    shelf.is_away.clear()
    logbook.close()
    assert logbook.is_idle
