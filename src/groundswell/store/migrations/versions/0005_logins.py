"""Logins that all processes share: the failed ones of late, and the sessions that were ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from groundswell.store import tables

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # SQLite has no schemas, and an alteration is not translated as a creation is.
    schema = tables.SCHEMA if op.get_bind().dialect.name == "postgresql" else None
    op.create_table(
        "login_attempts",
        sa.Column("id", tables.type_bigint, primary_key=True, autoincrement=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("at", tables.Moment, nullable=False),
        schema=schema,
    )
    op.create_index("login_attempts_by_address", "login_attempts", ["address"], schema=schema)
    op.create_index("login_attempts_by_time", "login_attempts", ["at"], schema=schema)
    op.create_table(
        "ended_sessions",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("ended_at", tables.Moment, nullable=False),
        schema=schema,
    )
