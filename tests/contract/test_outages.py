"""What a database does when its file is replaced, its disk is full, or a later release has migrated it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from groundswell.errors import DatabaseError
from groundswell.store import tables
from groundswell.store.database import MIGRATIONS_TABLE, Database, are_to_blame


def write(database: Database, number: int) -> None:
    with database.begin() as connection:
        moment = database.now(connection)
        row = {
            "id": f"{number:08x}-0000-4000-8000-000000000000",
            "kind": "audit",
            "status": "done",
            "started_at": moment,
        }
        connection.execute(sa.insert(tables.runs), row)


def count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(tables.runs)).scalar_one())


def test_a_file_put_in_place_of_the_database_is_the_database(sqlite_database: Database, tmp_path: Path) -> None:
    file = Path(str(sqlite_database.url.database))
    write(sqlite_database, 1)
    sqlite_database.dispose()
    shutil.copy(file, tmp_path / "backup.db")
    write(sqlite_database, 2)
    (tmp_path / "backup.db").rename(file)
    for left in (f"{file}-wal", f"{file}-shm"):
        Path(left).unlink(missing_ok=True)
    assert count(sqlite_database) == 1, "what is read is what everybody else sees"
    write(sqlite_database, 3)
    other = Database(f"sqlite:///{file}")
    assert count(other) == 2
    other.dispose()


def test_a_file_that_is_gone_is_said_and_not_made_anew(sqlite_database: Database, tmp_path: Path) -> None:
    file = Path(str(sqlite_database.url.database))
    write(sqlite_database, 1)
    file.rename(tmp_path / "away.db")
    with pytest.raises(DatabaseError, match="gone"):
        count(sqlite_database)
    with pytest.raises(DatabaseError, match="gone"):
        write(sqlite_database, 2)
    assert not file.exists()
    (tmp_path / "away.db").rename(file)
    assert count(sqlite_database) == 1


def test_tables_of_a_later_release_are_left_alone(database: Database) -> None:
    schema = tables.SCHEMA if database.is_postgres else None
    versions = sa.table(MIGRATIONS_TABLE, sa.column("version_num"), schema=schema)
    with database.begin() as connection:
        connection.execute(sa.update(versions).values(version_num="9999"))
    with pytest.raises(DatabaseError, match="newer than") as refused:
        database.prepare()
    assert "Install" in refused.value.hint
    assert database.revision() == "9999"


def test_rows_that_do_not_fit_are_to_blame(database: Database) -> None:
    write(database, 1)
    with pytest.raises(DatabaseError) as twice:
        write(database, 1)
    assert are_to_blame(twice.value)
    assert are_to_blame(TypeError("no row at all"))


def test_a_database_that_takes_nothing_is(sqlite_database: Database) -> None:
    write(sqlite_database, 1)
    with sqlite_database.engine.connect() as plain:
        plain.exec_driver_sql("rollback")
        plain.exec_driver_sql("pragma query_only = on")
        plain.exec_driver_sql("begin")
        plain.rollback()
    with pytest.raises(DatabaseError) as refused:
        write(sqlite_database, 2)
    assert not are_to_blame(refused.value)


def test_a_server_that_only_reads_is(postgres_database: Database) -> None:
    name = postgres_database.url.database
    with postgres_database.begin() as connection:
        connection.exec_driver_sql(f'alter database "{name}" set default_transaction_read_only = on')
    postgres_database.dispose()
    with pytest.raises(DatabaseError) as refused:
        write(postgres_database, 1)
    assert not are_to_blame(refused.value)
