"""The alerts: what somebody was told of each matter, so that no replica tells it twice."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from groundswell.store import tables
from groundswell.store.database import Database

#: The state of a matter that needs nobody; every other word is one that does.
GOOD = "good"

_alerts = tables.alerts


@dataclasses.dataclass(frozen=True, slots=True)
class Alert:
    """How a matter stands: its topic, its state (`good` or what is wrong), what to tell, and the run that found it."""

    topic: str
    state: str
    title: str
    said: str
    run_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Matter:
    """What is wrong with a matter, since when, and when somebody was told last; None where nobody was."""

    topic: str
    state: str
    title: str
    said: str
    run_id: str | None
    since: datetime
    sent_at: datetime | None


def note(database: Database, alert: Alert, cooldown: timedelta) -> bool:
    """Note how a matter stands, and return whether that is to be told now, by whoever asked first.

    Told is what changed, what still is wrong after the cooldown, what nobody could be told before, and that a matter is
    good again where somebody had been told that it was not.
    """
    if alert.state == GOOD and _state(database, alert.topic) in {None, GOOD}:
        return False
    with database.begin() as connection:
        now = database.now(connection)
        before = connection.execute(sa.select(_alerts).filter_by(topic=alert.topic).with_for_update()).first()
        new = {**dataclasses.asdict(alert), "since": now, "sent_at": now}
        if before is None:
            added = database.insert(_alerts).values(new).on_conflict_do_nothing().returning(_alerts.c.topic)
            # Another replica may have been first since we looked.
            return connection.execute(added).first() is not None
        changed = before.state != alert.state
        if alert.state == GOOD:
            told = changed and before.sent_at is not None
        else:
            told = changed or before.sent_at is None or abs(now - before.sent_at) >= cooldown
        if changed or told:
            new |= {"since": now if changed else before.since, "sent_at": now if told else before.sent_at}
            connection.execute(sa.update(_alerts).filter_by(topic=alert.topic).values(new))
        return told


def undelivered(database: Database, topic: str) -> None:
    """Note that nobody could be told, so that it is told the next time."""
    with database.begin() as connection:
        connection.execute(sa.update(_alerts).filter_by(topic=topic).values(sent_at=None))


def standing(database: Database) -> list[Matter]:
    """Return what is wrong at present, in the order in which it began."""
    wrong = sa.select(_alerts).where(_alerts.c.state != GOOD).order_by(_alerts.c.since, _alerts.c.topic)
    with database.read() as connection:
        return [_standing(row) for row in connection.execute(wrong).mappings()]


def _state(database: Database, topic: str) -> Any:
    with database.read() as connection:
        return connection.execute(sa.select(_alerts.c.state).filter_by(topic=topic)).scalar()


def _standing(row: sa.RowMapping) -> Matter:
    return Matter(**{**row, "run_id": row["run_id"] and str(row["run_id"])})
