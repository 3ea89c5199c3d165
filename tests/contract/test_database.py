"""The database itself: prepared the same on SQLite and PostgreSQL, and polite to tables it does not own."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from groundswell.errors import DatabaseError
from groundswell.store import tables
from groundswell.store.database import HEAD, MIGRATIONS_TABLE, Database


def test_a_prepared_database_has_every_table(database: Database) -> None:
    assert database.revision() == HEAD
    assert not database.missing_columns()
    with database.read() as connection:
        for table in (*tables.users.sorted_tables, *tables.own.sorted_tables):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0


def test_preparing_twice_changes_nothing(database: Database) -> None:
    database.prepare()
    assert database.upgrade() == []


def test_the_product_tables_are_used_as_found(product_database: Database) -> None:
    assert product_database.revision() == HEAD
    assert not product_database.missing_columns()
    assert product_database.upgrade() == []


def test_rows_that_others_write_get_an_id_of_their_own(database: Database) -> None:
    with database.begin() as connection:
        for _ in range(2):
            connection.exec_driver_sql("insert into outcomes (actual_views) values (1)")
            connection.exec_driver_sql("insert into scraped_videos (views) values (1)")
        ids = [row.id for row in connection.execute(sa.select(tables.outcomes.c.id))]
        platforms = set(connection.execute(sa.select(tables.scraped_videos.c.platform)).scalars())
    assert len(set(ids)) == 2
    assert all(len(found) >= 32 for found in ids)
    assert platforms == {"tiktok"}


def test_what_fails_in_a_transaction_leaves_nothing(database: Database) -> None:
    statement = sa.insert(tables.aliases)
    row = {"window": "observed", "name": "champion", "version": 1, "moved_at": sa.func.current_timestamp()}

    def add_twice() -> None:
        with database.begin() as connection:
            connection.execute(statement.values(row))
            connection.execute(statement.values(row))

    with pytest.raises(DatabaseError):
        add_twice()
    with database.read() as connection:
        assert connection.execute(sa.select(tables.aliases)).first() is None


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    counted = sa.select(sa.func.count()).select_from(tables.outcomes)
    with database.read() as reader:
        assert reader.execute(counted).scalar() == 0
        with database.begin() as writer:
            writer.exec_driver_sql("insert into outcomes (actual_views) values (1)")
        assert reader.execute(counted).scalar() == 0
    with database.read() as reader:
        assert reader.execute(counted).scalar() == 1


def test_the_migrations_make_the_tables_that_the_code_describes(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def ours(_thing: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        users = {table.name for table in tables.users.sorted_tables} | {MIGRATIONS_TABLE}
        return not (kind == "table" and name in users)

    with database.read() as connection:
        options = {"include_object": ours, "include_schemas": database.is_postgres}
        context = MigrationContext.configure(connection, opts=options)
        metadata = tables.own if database.is_postgres else without_schema()
        assert compare_metadata(context, metadata) == []


def without_schema() -> sa.MetaData:
    plain = sa.MetaData()
    for table in tables.own.sorted_tables:
        table.to_metadata(plain, schema=None)  # type: ignore[arg-type]
    return plain
