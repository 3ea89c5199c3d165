"""Many rows at once: executemany on SQLite, COPY into a temporary table and one statement on PostgreSQL.

Rows are tuples in the order of the columns, and keyed by (platform, platform_video_id); or they are a frame whose
columns are the table's, with a key of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import orjson
import polars as pl
import psycopg
import sqlalchemy as sa
from psycopg import sql

from groundswell.errors import DatabaseError
from groundswell.frames import KEY, MOMENT

Rows = Sequence[tuple[Any, ...]]
_JSON = frozenset({"metadata"})
_PART_ROWS = 50_000
_COUNTED = {"preserve_rowcount": True}
_STAGE = sql.Identifier("groundswell_stage")


def select_by_key(connection: sa.Connection, table: str, columns: Sequence[str], keys: Rows) -> list[tuple[Any, ...]]:
    """Return the rows of the table under the keys, in no order; JSON as text, exactly as it is stored."""
    if not keys:
        return []
    return (_select_postgres if _is_postgres(connection) else _select_sqlite)(connection, table, columns, keys)


def insert(connection: sa.Connection, table: str, columns: Sequence[str], rows: Rows) -> int:
    """Add the rows whose key is not there yet and return how many that were."""
    if _is_postgres(connection):
        return _insert_postgres(connection, table, columns, rows)
    names, places = ", ".join(f'"{name}"' for name in columns), ", ".join("?" * len(columns))
    # What ends in "do nothing" is a row whose unique key is there; other constraints still speak up.
    statement = f"insert into {_bare(table)} ({names}) values ({places}) on conflict do nothing"  # noqa: S608
    return connection.exec_driver_sql(statement, list(rows), execution_options=_COUNTED).rowcount


def update(connection: sa.Connection, table: str, columns: Sequence[str], rows: Rows) -> None:
    """Set the columns of the rows under their keys; a null keeps what is there."""
    if _is_postgres(connection):
        _update_postgres(connection, table, columns, rows)
        return
    changes = ", ".join(f"{name} = coalesce(?{at}, {name})" for at, name in enumerate(columns, 1) if name not in KEY)
    where = " and ".join(f"{name} = ?{columns.index(name) + 1}" for name in KEY)
    connection.exec_driver_sql(f"update {_bare(table)} set {changes} where {where}", list(rows))  # noqa: S608


def raise_counts(
    connection: sa.Connection, table: str, columns: Sequence[str], rows: Rows, key: Sequence[str], by: str
) -> int:
    """Set the columns of stored rows under their key where column `by` is larger now; return how many those were."""
    if _is_postgres(connection):
        return _raise_postgres(connection, table, columns, rows, key, by)
    changes = ", ".join(f"{name} = ?{at}" for at, name in enumerate(columns, 1) if name not in key)
    where = " and ".join(f"{name} = ?{columns.index(name) + 1}" for name in key)
    larger = f"?{columns.index(by) + 1} > coalesce({by}, -1)"
    statement = f"update {_bare(table)} set {changes} where {where} and {larger}"  # noqa: S608
    return connection.exec_driver_sql(statement, list(rows), execution_options=_COUNTED).rowcount


def upsert(connection: sa.Connection, table: str, frame: pl.DataFrame, key: Sequence[str]) -> None:
    """Add the rows of the frame, each in place of the one under its key (unique in the table and in the frame)."""
    if frame.is_empty():
        return
    changes = [name for name in frame.columns if name not in key]
    if _is_postgres(connection):
        _upsert_postgres(connection, table, frame, key, changes)
        return
    names, places = ", ".join(frame.columns), ", ".join("?" * frame.width)
    action = f"update set {', '.join(f'{name} = excluded.{name}' for name in changes)}" if changes else "nothing"
    statement = f"insert into {_bare(table)} ({names}) values ({places}) on conflict ({', '.join(key)}) do {action}"  # noqa: S608
    _executemany(connection, statement, frame)


def delete(connection: sa.Connection, table: str, frame: pl.DataFrame) -> None:
    """Remove the rows that are equal to one of the frame in all of its columns, none of which holds a null."""
    if frame.is_empty():
        return
    if _is_postgres(connection):
        _delete_postgres(connection, table, frame)
        return
    where = " and ".join(f"{name} = ?" for name in frame.columns)
    _executemany(connection, f"delete from {_bare(table)} where {where}", frame)  # noqa: S608


def _executemany(connection: sa.Connection, statement: str, frame: pl.DataFrame) -> None:
    for part in _times_as_text(frame, "").iter_slices(_PART_ROWS):
        connection.exec_driver_sql(statement, part.rows())


def _upsert_postgres(
    connection: sa.Connection, table: str, frame: pl.DataFrame, key: Sequence[str], changes: Sequence[str]
) -> None:
    action = (
        sql.SQL("update set {}").format(
            sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changes)
        )
        if changes
        else sql.SQL("nothing")
    )
    statement = sql.SQL(
        "insert into {table} ({columns}) select {columns} from {stage} on conflict ({key}) do {action}"
    ).format(table=_table(table), columns=_names(frame.columns), stage=_STAGE, key=_names(key), action=action)
    _stage(connection, table, frame.columns, frame)
    connection.exec_driver_sql(_written(connection, statement))


def _raise_postgres(
    connection: sa.Connection, table: str, columns: Sequence[str], rows: Rows, key: Sequence[str], by: str
) -> int:
    changes = sql.SQL(", ").join(
        sql.SQL("{0} = s.{0}").format(sql.Identifier(name)) for name in columns if name not in key
    )
    same = sql.SQL(" and ").join(sql.SQL("v.{0} = s.{0}").format(sql.Identifier(name)) for name in key)
    statement = sql.SQL(
        "update {table} v set {changes} from {stage} s where {same} and s.{by} > coalesce(v.{by}, -1)"
    ).format(table=_table(table), changes=changes, stage=_STAGE, same=same, by=sql.Identifier(by))
    _stage(connection, table, columns, rows)
    return connection.exec_driver_sql(_written(connection, statement), execution_options=_COUNTED).rowcount


def _delete_postgres(connection: sa.Connection, table: str, frame: pl.DataFrame) -> None:
    statement = sql.SQL("delete from {table} where ({columns}) in (select {columns} from {stage})").format(
        table=_table(table), columns=_names(frame.columns), stage=_STAGE
    )
    _stage(connection, table, frame.columns, frame)
    connection.exec_driver_sql(_written(connection, statement))


def _select_sqlite(connection: sa.Connection, table: str, columns: Sequence[str], keys: Rows) -> list[tuple[Any, ...]]:
    statement = (
        f"select {', '.join(columns)} from json_each(?) key join {_bare(table)} "  # noqa: S608
        "on platform = json_extract(key.value, '$[0]') and platform_video_id = json_extract(key.value, '$[1]')"
    )
    return _fetched(connection.exec_driver_sql(statement, (orjson.dumps(keys).decode(),)))


def _select_postgres(
    connection: sa.Connection, table: str, columns: Sequence[str], keys: Rows
) -> list[tuple[Any, ...]]:
    platforms, ids = zip(*keys, strict=True)
    statement = sql.SQL(
        "select {columns} from {table} v join unnest(%s::text[], %s::text[]) as key(p, i)"
        " on v.platform = key.p and v.platform_video_id = key.i"
    ).format(columns=_as_text(columns), table=_table(table))
    return _fetched(connection.exec_driver_sql(_written(connection, statement), (list(platforms), list(ids))))


def _insert_postgres(connection: sa.Connection, table: str, columns: Sequence[str], rows: Rows) -> int:
    _stage(connection, table, columns, rows)
    statement = sql.SQL("insert into {table} ({columns}) select {columns} from {stage} on conflict do nothing").format(
        table=_table(table), columns=_names(columns), stage=_STAGE
    )
    return connection.exec_driver_sql(_written(connection, statement), execution_options=_COUNTED).rowcount


def _update_postgres(connection: sa.Connection, table: str, columns: Sequence[str], rows: Rows) -> None:
    changes = sql.SQL(", ").join(
        sql.SQL("{name} = coalesce(s.{name}, v.{name})").format(name=sql.Identifier(name))
        for name in columns
        if name not in KEY
    )
    _stage(connection, table, columns, rows)
    statement = sql.SQL(
        "update {table} v set {changes} from {stage} s"
        " where v.platform = s.platform and v.platform_video_id = s.platform_video_id"
    ).format(table=_table(table), changes=changes, stage=_STAGE)
    connection.exec_driver_sql(_written(connection, statement))


def _stage(connection: sa.Connection, table: str, columns: Sequence[str], rows: Rows | pl.DataFrame) -> None:
    """Copy the rows into a temporary table whose columns have the types of the table's."""
    driver = _driver(connection)
    try:
        driver.execute(sql.SQL("drop table if exists {}").format(_STAGE))
        driver.execute(
            sql.SQL(
                "create temporary table {stage} on commit drop as select {columns} from {table} with no data"
            ).format(stage=_STAGE, columns=_names(columns), table=_table(table))
        )
        _copy(driver, rows)
    except psycopg.Error as error:  # SQLAlchemy does not see what its driver does beside it
        raise DatabaseError(f"The database refused rows for {table}: {error}") from error


