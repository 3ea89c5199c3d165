"""What a service needs: its workers, the log of its runs, its alerts, and the calls it has taken in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from groundswell.store import tables

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # SQLite has no schemas, and an alteration is not translated as a creation is.
    schema = tables.SCHEMA if op.get_bind().dialect.name == "postgresql" else None
    op.add_column("aliases", sa.Column("completed_at", tables.Moment), schema=schema)
    op.create_index("runs_by_time", "runs", ["started_at"], schema=schema)
    op.create_table(
        "run_lines",
        sa.Column("run_id", tables.uuid_text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", tables.Moment, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        schema=schema,
    )
    op.create_table(
        "workers",
        sa.Column("id", tables.uuid_text, primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", tables.Moment, nullable=False),
        sa.Column("seen_at", tables.Moment, nullable=False),
        sa.Column("serving", tables.JsonText, nullable=False),
        schema=schema,
    )
    op.create_table(
        "alerts",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("run_id", tables.uuid_text),
        sa.Column("since", tables.Moment, nullable=False),
        sa.Column("sent_at", tables.Moment),
        schema=schema,
    )
    op.create_table(
        "received",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("received_at", tables.Moment, nullable=False),
        sa.Column("report", tables.JsonText, nullable=False),
        schema=schema,
    )
