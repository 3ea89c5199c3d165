"""Calibrations of the score: numbered, reversible, and in the ledger, the same on both databases."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from groundswell.errors import UnknownVersionError
from groundswell.store import calibrations, ledger, registry, tables
from groundswell.store.calibrations import Fitted
from groundswell.store.database import Database
from tests.made_up_loop import AT, HOUR, entries, verified

#: Numbers that a database may write in another way than they were given.
CONTENT: dict[str, Any] = {
    "calibrator": {"kind": "isotonic", "x": [0.0, 1e-05, 1], "y": (1e-300, 0.1 + 0.2, 1e16)},
    "segments": {"tiktok/under10k": -0.25, "né \u2028 'quoted'": 1e-7},
}
ACTIVE = Fitted(a=-5.0, b=2.5, active=True, reason="better", pairs=200)
OTHER = Fitted(a=-1.0, b=0.5, active=True, reason="isotonic: better", pairs=2_000, content=CONTENT)
SILENT = Fitted(a=0.5, b=0.0, active=False, reason="it would reverse the order", pairs=60)


def served(database: Database) -> Any:
    return registry.serving(database, "publish").calibration


def test_the_content_of_a_calibration_is_read_back_as_given(database: Database) -> None:
    added = calibrations.add(database, OTHER, AT)
    found = served(database)
    assert found.content == CONTENT | {"calibrator": {**CONTENT["calibrator"], "y": [1e-300, 0.1 + 0.2, 1e16]}}
    assert (found.version, found.a, found.b, found.content) == (1, -1.0, 0.5, added.content)
    assert verified(database).status == "verified"


@pytest.mark.parametrize("number", [-0.0, 0.0, 1, 1e-05, -1e-05, 1e22, 1e23, 5e-324, 1.7976931348623157e308, 0.1 + 0.2])
def test_the_ledger_holds_whatever_number_a_calibrator_is_made_of(database: Database, number: float) -> None:
    calibrations.add(database, Fitted(number, number, True, "r", 50, {"segments": {"x": number}}), AT)
    assert verified(database).status == "verified"
    assert ledger.by_value(served(database).content) == {"segments": {"x": number}}


def test_versions_come_newest_first_and_no_more_than_asked(database: Database) -> None:
    assert calibrations.versions(database) == []
    added = [calibrations.add(database, one, AT) for one in (ACTIVE, SILENT, OTHER)]
    assert calibrations.versions(database) == added[::-1]
    assert calibrations.versions(database, limit=1) == added[2:]


@pytest.mark.parametrize("fitted", [ACTIVE, OTHER, SILENT], ids=["Platt", "another kind", "inactive"])
def test_a_restored_calibration_says_what_it_said_under_a_number_of_its_own(database: Database, fitted: Fitted) -> None:
    first = calibrations.add(database, fitted, AT)
    calibrations.add(database, SILENT, AT)
    again = calibrations.restore(database, 1, AT + HOUR)
    assert (again.version, again.created_at, again.reason) == (3, AT + HOUR, "version 1 restored by hand")
    assert (again.a, again.b, again.active, again.content) == (first.a, first.b, first.active, first.content)
    assert served(database) == (again if fitted.active else None)
    assert len(calibrations.versions(database)) == len(entries(database, ledger.CALIBRATION)) == 3
    assert verified(database).status == "verified"


def test_restoring_none_leaves_the_scores_alone_until_the_next_fit(database: Database) -> None:
    calibrations.add(database, ACTIVE, AT)
    none = calibrations.restore(database, 0, AT)
    assert (none.version, none.active, none.content, none.pairs) == (2, False, None, 0)
    assert none.reason == "scores left alone by hand"
    assert served(database) is None
    calibrations.add(database, OTHER, AT)
    assert served(database).version == 3
    assert verified(database).status == "verified"


def test_none_can_be_restored_before_there_is_any(database: Database) -> None:
    assert calibrations.restore(database, 0, AT).version == 1
    assert verified(database).status == "verified"


@pytest.mark.parametrize("number", [1, -1, 99])
def test_an_unknown_calibration_is_not_restored(database: Database, number: int) -> None:
    with pytest.raises(UnknownVersionError, match=f"no calibration {number}"):
        calibrations.restore(database, number, AT)
    assert calibrations.versions(database) == []
    assert entries(database, ledger.CALIBRATION) == []


@pytest.mark.parametrize(
    "edit",
    [
        "update calibrations set content = null",
        """update calibrations set content = '{"calibrator": {"kind": "identity"}, "segments": {}}'""",
        "update calibrations set pairs = 1",
        "update calibrations set reason = 'no'",
    ],
)
def test_a_changed_calibration_is_noticed(database: Database, edit: str) -> None:
    calibrations.add(database, OTHER, AT)
    with database.begin() as connection:
        if database.is_postgres:
            connection.exec_driver_sql(f"set local search_path to {tables.SCHEMA}")
        connection.exec_driver_sql(edit)
    found = verified(database)
    assert found.status == "broken"
    assert "calibration" in found.explanation


def test_a_calibration_of_the_first_release_is_still_verified(database: Database) -> None:
    """Its row has no content, and its entry does not speak of any."""
    said = {"version": 1, "a": -5.0, "b": 2.5, "active": True, "reason": "better", "pairs": 200}
    with database.begin() as connection:
        connection.execute(sa.insert(tables.calibrations), {**said, "created_at": AT})
        ledger.append(connection, ledger.CALIBRATION, said, AT)
    assert verified(database).status == "verified"
    assert served(database).content is None
    calibrations.add(database, OTHER, AT)
    calibrations.restore(database, 1, AT)
    assert verified(database).status == "verified"
