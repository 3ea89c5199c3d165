"""A harvest is killed without warning: no outcome is written twice, the ledger holds, and the next one completes."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from groundswell.store import ledger
from tests.acceptance.life import lived_at
from tests.acceptance.process import Place, expire_lease

#: A harvest of these predictions takes about so long from its first word to its last, starting up included.
LONGEST_SECONDS = 1.0
GROUPS = (1, 2, 3)
KILLS = 5


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place whose predictions have matured and were not harvested yet."""
    return lived_at(tmp_path_factory.mktemp("lived"))


@pytest.fixture(scope="session")
def expected(lived: Place, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many outcomes an undisturbed harvest writes."""
    return int(lived.copy(tmp_path_factory.mktemp("undisturbed")).json("harvest")["harvested"])


def kill_a_harvest(place: Place, wait: float | None) -> bool:
    """Start a harvest and kill it after so many seconds, or as soon as it has begun to write (None).

    Returns whether it was still alive.
    """
    process = place.start("harvest", "--json")
    if wait is None:
        # The lease is the first thing that a run writes; what follows is over in a tenth of a second.
        end = time.monotonic() + 60
        while not place.sql("select 1 from leases where name = 'harvest'") and process.poll() is None:
            assert time.monotonic() < end
    else:
        end = time.monotonic() + wait
        while time.monotonic() < end and process.poll() is None:
            place.sql("select 1")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    return process.returncode == -signal.SIGKILL


def written(place: Place) -> int:
    """Return how many outcomes are stored, each of another prediction; the ledger must verify."""
    rows = place.sql("select prediction_id from prediction_outcomes")
    assert len(rows) == len(set(rows))
    with place.opened() as database, database.read() as connection:
        assert ledger.verify(connection).status == "verified"
    return len(rows)


@pytest.mark.parametrize("group", [GROUPS[0], *(pytest.param(group, marks=pytest.mark.slow) for group in GROUPS[1:])])
def test_a_killed_harvest_writes_nothing_twice_and_the_next_completes(
    group: int, lived: Place, expected: int, tmp_path: Path
) -> None:
    place = lived.copy(tmp_path)
    chance = random.Random(group)
    killed, before = 0, 0
    for number in range(KILLS):
        killed += kill_a_harvest(place, None if number % 2 else chance.uniform(0.2, LONGEST_SECONDS))
        after = written(place)
        assert before <= after <= expected
        before = after
        expire_lease(place)
    assert killed >= 2, "the moments lie inside the run"
    following = place.json("harvest")
    assert following["status"] == "completed"
    assert following["corrected"] == 0
    assert (following["harvested"], following["unchanged"]) == (expected - before, before)
    assert written(place) == expected
    assert place.sql("select count(*) from ledger where kind = 'outcome'") == [(0,)], "nothing had to be corrected"
    assert place.sql("select count(*) from runs where status = 'running'") == [(0,)]


def test_until_its_lease_expires_a_killed_harvest_is_taken_to_be_under_way(lived: Place, tmp_path: Path) -> None:
    place = lived.copy(tmp_path)
    place.sql(
        "insert into leases (name, holder, renewed_at) values "
        "('harvest', 'killed', strftime('%Y-%m-%d %H:%M:%f000', 'now', '+20 seconds'))"
    )
    assert place.json("harvest", code=1) == {"status": "already_running", "runId": "killed"}
    assert written(place) == 0
    expire_lease(place)
    assert place.json("harvest")["status"] == "completed"


@pytest.mark.slow
def test_a_locked_database_is_waited_for_or_named(lived: Place, expected: int, tmp_path: Path) -> None:
    """Somebody else writes: a harvest waits for a while; if in vain, it fails with a word, and nothing is lost."""
    place = lived.copy(tmp_path)
    other = sqlite3.connect(place.database, isolation_level=None)
    try:
        other.execute("begin immediate")
        process = place.start("harvest", "--json")
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1, out + err
        assert b"database is locked" in err
        assert b"hint: " in err
        assert b"Traceback" not in err
        other.execute("rollback")
    finally:
        other.close()
    assert written(place) == 0
    assert place.json("harvest")["harvested"] == expected
