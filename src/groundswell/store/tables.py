"""The tables: the user's product tables as DESIGN describes them, and our own in schema `groundswell`.

The user's tables are read as they are and created only where they are missing. Ours are migrated by Alembic;
`migrations/` is the history, this file the present, and a test holds the two against each other.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles

SCHEMA = "groundswell"

type_bigint = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def json_text(value: Any) -> str:
    """Return the value as JSON text, the same for both databases: what JSON has no word for (NaN) becomes null.

    >>> json_text({"ece": float("nan")})
    '{"ece":null}'
    """
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def moment_text(at: datetime) -> str:
    """Return an aware time as SQLite keeps it, which sorts as the times do.

    >>> moment_text(datetime(2025, 1, 2, 3, 4, 5, 60, tzinfo=UTC))
    '2025-01-02 03:04:05.000060'
    """
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware UTC time: timestamptz on PostgreSQL, text `YYYY-MM-DD HH:MM:SS.ffffff` on SQLite."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the column type of the dialect."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.String())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        """Return what the driver stores."""
        if value is None or dialect.name == "postgresql":
            return value
        return moment_text(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """Return the stored time as an aware one."""
        if value is None:
            return None
        parsed = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


class JsonText(sa.types.TypeDecorator[Any]):
    """A JSON value: jsonb on PostgreSQL, text on SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the column type of the dialect."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.JSONB(none_as_null=True))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """Return what the driver stores."""
        if value is None or dialect.name == "postgresql":
            return value
        return json_text(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        """Return the value that was stored."""
        if value is None or dialect.name == "postgresql":
            return value
        return orjson.loads(value)


class NewId(sa.sql.functions.FunctionElement[str]):
    """A fresh id made by the database, for rows that others write into tables we created."""

    inherit_cache = True


@compiles(NewId, "postgresql")
def _uuid_on_postgres(_element: NewId, _compiler: Any, **_options: Any) -> str:
    return "gen_random_uuid()"


@compiles(NewId, "sqlite")
def _hex_on_sqlite(_element: NewId, _compiler: Any, **_options: Any) -> str:
    return "lower(hex(randomblob(16)))"


uuid_text = sa.Text().with_variant(postgresql.UUID(as_uuid=False), "postgresql")
text_list = JsonText().with_variant(postgresql.ARRAY(sa.Text()), "postgresql")
#: Text that both databases put into one order, byte by byte: it breaks ties of time, and PostgreSQL sorts it fastest.
ordered_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

users = sa.MetaData()

scraped_videos = sa.Table(
    "scraped_videos",
    users,
    sa.Column("id", uuid_text, primary_key=True, server_default=NewId()),
    sa.Column("platform", sa.Text, server_default="tiktok"),
    sa.Column("platform_video_id", sa.Text),
    sa.Column("video_url", sa.Text),
    sa.Column("author", sa.Text),
    sa.Column("author_url", sa.Text),
    sa.Column("description", sa.Text),
    sa.Column("views", sa.BigInteger),
    sa.Column("likes", sa.BigInteger),
    sa.Column("shares", sa.BigInteger),
    sa.Column("comments", sa.BigInteger),
    sa.Column("sound_name", sa.Text),
    sa.Column("sound_url", sa.Text),
    sa.Column("hashtags", text_list),
    sa.Column("category", sa.Text),
    sa.Column("duration_seconds", sa.Integer),
    sa.Column("metadata", JsonText),
    sa.Column("archived_at", Moment),
    sa.Column("created_at", Moment),
    sa.Column("updated_at", Moment),
    sa.UniqueConstraint("platform", "platform_video_id"),
)

outcomes = sa.Table(
    "outcomes",
    users,
    sa.Column("id", uuid_text, primary_key=True, server_default=NewId()),
    sa.Column("analysis_id", uuid_text),
    sa.Column("user_id", uuid_text),
    sa.Column("actual_views", sa.BigInteger),
    sa.Column("actual_likes", sa.BigInteger),
    sa.Column("actual_shares", sa.BigInteger),
    sa.Column("actual_engagement_rate", sa.Numeric(10, 6, asdecimal=False)),
    sa.Column("predicted_score", sa.Numeric(5, 2, asdecimal=False)),
    sa.Column("actual_score", sa.Numeric(5, 2, asdecimal=False)),
    sa.Column("delta", sa.Numeric(5, 2, asdecimal=False)),
    sa.Column("platform", sa.Text),
    sa.Column("platform_post_url", sa.Text),
    sa.Column("deleted_at", Moment),
    sa.Column("reported_at", Moment),
    sa.Column("created_at", Moment),
    sa.Column("updated_at", Moment),
)

own = sa.MetaData(schema=SCHEMA)

snapshots = sa.Table(
    "snapshots",
    own,
    sa.Column("id", type_bigint, primary_key=True, autoincrement=True),
    sa.Column("platform", sa.Text, nullable=False),
    sa.Column("platform_video_id", sa.Text, nullable=False),
    sa.Column("observed_at", Moment),
    sa.Column("views", sa.BigInteger),
    sa.Column("likes", sa.BigInteger),
    sa.Column("shares", sa.BigInteger),
    sa.Column("comments", sa.BigInteger),
    sa.Column("saves", sa.BigInteger),
    sa.Column("author_followers", sa.BigInteger),
    sa.Column("recorded_at", Moment, nullable=False),
    sa.UniqueConstraint("platform", "platform_video_id", "observed_at", name="snapshots_one_per_moment"),
)

predictions = sa.Table(
    "predictions",
    own,
    sa.Column("id", uuid_text, primary_key=True),
    sa.Column("predicted_at", Moment, nullable=False),
    sa.Column("window", sa.Text, nullable=False),
    sa.Column("platform", sa.Text),
    sa.Column("platform_video_id", sa.Text),
    sa.Column("model_version", sa.Integer, nullable=False),
    sa.Column("calibration_version", sa.Integer),
    sa.Column("tier", sa.Integer, nullable=False),
    sa.Column("range_low", sa.Integer),
    sa.Column("range_high", sa.Integer),
    sa.Column("probabilities", JsonText, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("calibrated_score", sa.Float, nullable=False),
    sa.Column("features", JsonText, nullable=False),
    sa.Column("input", JsonText, nullable=False),
    sa.Column("author", sa.Text),
    sa.Column("segment", sa.Text),
    sa.Column("matures_at", Moment),
    sa.Index("predictions_by_time", "predicted_at"),
    sa.Index("predictions_by_video", "platform", "platform_video_id"),
)

prediction_outcomes = sa.Table(
    "prediction_outcomes",
    own,
    sa.Column("prediction_id", uuid_text, primary_key=True),
    sa.Column("actual_views", sa.BigInteger),
    sa.Column("actual_tier", sa.Integer),
    sa.Column("actual_score", sa.Float),
    sa.Column("matured_at", Moment),
    sa.Column("deleted_at", Moment),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("actual_quantity", sa.Float),
    sa.Column("observed_at", Moment),
    sa.Column("origin", sa.Text, nullable=False, server_default="reported"),
    sa.Index("prediction_outcomes_by_time", "created_at"),
)

model_versions = sa.Table(
    "model_versions",
    own,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("window", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("artifact", sa.Text, nullable=False),
    sa.Column("training_rows", sa.Text, nullable=False),
    sa.Column("lineage", JsonText, nullable=False),
    sa.Column("evaluation", JsonText, nullable=False),
    sa.Column("decision", JsonText, nullable=False),
)

aliases = sa.Table(
    "aliases",
    own,
    sa.Column("window", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("moved_at", Moment, nullable=False),
    sa.Column("completed_at", Moment),
)

calibrations = sa.Table(
    "calibrations",
    own,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("a", sa.Float, nullable=False),
    sa.Column("b", sa.Float, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("pairs", sa.Integer, nullable=False),
    sa.Column("content", JsonText),
)

runs = sa.Table(
    "runs",
    own,
    sa.Column("id", uuid_text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("window", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
    sa.Column("report", JsonText),
    sa.Index("runs_by_time", "started_at"),
)

#: What a run logged, in the order of `number`.
run_lines = sa.Table(
    "run_lines",
    own,
    sa.Column("run_id", uuid_text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
)

#: The processes that answer, and what each of them serves: {window: version}.
workers = sa.Table(
    "workers",
    own,
    sa.Column("id", uuid_text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("serving", JsonText, nullable=False),
)

#: What somebody was alerted of, by what it is about: one entry, so that nobody is told twice.
alerts = sa.Table(
    "alerts",
    own,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("run_id", uuid_text),
    sa.Column("since", Moment, nullable=False),
    sa.Column("sent_at", Moment),
)

#: Calls of a scraper that were taken in, so that the same run is taken in once.
received = sa.Table(
    "received",
    own,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("report", JsonText, nullable=False),
)

#: Attempts to log in that were not said to be right, for five minutes; `address` is what one guesser has one of.
login_attempts = sa.Table(
    "login_attempts",
    own,
    sa.Column("id", type_bigint, primary_key=True, autoincrement=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Index("login_attempts_by_address", "address"),
    sa.Index("login_attempts_by_time", "at"),
)

#: Sessions that somebody logged out of, by the hash of their id, for longer than their cookies would last.
ended_sessions = sa.Table(
    "ended_sessions",
    own,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("ended_at", Moment, nullable=False),
)

leases = sa.Table(
    "leases",
    own,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("renewed_at", Moment, nullable=False),
)

ledger = sa.Table(
    "ledger",
    own,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

#: What the history of a planned video is looked up in, made from scraped_videos and snapshots at any time anew.
#: A post without an outcome counts only for its author, so the other indexes leave it out. Each index holds all
#: columns: the thousand newest posts of a platform then lie side by side, and not on a thousand pages.
posts = sa.Table(
    "posts",
    own,
    sa.Column("key", ordered_text, primary_key=True),
    sa.Column("platform", ordered_text, nullable=False),
    sa.Column("author", ordered_text),
    sa.Column("sound_name", ordered_text),
    sa.Column("posted_at", Moment, nullable=False),
    sa.Column("views", sa.BigInteger),
    sa.Column("engagement", sa.Float),
    sqlite_with_rowid=False,
)
_OUTCOME = sa.text("views is not null")
_BY_AUTHOR = ("platform", "author", "posted_at", "key", "sound_name", "views", "engagement")
_BY_SOUND = ("platform", "sound_name", "posted_at", "key", "author", "views", "engagement")
_BY_PLATFORM = ("platform", "posted_at", "key", "author", "sound_name", "views", "engagement")
sa.Index("posts_by_author", *(posts.c[name] for name in _BY_AUTHOR))
sa.Index(
    "posts_by_sound",
    *(posts.c[name] for name in _BY_SOUND),
    sqlite_where=_OUTCOME,
    postgresql_where=_OUTCOME,
)
sa.Index(
    "posts_by_platform",
    *(posts.c[name] for name in _BY_PLATFORM),
    sqlite_where=_OUTCOME,
    postgresql_where=_OUTCOME,
)

post_tags = sa.Table(
    "post_tags",
    own,
    sa.Column("platform", ordered_text, primary_key=True),
    sa.Column("hashtag", ordered_text, primary_key=True),
    sa.Column("posted_at", Moment, primary_key=True),
    sa.Column("key", ordered_text, primary_key=True),
    sa.Column("views", sa.BigInteger, nullable=False),
    sa.Index("post_tags_by_key", "key"),
    sqlite_with_rowid=False,
)

posts_state = sa.Table(
    "posts_state",
    own,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("label_age_seconds", sa.BigInteger, nullable=False),
    sa.Column("label_age_max_seconds", sa.BigInteger),
    sa.Column("last_snapshot", sa.BigInteger, nullable=False),
)
