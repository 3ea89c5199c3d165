"""The calibrations: every Platt fit of the score, numbered; the newest one says whether scores are corrected."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from groundswell.records import CalibrationVersion
from groundswell.store import ledger, tables
from groundswell.store.database import Database

_LATEST = sa.select(tables.calibrations).order_by(tables.calibrations.c.version.desc()).limit(1)


def add(
    database: Database, *, a: float, b: float, active: bool, reason: str, pairs: int, at: datetime
) -> CalibrationVersion:
    """Return the calibration just stored under the next number; it, and no older one, now speaks for the scores."""
    with database.begin() as connection:
        ledger.lock(connection)
        newest = latest(connection)
        number = newest.version + 1 if newest else 1
        # As a database gives numbers back: floats, and no negative zero; the ledger is held against the stored row.
        added = CalibrationVersion(number, at, float(a) + 0.0, float(b) + 0.0, active, reason, pairs)
        connection.execute(sa.insert(tables.calibrations), {"created_at": at, **ledger.calibration_payload(added)})
        ledger.append(connection, ledger.CALIBRATION, ledger.calibration_payload(added), at)
    return added


def latest(connection: sa.Connection) -> CalibrationVersion | None:
    """Return the newest calibration, active or not; None before the first audit."""
    row = connection.execute(_LATEST).mappings().first()
    return CalibrationVersion(**row) if row else None
