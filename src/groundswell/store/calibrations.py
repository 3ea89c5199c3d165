"""The calibrations: every fit of the score's calibration, numbered; the newest says whether scores are corrected."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from groundswell.errors import UnknownVersionError
from groundswell.records import CalibrationVersion, as_json
from groundswell.store import ledger, tables
from groundswell.store.database import Database

_LATEST = sa.select(tables.calibrations).order_by(tables.calibrations.c.version.desc()).limit(1)


@dataclasses.dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration as an audit found it: Platt's a and b, and as `content` the calibrator that speaks, if any."""

    a: float
    b: float
    active: bool
    reason: str
    pairs: int
    content: Mapping[str, Any] | None = None


def add(database: Database, fitted: Fitted, at: datetime) -> CalibrationVersion:
    """Return the calibration just stored under the next number; it, and no older one, now speaks for the scores."""
    with database.begin() as connection:
        return _append(connection, fitted, at)


def versions(database: Database, limit: int = 100) -> list[CalibrationVersion]:
    """Return the newest calibrations, newest first: the first of them speaks, if it is active."""
    statement = sa.select(tables.calibrations).order_by(tables.calibrations.c.version.desc()).limit(limit)
    with database.read() as connection:
        return [CalibrationVersion(**row) for row in connection.execute(statement).mappings()]


def restore(database: Database, number: int, at: datetime) -> CalibrationVersion:
    """Return the calibration that says again what version `number` said, as the next version; 0 leaves scores alone.

    Raises UnknownVersionError.
    """
    with database.begin() as connection:
        ledger.lock(connection)
        chosen = tables.calibrations.c.version == number
        row = connection.execute(sa.select(tables.calibrations).where(chosen)).mappings().first()
        if row is None and number != 0:
            raise UnknownVersionError(
                f"There is no calibration {number}.", "Run `groundswell calibrations list` to see them."
            )
        reason = f"version {number} restored by hand" if number else "scores left alone by hand"
        old = CalibrationVersion(**row) if row else CalibrationVersion(0, at, 0.0, 0.0, False, "", 0)
        again = Fitted(old.a, old.b, old.active, reason, old.pairs, old.content)
        return _append(connection, again, at)


def _append(connection: sa.Connection, fitted: Fitted, at: datetime) -> CalibrationVersion:
    ledger.lock(connection)
    newest = latest(connection)
    # As a database gives numbers back: floats, and no negative zero; the ledger is held against the stored row.
    added = CalibrationVersion(
        version=newest.version + 1 if newest else 1,
        created_at=at,
        a=float(fitted.a) + 0.0,
        b=float(fitted.b) + 0.0,
        active=fitted.active,
        reason=fitted.reason,
        pairs=fitted.pairs,
        content=ledger.as_stored(as_json(fitted.content)),
    )
    connection.execute(sa.insert(tables.calibrations), dataclasses.asdict(added))
    ledger.append(connection, ledger.CALIBRATION, ledger.calibration_payload(added), at)
    return added


def latest(connection: sa.Connection) -> CalibrationVersion | None:
    """Return the newest calibration, active or not; None before the first audit."""
    row = connection.execute(_LATEST).mappings().first()
    return CalibrationVersion(**row) if row else None
