"""Small selects through the driver itself: each costs it a tenth of what it costs SQLAlchemy."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from groundswell.store.tables import SCHEMA, moment_text

Rows = list[tuple[Any, ...]]


def select(connection: sa.Connection, wanted: Sequence[tuple[str, dict[str, Any]]]) -> list[Rows]:
    """Return the rows of each select (SQL with named parameters as the driver writes them, and their values).

    PostgreSQL is asked for all of them in one round trip.
    """
    driver = connection.connection.driver_connection
    if connection.dialect.name != "postgresql":
        return [cast("sqlite3.Connection", driver).execute(*each).fetchall() for each in wanted]
    import psycopg

    server = cast("psycopg.Connection[tuple[Any, ...]]", driver)
    try:
        with server.pipeline():
            cursors = [server.execute(text.encode(), parameters) for text, parameters in wanted]
            return [cursor.fetchall() for cursor in cursors]
    except psycopg.Error as error:  # as SQLAlchemy would put it
        raise sa.exc.DBAPIError(None, None, error) from error


@functools.cache
def filled(text: str, names: tuple[str, ...], is_postgres: bool) -> str:
    """Return SQL with each parameter, and the schema of our tables, as the driver writes it.

    >>> filled("select {schema}runs where id = {id}", ("id",), is_postgres=True)
    'select groundswell.runs where id = %(id)s'
    """
    parameters = {name: f"%({name})s" if is_postgres else f":{name}" for name in names}
    return text.format(schema=f"{SCHEMA}." if is_postgres else "", **parameters)


def moment(connection: sa.Connection, at: datetime) -> datetime | str:
    """Return a time as the driver takes it."""
    return at if connection.dialect.name == "postgresql" else moment_text(at)