def _copy(driver: psycopg.Connection[Any], rows: Rows | pl.DataFrame) -> None:
    if not isinstance(rows, pl.DataFrame):
        with driver.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin").format(_STAGE)) as copy:
            for row in rows:
                copy.write_row(row)
        return
    # As CSV, a frame reaches the server without a Python object a value; its texts are quoted, its nulls are not.
    with driver.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin (format csv)").format(_STAGE)) as copy:
        for part in _times_as_text(rows, "+00").iter_slices(_PART_ROWS):
            copy.write(part.write_csv(include_header=False, quote_style="non_numeric"))


def _times_as_text(frame: pl.DataFrame, zone: str) -> pl.DataFrame:
    return frame.with_columns(pl.col(MOMENT).dt.strftime(f"%Y-%m-%d %H:%M:%S%.6f{zone}"))


def _fetched(result: sa.CursorResult[Any]) -> list[tuple[Any, ...]]:
    """Return the plain tuples of the driver, which for many rows are cheaper than SQLAlchemy's."""
    return list(result.cursor.fetchall()) if result.cursor is not None else []


def _as_text(columns: Sequence[str]) -> sql.Composed:
    parts = (sql.SQL("v.{}" + ("::text" if name in _JSON else "")).format(sql.Identifier(name)) for name in columns)
    return sql.SQL(", ").join(parts)


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in columns)


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))


def _bare(name: str) -> str:
    """Return the name without its schema, which SQLite has not."""
    return name.rsplit(".", maxsplit=1)[-1]


def _written(connection: sa.Connection, statement: sql.Composed) -> str:
    return statement.as_string(_driver(connection))


def _driver(connection: sa.Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def _is_postgres(connection: sa.Connection) -> bool:
    return connection.dialect.name == "postgresql"
