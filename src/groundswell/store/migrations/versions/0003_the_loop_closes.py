"""What closes the loop: when predictions mature, where outcomes come from, and calibrations of any kind."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from groundswell.store import tables

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # SQLite has no schemas, and an alteration is not translated as a creation is.
    schema = tables.SCHEMA if op.get_bind().dialect.name == "postgresql" else None
    added: dict[str, list[sa.Column[Any]]] = {
        "predictions": [
            sa.Column("author", sa.Text),
            sa.Column("segment", sa.Text),
            sa.Column("matures_at", tables.Moment),
        ],
        "prediction_outcomes": [
            sa.Column("actual_quantity", sa.Float),
            sa.Column("observed_at", tables.Moment),
            sa.Column("origin", sa.Text, nullable=False, server_default="reported"),
        ],
        "calibrations": [sa.Column("content", tables.JsonText)],
    }
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column, schema=schema)
    op.create_index("predictions_by_time", "predictions", ["predicted_at"], schema=schema)
    op.create_index("predictions_by_video", "predictions", ["platform", "platform_video_id"], schema=schema)
    op.create_index("prediction_outcomes_by_time", "prediction_outcomes", ["created_at"], schema=schema)
