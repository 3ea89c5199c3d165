"""The database itself: prepared the same on SQLite and PostgreSQL, and polite to tables it does not own."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from groundswell import store
from groundswell.errors import DatabaseError
from groundswell.store import calibrations, ledger, outcomes, predictions, registry, tables
from groundswell.store.database import HEAD, MIGRATIONS_TABLE, Database

AT = datetime(2026, 8, 1, 12, tzinfo=UTC)


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


# --- from an older release ---


@pytest.fixture
def older(database: Database) -> Database:
    """The database as the release before 0003 left it: a prediction that matured, one that did not, a calibration."""
    with database.begin() as connection:
        connection.exec_driver_sql("drop schema groundswell cascade" if database.is_postgres else "select 1")
        if not database.is_postgres:
            for table in [*tables.own.sorted_tables, sa.table(MIGRATIONS_TABLE)]:
                connection.exec_driver_sql(f'drop table "{table.name}"')
    migrate(database, "0002")
    assert database.revision() == "0002"
    where, zone = (f"{tables.SCHEMA}.", "+00") if database.is_postgres else ("", "")
    said = {"version": 1, "a": -5.0, "b": 2.5, "active": True, "reason": "better", "pairs": 200}
    numbers, nothing = "'[0.1, 0.2, 0.4, 0.2, 0.1]'", "'{}'"
    columns = 'id, predicted_at, "window", platform, platform_video_id, model_version, tier, probabilities, score'
    with database.begin() as connection:
        for number, video in ((1, "'7'"), (2, "null")):
            connection.exec_driver_sql(
                f"insert into {where}predictions ({columns}, calibrated_score, features, input) values ("
                f"'{uuid.UUID(int=number)}', '2026-08-01 12:00:00.000000{zone}', 'publish', 'tiktok', {video}, 1, 3, "
                f"{numbers}, 55.5, 44.5, '[0.25, null]', {nothing})"
            )
        connection.exec_driver_sql(
            f"insert into {where}prediction_outcomes (prediction_id, actual_views, actual_tier, actual_score, "
            f"matured_at, created_at, updated_at) values ('{uuid.UUID(int=1)}', 9, 4, 70.5, "
            f"'2026-08-04 12:00:00.000000{zone}', '2026-08-05 12:00:00.000000{zone}', "
            f"'2026-08-05 12:00:00.000000{zone}')"
        )
        connection.exec_driver_sql(
            f"insert into {where}calibrations (version, created_at, a, b, active, reason, pairs) values "
            f"(1, '2026-08-01 12:00:00.000000{zone}', -5.0, 2.5, true, 'better', 200)"
        )
        ledger.append(connection, ledger.CALIBRATION, said, AT)
    return database


def migrate(database: Database, revision: str) -> None:
    with database.begin() as connection:
        if database.is_postgres:
            connection.exec_driver_sql(f"create schema if not exists {tables.SCHEMA}")
        config = Config()
        config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_what_an_older_release_wrote_is_kept(older: Database) -> None:
    prefix = "groundswell." if older.is_postgres else ""
    added = ("alerts", "ended_sessions", "login_attempts", "received", "run_lines", "workers")
    assert older.upgrade() == [f"{prefix}{name}" for name in added]
    assert older.revision() == HEAD
    assert not older.missing_columns()
    with older.read() as connection:
        rows = connection.execute(sa.select(tables.predictions).order_by(tables.predictions.c.id)).mappings().all()
        (kept,) = connection.execute(sa.select(tables.prediction_outcomes)).mappings()
        (calibration,) = connection.execute(sa.select(tables.calibrations)).mappings()
        assert ledger.verify(connection).status == "verified"
    assert [(row["platform_video_id"], row["score"], row["features"]) for row in rows] == [
        ("7", 55.5, [0.25, None]),
        (None, 55.5, [0.25, None]),
    ]
    assert {(row["author"], row["segment"], row["matures_at"]) for row in rows} == {(None, None, None)}
    assert (kept["actual_score"], kept["actual_views"]) == (70.5, 9)
    assert (kept["origin"], kept["observed_at"], kept["actual_quantity"]) == ("reported", None, None)
    assert (calibration["a"], calibration["active"], calibration["content"]) == (-5.0, True, None)


def test_what_an_older_release_wrote_is_part_of_the_loop(older: Database) -> None:
    older.upgrade()
    until = AT + timedelta(days=90)
    found = outcomes.pairs(older, AT, until)
    assert found.frame.select("predicted", "actual", "own").rows() == [(0.555, 0.705, True)]
    assert [(one.predictions, one.matured, one.nameless) for one in predictions.maturity(older, AT, until)] == [
        (2, 1, 1)
    ]
    assert registry.serving(older, "publish").calibration == calibrations.versions(older)[0]
    calibrations.restore(older, 1, until)
    with older.read() as connection:
        assert ledger.verify(connection).status == "verified"


def test_a_migrated_database_has_the_tables_that_the_code_describes(older: Database) -> None:
    older.upgrade()
    test_the_migrations_make_the_tables_that_the_code_describes(older)
