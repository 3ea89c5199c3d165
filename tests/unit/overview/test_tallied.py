"""Counts that take long: never waited for longer than said, made again when old, and not lost by a failure."""

from __future__ import annotations

import threading

import pytest

from groundswell.errors import DatabaseError
from groundswell.overview.tallied import Tallies, Tally


def test_a_quick_count_is_there_at_once_and_kept() -> None:
    asked: list[int] = []
    tallies = Tallies(fresh_seconds=60)

    def count() -> int:
        asked.append(1)
        return 7

    first = tallies.of({"rows": count}, patience=5)["rows"]
    again = tallies.of({"rows": count}, patience=5)["rows"]
    assert (first.value, again.value, len(asked)) == (7, 7, 1)
    assert first.seconds_ago is not None
    assert first.error is None


def test_a_slow_count_is_not_waited_for_and_comes_later() -> None:
    go, tallies = threading.Event(), Tallies()

    def count() -> str:
        assert go.wait(5)
        return "counted"

    assert tallies.of({"rows": count}, patience=0.01) == {"rows": Tally(None)}
    go.set()
    assert tallies.of({"rows": count}, patience=5)["rows"].value == "counted"


def test_an_old_count_is_shown_while_it_is_made_anew() -> None:
    go, tallies = threading.Event(), Tallies(fresh_seconds=0)
    numbers = iter(range(10))

    def count() -> int:
        number = next(numbers)
        assert number == 0 or go.wait(5)
        return number

    assert tallies.of({"rows": count}, patience=5)["rows"].value == 0
    assert tallies.of({"rows": count}, patience=5)["rows"].value == 0
    go.set()
    for _ in range(500):
        if tallies.of({"rows": count}, patience=5)["rows"].value:
            return
        threading.Event().wait(0.01)
    pytest.fail("it was never counted again")


def test_a_failure_is_said_and_does_not_stop_the_other_counts() -> None:
    tallies = Tallies()

    def away() -> int:
        raise DatabaseError("The database is away.")

    def broken() -> int:
        raise ValueError("a secret detail")

    found = tallies.of({"away": away, "broken": broken, "well": lambda: 3}, patience=5)
    assert found["away"] == Tally(None, error="The database is away.")
    assert found["broken"] == Tally(None, error="The server's log says why.")
    assert found["well"].value == 3
