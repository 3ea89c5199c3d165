"""The workers: which processes answer, what each of them serves, and whether a promotion has reached them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from groundswell.store import tables
from groundswell.store.database import Database
from groundswell.store.registry import CHAMPION

#: A worker that was not seen for so long is taken to be dead, and its row goes.
ALIVE = timedelta(seconds=15)

_workers, _aliases = tables.workers, tables.aliases


@dataclasses.dataclass(frozen=True, slots=True)
class Worker:
    """A process that answers: where it runs, when it was last seen, and the version it serves of each window."""

    id: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    serving: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Rollout:
    """How far the champion of a window has got: complete, or waiting for these workers to report it."""

    window: str
    version: int
    moved_at: datetime
    completed_at: datetime | None
    waiting_for: tuple[Worker, ...]


def beat(database: Database, worker: str, host: str, pid: int, serving: Mapping[str, int]) -> tuple[str, ...]:
    """Say that a worker is alive and what it serves; return the windows whose promotion is complete because of it.

    A promotion is complete once all workers alive report its version. Times are the database's, so that the clocks of
    the workers' machines do not matter.
    """
    with database.begin() as connection:
        now = database.now(connection)
        row = {"id": worker, "host": host, "pid": pid, "started_at": now, "seen_at": now, "serving": dict(serving)}
        added = database.insert(_workers).values(row)
        told = {"seen_at": now, "serving": dict(serving)}
        connection.execute(added.on_conflict_do_update(index_elements=["id"], set_=told))
        connection.execute(sa.delete(_workers).where(~_seen_lately(now)))
        present = _present(connection, now)
        done = [alias for alias in _moved(connection) if not alias.completed_at and not _behind(alias, present)]
        # Somebody may move the champion meanwhile: that promotion is another one.
        return tuple(alias.window for alias in done if _complete(connection, alias, now))


def leave(database: Database, worker: str) -> None:
    """Take a worker from the list: it ends."""
    with database.begin() as connection:
        connection.execute(sa.delete(_workers).filter_by(id=worker))


def alive(database: Database) -> list[Worker]:
    """Return the workers that are alive by the database's clock, in the order in which they began."""
    with database.read() as connection:
        return _present(connection, database.now(connection))


def rollouts(database: Database) -> list[Rollout]:
    """Return the rollout of each window's champion, in the order of the windows' names."""
    with database.read() as connection:
        present = _present(connection, database.now(connection))
        return [
            Rollout(
                alias.window,
                alias.version,
                alias.moved_at,
                alias.completed_at,
                () if alias.completed_at else _behind(alias, present),
            )
            for alias in _moved(connection)
        ]


def _present(connection: sa.Connection, now: datetime) -> list[Worker]:
    seen = sa.select(_workers).where(_seen_lately(now)).order_by(_workers.c.started_at, _workers.c.id)
    return [Worker(**{**row, "id": str(row["id"])}) for row in connection.execute(seen).mappings()]


def _seen_lately(now: datetime) -> sa.ColumnElement[bool]:
    # Who was seen far in the future was seen by a clock that was set back since.
    return _workers.c.seen_at.between(now - ALIVE, now + ALIVE)


def _moved(connection: sa.Connection) -> Sequence[sa.Row[tuple[str, str, int, datetime, datetime | None]]]:
    return connection.execute(sa.select(_aliases).filter_by(name=CHAMPION).order_by(_aliases.c.window)).all()


def _behind(
    alias: sa.Row[tuple[str, str, int, datetime, datetime | None]], present: Sequence[Worker]
) -> tuple[Worker, ...]:
    return tuple(one for one in present if one.serving.get(alias.window) != alias.version)


def _complete(
    connection: sa.Connection, alias: sa.Row[tuple[str, str, int, datetime, datetime | None]], now: datetime
) -> bool:
    same = sa.update(_aliases).filter_by(
        window=alias.window, name=CHAMPION, version=alias.version, moved_at=alias.moved_at, completed_at=None
    )
    return connection.execute(same.values(completed_at=now)).rowcount == 1
