"""Small statements as the driver itself takes them, on a connection of `Database.direct`."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from groundswell.store.database import Driver
from groundswell.store.tables import SCHEMA, moment_text

Rows = list[tuple[Any, ...]]


def select(driver: Driver, wanted: Sequence[tuple[str, dict[str, Any]]]) -> list[Rows]:
    """Return the rows of each select (SQL with named parameters as the driver writes them, and their values).

    PostgreSQL is asked for all of them in one round trip.
    """
    if isinstance(driver, sqlite3.Connection):
        return [driver.execute(*each).fetchall() for each in wanted]
    with driver.pipeline():
        cursors = [driver.execute(text.encode(), parameters) for text, parameters in wanted]
        return [cursor.fetchall() for cursor in cursors]


def insert(driver: Driver, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Add the rows to one of our tables, except those whose key is there already."""
    is_postgres = not isinstance(driver, sqlite3.Connection)
    names, places = ", ".join(f'"{name}"' for name in columns), ", ".join(["%s" if is_postgres else "?"] * len(columns))
    named = f"{SCHEMA}.{table}" if is_postgres else table
    statement = f"insert into {named} ({names}) values ({places}) on conflict do nothing"  # noqa: S608
    driver.cursor().executemany(statement, rows)


@functools.cache
def filled(text: str, names: tuple[str, ...], is_postgres: bool) -> str:
    """Return SQL with each parameter, and the schema of our tables, as the driver writes it.

    >>> filled("select {schema}runs where id = {id}", ("id",), is_postgres=True)
    'select groundswell.runs where id = %(id)s'
    """
    parameters = {name: f"%({name})s" if is_postgres else f":{name}" for name in names}
    return text.format(schema=f"{SCHEMA}." if is_postgres else "", **parameters)


def moment(driver: Driver, at: datetime) -> datetime | str:
    """Return a time as the driver takes it."""
    return moment_text(at) if isinstance(driver, sqlite3.Connection) else at
