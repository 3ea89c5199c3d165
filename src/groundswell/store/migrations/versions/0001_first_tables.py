"""Our own tables, first laid out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from groundswell.store import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "snapshots",
        sa.Column("id", tables.type_bigint, primary_key=True, autoincrement=True),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("platform_video_id", sa.Text, nullable=False),
        sa.Column("observed_at", tables.Moment),
        sa.Column("views", sa.BigInteger),
        sa.Column("likes", sa.BigInteger),
        sa.Column("shares", sa.BigInteger),
        sa.Column("comments", sa.BigInteger),
        sa.Column("saves", sa.BigInteger),
        sa.Column("author_followers", sa.BigInteger),
        sa.Column("recorded_at", tables.Moment, nullable=False),
        sa.UniqueConstraint("platform", "platform_video_id", "observed_at", name="snapshots_one_per_moment"),
        schema=tables.SCHEMA,
    )
    op.create_table(
        "predictions",
        sa.Column("id", tables.uuid_text, primary_key=True),
        sa.Column("predicted_at", tables.Moment, nullable=False),
        sa.Column("window", sa.Text, nullable=False),
        sa.Column("platform", sa.Text),
        sa.Column("platform_video_id", sa.Text),
        sa.Column("model_version", sa.Integer, nullable=False),
        sa.Column("calibration_version", sa.Integer),
        sa.Column("tier", sa.Integer, nullable=False),
        sa.Column("probabilities", tables.JsonText, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("calibrated_score", sa.Float, nullable=False),
        sa.Column("features", tables.JsonText, nullable=False),
        sa.Column("input", tables.JsonText, nullable=False),
        schema=tables.SCHEMA,
    )
    op.create_table(
        "prediction_outcomes",
        sa.Column("prediction_id", tables.uuid_text, primary_key=True),
        sa.Column("actual_views", sa.BigInteger),
        sa.Column("actual_tier", sa.Integer),
        sa.Column("actual_score", sa.Float),
        sa.Column("matured_at", tables.Moment),
        sa.Column("deleted_at", tables.Moment),
        sa.Column("created_at", tables.Moment, nullable=False),
        sa.Column("updated_at", tables.Moment, nullable=False),
        schema=tables.SCHEMA,
    )
    op.create_table(
        "model_versions",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("window", sa.Text, nullable=False),
        sa.Column("created_at", tables.Moment, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("artifact", sa.Text, nullable=False),
        sa.Column("training_rows", sa.Text, nullable=False),
        sa.Column("lineage", tables.JsonText, nullable=False),
        sa.Column("evaluation", tables.JsonText, nullable=False),
        sa.Column("decision", tables.JsonText, nullable=False),
        schema=tables.SCHEMA,
    )
    op.create_table(
        "aliases",
        sa.Column("window", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("moved_at", tables.Moment, nullable=False),
        schema=tables.SCHEMA,
    )
    op.create_table(
        "calibrations",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("created_at", tables.Moment, nullable=False),
        sa.Column("a", sa.Float, nullable=False),
        sa.Column("b", sa.Float, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("pairs", sa.Integer, nullable=False),
        schema=tables.SCHEMA,
    )
    op.create_table(
        "runs",
        sa.Column("id", tables.uuid_text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("window", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_at", tables.Moment, nullable=False),
        sa.Column("finished_at", tables.Moment),
        sa.Column("report", tables.JsonText),
        schema=tables.SCHEMA,
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("renewed_at", tables.Moment, nullable=False),
        schema=tables.SCHEMA,
    )
    op.create_table(
        "ledger",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        schema=tables.SCHEMA,
    )
