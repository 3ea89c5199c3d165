"""The registry: numbered model versions, and the movable alias `champion` of each window."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from groundswell.errors import ChampionMovedError, NoChampionError, UnknownVersionError
from groundswell.records import CalibrationVersion, ModelVersion, Window, as_json
from groundswell.store import direct, ledger, tables
from groundswell.store.database import Database
from groundswell.store.runs import Lease

CHAMPION = "champion"
_aliases, _versions, _calibrations = tables.aliases, tables.model_versions, tables.calibrations

_SERVING = (
    sa.select(_aliases.c.version.label("champion"), _versions.c.artifact, _calibrations)
    .select_from(sa.select(sa.literal(1)).subquery("always"))
    .outerjoin(_aliases, (_aliases.c.window == sa.bindparam("window")) & (_aliases.c.name == CHAMPION))
    .outerjoin(_versions, _versions.c.version == _aliases.c.version)
    .outerjoin(
        _calibrations,
        _calibrations.c.active
        & (_calibrations.c.version == sa.select(sa.func.max(_calibrations.c.version)).scalar_subquery()),
    )
)


_SERVING_VERSIONS = """
select (select version from {schema}aliases where "window" = {window} and name = {name}),
    (select case when active then version end from {schema}calibrations order by version desc limit 1)"""


@dataclasses.dataclass(frozen=True, slots=True)
class Serving:
    """What serves a window at this moment: the champion and its artifact, and the active calibration."""

    version: int | None
    artifact: str | None
    calibration: CalibrationVersion | None

    @property
    def versions(self) -> tuple[int | None, int | None]:
        """The numbers of the model and of the calibration."""
        return self.version, self.calibration.version if self.calibration else None


def promote(  # noqa: PLR0913 - a version is all of this
    database: Database,
    *,
    window: str,
    artifact: str,
    training_rows: str,
    source: str,
    lineage: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    decision: Mapping[str, Any],
    expected: int | None,
    at: datetime,
    lease: Lease | None = None,
) -> ModelVersion:
    """Return the version just added, which now serves the window: all in one transaction, or nothing of it.

    `expected` is the champion that the challenger was compared with (None: there was none). Raises
    ChampionMovedError if another one serves by now, LeaseLostError if the run's lease is no longer its own.
    """
    with database.begin() as connection:
        if lease is not None:
            lease.check(connection)
        ledger.lock(connection)
        number = (connection.execute(sa.select(sa.func.max(_versions.c.version))).scalar() or 0) + 1
        added = ModelVersion(
            version=number,
            window=Window(window),
            created_at=at,
            source=source,
            artifact=artifact,
            training_rows=training_rows,
            lineage=ledger.as_stored(as_json(lineage)),
            evaluation=ledger.as_stored(as_json(evaluation)),
            decision=ledger.as_stored(as_json(decision)),
        )
        connection.execute(sa.insert(_versions), {**dataclasses.asdict(added), "window": str(window)})
        _move(connection, ledger.PROMOTE, added, expected, str(decision.get("reason", "")), at)
    return added


def make_champion(database: Database, number: int, at: datetime, expected: int | None = None) -> bool:
    """Return whether version `number` now serves its window because of this call; False if it did already.

    Raises UnknownVersionError, and ChampionMovedError where another version serves than the one `expected` (0: none).
    """
    with database.begin() as connection:
        ledger.lock(connection)
        chosen = _version(connection, number)
        serving = _champion_number(connection, chosen.window)
        _still_serves(chosen.window, serving, expected)
        if serving == number:
            return False
        _move(connection, ledger.PROMOTE, chosen, serving, "promoted by hand", at)
    return True


def rollback(database: Database, window: str, at: datetime, expected: int | None = None) -> ModelVersion:
    """Return the version that serves again: the champion before the present one, as the ledger tells it.

    Each further rollback goes one champion further back. Raises NoChampionError if there is none to go back to, and
    ChampionMovedError where another version serves than the one `expected`.
    """
    with database.begin() as connection:
        ledger.lock(connection)
        chosen, serving_now = _last_two_champions(connection, window)
        _still_serves(window, serving_now, expected)
        _move(connection, ledger.ROLLBACK, chosen, serving_now, "rolled back by hand", at)
    return chosen


def before_champion(database: Database, window: str) -> ModelVersion:
    """Return the version that a rollback would put back; raises NoChampionError if there is none."""
    with database.read() as connection:
        return _last_two_champions(connection, window)[0]


def record_hold(database: Database, window: str, decision: Mapping[str, Any], at: datetime) -> None:
    """Note in the ledger that a challenger was held, and why; the champion is left as it is."""
    with database.begin() as connection:
        ledger.append(connection, ledger.HOLD, {"window": str(window), "reason": decision.get("reason", "")}, at)


def champion(database: Database, window: str) -> ModelVersion | None:
    """Return the version that serves the window, None before the first promotion."""
    with database.read() as connection:
        number = _champion_number(connection, window)
        return None if number is None else _version(connection, number)


def champions(database: Database) -> dict[str, int]:
    """Return the number of the champion of every window that has one."""
    statement = sa.select(_aliases).where(_aliases.c.name == CHAMPION).order_by(_aliases.c.window)
    with database.read() as connection:
        return {row.window: row.version for row in connection.execute(statement)}


def version(database: Database, number: int) -> ModelVersion:
    """Return the version of that number; raises UnknownVersionError."""
    with database.read() as connection:
        return _version(connection, number)


def versions(database: Database, window: str | None = None) -> list[ModelVersion]:
    """Return the versions of the window, or of all of them, newest first."""
    statement = sa.select(_versions).order_by(_versions.c.version.desc())
    if window is not None:
        statement = statement.where(_versions.c.window == str(window))
    with database.read() as connection:
        return [_record(row) for row in connection.execute(statement).mappings()]


def serving_versions(database: Database, window: str) -> tuple[int | None, int | None]:
    """Return the numbers of what serves the window right now (`Serving.versions`): each prediction asks for them."""
    asked = {"window": str(window), "name": CHAMPION}
    statement = direct.filled(_SERVING_VERSIONS, tuple(asked), database.is_postgres)
    with database.direct() as driver:
        (((version, calibration),),) = direct.select(driver, [(statement, asked)])
    return version, calibration


def serving(database: Database, window: str) -> Serving:
    """Return what serves the window right now, all of one state."""
    with database.read() as connection:
        row = connection.execute(_SERVING, {"window": str(window)}).mappings().one()
    names = [field.name for field in dataclasses.fields(CalibrationVersion)]
    calibration = None if row["version"] is None else CalibrationVersion(**{name: row[name] for name in names})
    return Serving(row["champion"], row["artifact"], calibration)


def _move(
    connection: sa.Connection, kind: str, chosen: ModelVersion, expected: int | None, reason: str, at: datetime
) -> None:
    window = str(chosen.window)
    moved = {"version": chosen.version, "moved_at": at, "completed_at": None}
    key = {"window": window, "name": CHAMPION}
    found = _champion_number(connection, window)  # nobody can move it now: the ledger is locked
    _still_serves(window, found, expected or 0)
    if expected is None:
        connection.execute(sa.insert(_aliases), {**key, **moved})
    else:
        connection.execute(sa.update(_aliases).filter_by(**key).values(**moved))
    payload = {
        "window": window,
        "version": chosen.version,
        "previous": expected,
        "artifact": chosen.artifact,
        "content": ledger.version_content(dataclasses.asdict(chosen)),
        "reason": reason,
    }
    ledger.append(connection, kind, payload, at)


def _still_serves(window: str, serving: int | None, expected: int | None) -> None:
    """Raise ChampionMovedError unless the expected version serves (0: none); None expects nothing."""
    if expected is not None and serving != (expected or None):
        raise ChampionMovedError(
            f"The champion of {window} is {ledger.named(serving)}, no longer {ledger.named(expected or None)}; "
            "nothing was promoted."
        )


def _last_two_champions(connection: sa.Connection, window: str) -> tuple[ModelVersion, int]:
    """Return the champion before the present one, and the number of the present one."""
    line = _line_of_champions(connection, window)
    if len(line) < 2:
        raise NoChampionError(
            f"There is no champion of {window} before the present one.",
            "Run `groundswell models list`, and `groundswell models promote N` for a version of your choice.",
        )
    return _version(connection, line[-2]), line[-1]


def _line_of_champions(connection: sa.Connection, window: str) -> list[int]:
    line: list[int] = []
    for kind, payload in ledger.moves(ledger.entries(connection)):
        if payload["window"] != str(window):
            continue
        if kind == ledger.ROLLBACK:
            line.pop()
        else:
            line.append(payload["version"])
    return line


def _champion_number(connection: sa.Connection, window: str) -> int | None:
    statement = sa.select(_aliases.c.version).filter_by(window=str(window), name=CHAMPION)
    return connection.execute(statement).scalar()


def _version(connection: sa.Connection, number: int) -> ModelVersion:
    row = connection.execute(sa.select(_versions).where(_versions.c.version == number)).mappings().first()
    if row is None:
        raise UnknownVersionError(f"There is no model version {number}.")
    return _record(row)


def _record(row: sa.RowMapping) -> ModelVersion:
    return ModelVersion(**{**row, "window": Window(row["window"])})
