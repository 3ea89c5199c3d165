"""Logins as all processes know them: the failed ones of late, by address, and the sessions that somebody ended."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import sqlalchemy as sa

from groundswell.store import direct, tables
from groundswell.store.database import Database

#: So many attempts of an address may fail within that time; the next one has to wait.
MOST_FAILURES, WITHIN = 10, timedelta(minutes=5)
#: How long a login waits for whoever writes: a page is loading meanwhile.
_PATIENCE_SECONDS = 0.5

_attempts, _ended = tables.login_attempts, tables.ended_sessions
_HAS_ENDED = "select 1 from {schema}ended_sessions where sha256 = {sha256}"


def begin(database: Database, address: str) -> float:
    """Return 0 and note an attempt of the address, or return how many seconds it has to wait, and note nothing.

    Each counts as failed until it is taken back. Of attempts made at once in several processes one is counted after the
    other. Raises DatabaseError, also where somebody else writes for more than half a second.
    """
    with database.begin(patience_seconds=_PATIENCE_SECONDS) as connection:
        _take_turns(database, connection)
        now = database.now(connection)
        # What lies ahead was noted by a clock that was set back since.
        connection.execute(sa.delete(_attempts).where((_attempts.c.at <= now - WITHIN) | (_attempts.c.at > now)))
        of_address = sa.select(_attempts.c.at).filter_by(address=address).order_by(_attempts.c.at)
        times = connection.execute(of_address).scalars().all()
        if len(times) >= MOST_FAILURES:
            left: timedelta = times[0] + WITHIN - now
            return left.total_seconds()
        connection.execute(sa.insert(_attempts).values(address=address, at=now))
        return 0.0


def take_back(database: Database, address: str) -> None:
    """Forget the last attempt of the address: it was right. Raises DatabaseError as `begin` does."""
    last = sa.select(_attempts.c.id).filter_by(address=address).order_by(_attempts.c.at.desc(), _attempts.c.id.desc())
    with database.begin(patience_seconds=_PATIENCE_SECONDS) as connection:
        _take_turns(database, connection)
        connection.execute(sa.delete(_attempts).where(_attempts.c.id == last.limit(1).scalar_subquery()))


def end_session(database: Database, session: str, kept: timedelta) -> None:
    """Note that the session of that id has ended, and forget those that ended so long ago. Raises DatabaseError as
    `begin` does."""
    with database.begin(patience_seconds=_PATIENCE_SECONDS) as connection:
        _take_turns(database, connection)
        now = database.now(connection)
        connection.execute(sa.delete(_ended).where(_ended.c.ended_at < now - kept))
        row = {"sha256": _hash(session), "ended_at": now}
        connection.execute(database.insert(_ended).values(row).on_conflict_do_nothing())


def has_ended(database: Database, session: str) -> bool:
    """Return whether the session of that id was ended."""
    asked = {"sha256": _hash(session)}
    statement = direct.filled(_HAS_ENDED, tuple(asked), database.is_postgres)
    with database.direct() as driver:
        (rows,) = direct.select(driver, [(statement, asked)])
    return bool(rows)


def _hash(session: str) -> str:
    """Return what is kept of an id: who reads the table, or a backup of it, learns no session."""
    return hashlib.sha256(session.encode()).hexdigest()


def _take_turns(database: Database, connection: sa.Connection) -> None:
    if database.is_postgres:  # SQLite has one writer anyway, and says at once how long it is waited for
        connection.exec_driver_sql(f"set local lock_timeout = {round(1_000 * _PATIENCE_SECONDS)}")
        connection.exec_driver_sql("select pg_advisory_xact_lock(hashtext('groundswell logins'))")
