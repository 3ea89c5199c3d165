"""Registry, ledger and calibrations: one story on both databases."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.errors import ChampionMovedError, NoChampionError, UnknownVersionError
from groundswell.records import ModelVersion, Window
from groundswell.store import calibrations, ledger, registry, tables
from groundswell.store.calibrations import Fitted
from groundswell.store.database import Database

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def promoted(
    database: Database, expected: int | None, window: str = "observed", artifact: str = "a" * 64
) -> ModelVersion:
    return registry.promote(
        database,
        window=window,
        artifact=artifact,
        training_rows="b" * 64,
        source="scraped_videos",
        lineage={"seed": 42, "as_of": AT, "cut_points": (1.0, 2.5, 3.0, 1e16)},
        evaluation={"accuracy": {"value": 0.61, "low": float("nan")}},
        decision={"verdict": "promote", "reason": "no champion yet"},
        expected=expected,
        at=AT,
    )


def verification(database: Database) -> ledger.Verification:
    with database.read() as connection:
        return ledger.verify(connection)


def history(database: Database) -> list[tuple[str, dict[str, Any]]]:
    with database.read() as connection:
        return [(entry.kind, ledger.payload_of(entry)) for entry in ledger.entries(connection)]


def test_before_the_first_promotion_nothing_serves(database: Database) -> None:
    assert registry.champion(database, "observed") is None
    assert registry.champions(database) == {}
    assert registry.versions(database) == []
    assert registry.serving(database, "observed") == registry.Serving(None, None, None)
    assert verification(database).status == "verified"


def test_a_promoted_version_serves_and_is_read_back_as_written(database: Database) -> None:
    added = promoted(database, None)
    assert (added.version, added.window) == (1, Window.OBSERVED)
    assert added.lineage["as_of"] == "2026-03-01T12:00:00.123456Z"
    found = registry.champion(database, Window.OBSERVED)
    assert found is not None
    assert found.created_at == AT
    assert found.evaluation == {"accuracy": {"value": 0.61, "low": None}}
    assert (found.lineage, found.decision) == (added.lineage, added.decision)
    assert registry.version(database, 1) == found
    assert registry.champions(database) == {"observed": 1}
    assert history(database) == [
        (
            "promote",
            {
                "window": "observed",
                "version": 1,
                "previous": None,
                "artifact": "a" * 64,
                "content": ANY,
                "reason": "no champion yet",
            },
        )
    ]


def test_numbers_run_over_all_windows(database: Database) -> None:
    promoted(database, None)
    promoted(database, None, window="publish")
    promoted(database, 1)
    assert registry.champions(database) == {"observed": 3, "publish": 2}
    assert [version.version for version in registry.versions(database)] == [3, 2, 1]
    assert [version.version for version in registry.versions(database, Window.OBSERVED)] == [3, 1]
    assert verification(database).status == "verified"


@pytest.mark.parametrize("expected", [None, 2, 7])
def test_a_champion_that_moved_is_left_alone(database: Database, expected: int | None) -> None:
    promoted(database, None)
    with pytest.raises(ChampionMovedError, match="version 1, no longer"):
        promoted(database, expected)
    assert registry.champions(database) == {"observed": 1}
    assert len(registry.versions(database)) == 1
    assert len(history(database)) == 1


def test_expecting_a_champion_where_there_is_none_is_refused(database: Database) -> None:
    with pytest.raises(ChampionMovedError):
        promoted(database, 1)
    assert registry.versions(database) == []


def test_an_unknown_version_is_an_error(database: Database) -> None:
    with pytest.raises(UnknownVersionError, match="no model version 9"):
        registry.version(database, 9)
    with pytest.raises(UnknownVersionError):
        registry.make_champion(database, 9, AT)


def test_a_version_made_champion_by_hand_serves(database: Database) -> None:
    promoted(database, None)
    promoted(database, 1)
    assert registry.make_champion(database, 1, AT)
    assert registry.champions(database) == {"observed": 1}
    assert history(database)[-1][1] == {
        "window": "observed",
        "version": 1,
        "previous": 2,
        "artifact": "a" * 64,
        "content": ANY,
        "reason": "promoted by hand",
    }


def test_making_the_champion_champion_changes_nothing(database: Database) -> None:
    promoted(database, None)
    assert not registry.make_champion(database, 1, AT)
    assert len(history(database)) == 1


def test_rollbacks_walk_further_back_and_never_forth(database: Database) -> None:
    for number in range(4):
        promoted(database, number or None)
    assert [registry.rollback(database, "observed", AT).version for _ in range(3)] == [3, 2, 1]
    with pytest.raises(NoChampionError, match="before the present one"):
        registry.rollback(database, "observed", AT)
    assert registry.champions(database) == {"observed": 1}
    assert verification(database).status == "verified"


def test_a_promotion_after_a_rollback_is_rolled_back_to_what_served_before_it(database: Database) -> None:
    promoted(database, None)
    promoted(database, 1)
    registry.rollback(database, "observed", AT)
    promoted(database, 1)
    assert registry.rollback(database, "observed", AT).version == 1


def test_windows_roll_back_by_themselves(database: Database) -> None:
    promoted(database, None)
    promoted(database, None, window="publish")
    with pytest.raises(NoChampionError):
        registry.rollback(database, "publish", AT)


def test_a_hold_is_noted_and_moves_nothing(database: Database) -> None:
    promoted(database, None)
    registry.record_hold(database, Window.OBSERVED, {"reason": "Test accuracy 44.1% below 60% gate"}, AT)
    assert history(database)[-1] == (
        "hold",
        {"window": "observed", "reason": "Test accuracy 44.1% below 60% gate"},
    )
    assert registry.champions(database) == {"observed": 1}
    assert verification(database).status == "verified"


def test_the_newest_calibration_decides_what_serves(database: Database) -> None:
    promoted(database, None)
    first = calibrations.add(database, Fitted(a=-5.0, b=2.5, active=True, reason="better", pairs=200), AT)
    assert registry.serving(database, "observed") == registry.Serving(1, "a" * 64, first)
    second = calibrations.add(database, Fitted(a=-1.0, b=0.1 + 0.2, active=False, reason="no better", pairs=300), AT)
    assert second.version == 2
    assert registry.serving(database, "observed").calibration is None
    with database.read() as connection:
        assert calibrations.latest(connection) == second
    assert [kind for kind, _ in history(database)] == ["promote", "calibration", "calibration"]
    assert verification(database).status == "verified"


@pytest.mark.parametrize(("a", "b"), [(-1, 0), (-0.0, 1e-300), (-1 / 3, 1e16), (-5e-324, 123456789.123456789)])
def test_a_calibration_is_held_against_its_stored_row(database: Database, a: float, b: float) -> None:
    added = calibrations.add(database, Fitted(a=a, b=b, active=True, reason='né \u2028 "quoted"', pairs=50), AT)
    assert registry.serving(database, "observed").calibration == added
    assert verification(database).status == "verified"


def test_a_calibration_serves_before_any_champion(database: Database) -> None:
    added = calibrations.add(database, Fitted(a=-5.0, b=2.5, active=True, reason="better", pairs=200), AT)
    assert registry.serving(database, "observed") == registry.Serving(None, None, added)


def test_what_serves_is_seen_by_another_process_at_once(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    assert registry.serving(other, "observed").version is None
    promoted(database, None)
    assert registry.serving(other, "observed").version == 1
    other.dispose()


def test_of_many_promoting_at_once_one_wins(database: Database) -> None:
    promoted(database, None)
    barrier = threading.Barrier(4)

    def attempt(_number: int) -> bool:
        barrier.wait()
        try:
            promoted(database, 1)
        except ChampionMovedError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]
    assert registry.champions(database) == {"observed": 2}
    assert verification(database).status == "verified"


def test_entries_written_at_once_make_one_chain(database: Database) -> None:
    def write(number: int) -> None:
        registry.record_hold(database, "observed", {"reason": str(number)}, AT)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(20)))
    assert verification(database).status == "verified"
    assert sorted(int(payload["reason"]) for _, payload in history(database)) == list(range(20))


# --- tampering: each kind of edit is noticed ---

TAMPERINGS: dict[str, tuple[str, str]] = {
    "an entry's payload": (
        "update ledger set payload = replace(payload, 'first', 'other') where seq = 1",
        "entry 1 was",
    ),
    "an entry's time": ("update ledger set at = '2020-01-01T00:00:00Z' where seq = 2", "entry 2 was changed"),
    "an entry's kind": ("update ledger set kind = 'hold' where seq = 2", "entry 2 was changed"),
    "an entry's hash": ("update ledger set hash = previous_hash where seq = 2", "entry 2 was changed"),
    "the first entry removed": ("delete from ledger where seq = 1", "entry 1 is missing"),
    "an entry removed": ("delete from ledger where seq = 2", "entry 2 is missing"),
    "the end removed": ("delete from ledger where seq = 4", "the champion of observed is version 1"),
    "all removed": ("delete from ledger", "the champion of observed is version 1, but the ledger says none"),
    "the end renumbered": ("update ledger set seq = 9 where seq = 4", "entry 4 is missing"),
    "the champion moved": ("update aliases set version = 2", "but the ledger says version 1"),
    "the champion removed": ("delete from aliases", "the champion of observed is none"),
    "a champion invented": (
        (
            'insert into aliases ("window", name, version, moved_at) '
            "select 'publish', name, version, moved_at from aliases"
        ),
        "the champion of publish is version 1, but the ledger says none",
    ),
    "an artifact swapped": ("update model_versions set artifact = 'other' where version = 2", "version 2"),
    "a version's source": ("update model_versions set source = 'fallback' where version = 1", "version 1"),
    "a version's training rows": ("update model_versions set training_rows = 'x' where version = 1", "version 1"),
    "a version's evaluation": ("update model_versions set evaluation = '{}' where version = 1", "version 1"),
    "a version removed": ("delete from model_versions where version = 2", "is not stored"),
    "a version renumbered": ("update model_versions set version = 5 where version = 2", "version 2 is not stored"),
    "a calibration's slope": ("update calibrations set a = -9", "calibration"),
    "a calibration silenced": ("update calibrations set active = not active", "calibration"),
    "a calibration removed": ("delete from calibrations", "is not stored"),
}


@pytest.fixture
def storied(database: Database) -> Database:
    promoted(database, None, artifact="first")
    promoted(database, 1, artifact="second")
    calibrations.add(database, Fitted(a=-5.0, b=2.5, active=True, reason="better", pairs=200), AT)
    registry.rollback(database, "observed", AT)
    assert verification(database).status == "verified"
    return database


@pytest.mark.parametrize("edit", TAMPERINGS)
def test_tampering_is_noticed(storied: Database, edit: str) -> None:
    statement, explanation = TAMPERINGS[edit]
    with storied.begin() as connection:
        if storied.is_postgres:
            connection.exec_driver_sql(f"set local search_path to {tables.SCHEMA}")
        assert connection.exec_driver_sql(statement).rowcount > 0
    found = verification(storied)
    assert found.status == "broken"
    assert explanation in found.explanation
    assert found.broken_at == (int(explanation.split()[1]) if explanation.startswith("entry") else None)


def test_an_entry_rewritten_with_a_fitting_hash_breaks_the_next(storied: Database) -> None:
    with storied.begin() as connection:
        entry = ledger.entries(connection)[1]
        payload = entry.payload.replace("second", "swapped")
        forged = ledger.chained(entry.previous_hash, entry.seq, entry.at, entry.kind, payload)
        connection.execute(sa.update(tables.ledger).filter_by(seq=2).values(payload=payload, hash=forged))
    found = verification(storied)
    assert (found.status, found.broken_at) == ("broken", 3)


def test_a_verified_ledger_names_its_last_hash(storied: Database) -> None:
    with storied.read() as connection:
        last = ledger.entries(connection)[-1]
    assert verification(storied).explanation == f"4 entries, the last with hash {last.hash}"


# --- any sequence of moves ---

MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("promote"), st.sampled_from(["observed", "publish"]), st.booleans()),
        st.tuples(st.just("by hand"), st.integers(1, 6), st.none()),
        st.tuples(st.just("hold"), st.sampled_from(["observed", "publish"]), st.none()),
        st.tuples(st.just("rollback"), st.sampled_from(["observed", "publish"]), st.none()),
    ),
    max_size=12,
)


class Oracle:
    """A slow, obvious registry: a list of champions for each window."""

    def __init__(self) -> None:
        self.lines: dict[str, list[int]] = {"observed": [], "publish": []}
        self.windows: list[str] = []

    def promote(self, window: str) -> None:
        self.windows.append(window)
        self.lines[window].append(len(self.windows))

    def by_hand(self, number: int) -> None:
        if number <= len(self.windows):
            line = self.lines[self.windows[number - 1]]
            if line[-1] != number:
                line.append(number)

    def rollback(self, window: str) -> None:
        if len(self.lines[window]) > 1:
            self.lines[window].pop()

    @property
    def champions(self) -> dict[str, int]:
        return {window: line[-1] for window, line in self.lines.items() if line}


def play(database: Database, oracle: Oracle, move: str, what: Any, fresh: bool | None) -> None:
    attempt: Callable[[], Any]
    if move == "promote":
        serving = oracle.champions.get(what)
        expected = serving if fresh else (serving or 0) + 1
        attempt = lambda: promoted(database, expected, window=what)  # noqa: E731
        if fresh:
            oracle.promote(what)
    elif move == "by hand":
        attempt = lambda: registry.make_champion(database, what, AT)  # noqa: E731
        oracle.by_hand(what)
    elif move == "hold":
        attempt = lambda: registry.record_hold(database, what, {"reason": "held"}, AT)  # noqa: E731
    else:
        attempt = lambda: registry.rollback(database, what, AT)  # noqa: E731
        oracle.rollback(what)
    with contextlib.suppress(ChampionMovedError, UnknownVersionError, NoChampionError):
        attempt()


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_any_sequence_of_moves_leaves_the_champions_that_the_ledger_says(
    database: Database, moves: list[tuple[str, Any, bool | None]]
) -> None:
    with database.begin() as connection:
        for table in (tables.ledger, tables.aliases, tables.model_versions):
            connection.execute(sa.delete(table))
    oracle = Oracle()
    for move in moves:
        play(database, oracle, *move)
    assert registry.champions(database) == oracle.champions
    assert verification(database).status == "verified"


def test_times_keep_their_microseconds_and_their_zone(database: Database) -> None:
    calibrations.add(database, Fitted(a=-1, b=0, active=True, reason="r", pairs=50), AT + timedelta(microseconds=1))
    found = registry.serving(database, "observed").calibration
    assert found is not None
    assert found.created_at == AT + timedelta(microseconds=1)
