"""Posts and hashtags, in which the history of a planned video is looked up; the tier range of a prediction."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from groundswell.store import tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # SQLite has no schemas, and an alteration is not translated as a creation is.
    schema = tables.SCHEMA if op.get_bind().dialect.name == "postgresql" else None
    for name in ("range_low", "range_high"):
        op.add_column("predictions", sa.Column(name, sa.Integer), schema=schema)
    op.create_table(
        "posts",
        sa.Column("key", tables.ordered_text, primary_key=True),
        sa.Column("platform", tables.ordered_text, nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("sound_name", sa.Text),
        sa.Column("posted_at", tables.Moment, nullable=False),
        sa.Column("views", sa.BigInteger),
        sa.Column("engagement", sa.Float),
        schema=tables.SCHEMA,
        sqlite_with_rowid=False,
    )
    outcome = sa.text("views is not null")
    op.create_index(
        "posts_by_author",
        "posts",
        ["platform", "author", "posted_at", "key", "sound_name", "views", "engagement"],
        schema=tables.SCHEMA,
    )
    op.create_index(
        "posts_by_sound",
        "posts",
        ["platform", "sound_name", "posted_at", "key", "author", "views", "engagement"],
        schema=tables.SCHEMA,
        sqlite_where=outcome,
        postgresql_where=outcome,
    )
    op.create_index(
        "posts_by_platform",
        "posts",
        ["platform", "posted_at", "key", "author", "sound_name", "views", "engagement"],
        schema=tables.SCHEMA,
        sqlite_where=outcome,
        postgresql_where=outcome,
    )
    op.create_table(
        "post_tags",
        sa.Column("platform", tables.ordered_text, primary_key=True),
        sa.Column("hashtag", tables.ordered_text, primary_key=True),
        sa.Column("posted_at", tables.Moment, primary_key=True),
        sa.Column("key", tables.ordered_text, primary_key=True),
        sa.Column("views", sa.BigInteger, nullable=False),
        schema=tables.SCHEMA,
        sqlite_with_rowid=False,
    )
    op.create_index("post_tags_by_key", "post_tags", ["key"], schema=tables.SCHEMA)
    op.create_table(
        "posts_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("label_age_seconds", sa.BigInteger, nullable=False),
        sa.Column("label_age_max_seconds", sa.BigInteger),
        sa.Column("last_snapshot", sa.BigInteger, nullable=False),
        schema=tables.SCHEMA,
    )
