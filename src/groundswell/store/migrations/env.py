"""Alembic's entry: migrates over the connection that `Database.upgrade` hands in."""

from __future__ import annotations

from alembic import context

from groundswell.store import tables
from groundswell.store.database import MIGRATIONS_TABLE

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=tables.own,
    version_table=MIGRATIONS_TABLE,
    version_table_schema=tables.SCHEMA if connection.dialect.name == "postgresql" else None,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
