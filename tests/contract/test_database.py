"""The database itself: prepared the same on SQLite and PostgreSQL, and polite to tables it does not own."""

from __future__ import annotations

import sqlalchemy as sa

from groundswell.store import tables
from groundswell.store.database import HEAD, Database


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
