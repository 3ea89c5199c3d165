"""What goes wrong with the store: processes killed, files read-only, servers away. The champion of before serves."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from groundswell.errors import DatabaseError
from groundswell.store import ledger, registry, runs
from groundswell.store.database import HEAD, Database

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

#: Promotes version 2 and dies at the N-th statement of the transaction, or (N = 0) just before its commit.
KILLED = """
import os, sys
from datetime import UTC, datetime
import sqlalchemy as sa
from groundswell.store import registry, runs
from groundswell.store.database import Database

database, fatal = Database(sys.argv[1]), int(sys.argv[2])
statements = 0

def count(*_args):
    global statements
    statements += 1
    if statements == fatal:
        os._exit(9)

with runs.running(database, kind="retrain", window="observed") as run:
    sa.event.listen(database.engine, "after_cursor_execute", count)
    if fatal == 0:
        sa.event.listen(database.engine, "commit", lambda _connection: os._exit(9))
    registry.promote(
        database, window="observed", artifact="second", training_rows="t", source="scraped_videos", lineage={},
        evaluation={}, decision={"reason": "better"}, expected=1, at=datetime.now(UTC), lease=run.lease)
print("survived")
"""


def promote(database: Database, expected: int | None, artifact: str) -> None:
    registry.promote(
        database,
        window="observed",
        artifact=artifact,
        training_rows="t",
        source="scraped_videos",
        lineage={},
        evaluation={},
        decision={"reason": "r"},
        expected=expected,
        at=AT,
    )


def verified(database: Database) -> bool:
    with database.read() as connection:
        return ledger.verify(connection).status == "verified"


@pytest.mark.parametrize("fatal", [1, 2, 4, 6, 0])
def test_killed_in_a_promotion_the_old_champion_serves(
    database: Database, fatal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(database, None, "first")
    url = database.url.render_as_string(hide_password=False)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, url, str(fatal)], capture_output=True, text=True, check=False
    )
    assert (killed.returncode, killed.stdout) == (9, ""), killed.stderr
    assert registry.serving(database, "observed").artifact == "first"
    assert len(registry.versions(database)) == 1
    assert verified(database)
    with pytest.raises(runs.AlreadyRunningError) as caught, runs.running(database, kind="retrain", window="observed"):
        pass
    (left,) = runs.recent(database)
    assert (left["id"], left["status"]) == (caught.value.run_id, "running")
    later = Database.now
    monkeypatch.setattr(Database, "now", lambda self, connection: later(self, connection) + runs.EXPIRES_AFTER)
    with runs.running(database, kind="retrain", window="observed") as run:
        promote(database, 1, "second")
        run.finish("completed", {})
    assert registry.serving(database, "observed").version == 2
    assert {row["status"] for row in runs.recent(database)} == {"failed", "completed"}
    assert verified(database)


def test_the_same_promotion_left_alive_serves(database: Database) -> None:
    promote(database, None, "first")
    url = database.url.render_as_string(hide_password=False)
    alive = subprocess.run([sys.executable, "-c", KILLED, url, "-1"], capture_output=True, text=True, check=False)
    assert (alive.returncode, alive.stdout, alive.stderr) == (0, "survived\n", "")
    assert registry.serving(database, "observed").version == 2


@pytest.fixture
def read_only(sqlite_database: Database) -> Iterator[Database]:
    promote(sqlite_database, None, "first")
    database = Database(f"sqlite:///file:{sqlite_database.url.database}?mode=ro&uri=true")
    yield database
    database.dispose()


def test_a_read_only_file_still_answers(read_only: Database) -> None:
    read_only.prepare()
    assert registry.serving(read_only, "observed").version == 1
    assert verified(read_only)


def test_a_read_only_file_is_not_written_and_says_so(read_only: Database) -> None:
    with pytest.raises(DatabaseError, match="readonly database") as caught:
        promote(read_only, 1, "second")
    assert "can be written" in caught.value.hint
    with pytest.raises(DatabaseError, match="readonly database"), runs.running(read_only, kind="audit"):
        pass
    assert registry.champions(read_only) == {"observed": 1}


def test_a_file_that_is_no_database_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "groundswell.db").write_text("This is a letter, and by no means a database file. " * 50)
    database = Database(f"sqlite:///{tmp_path / 'groundswell.db'}")
    with pytest.raises(DatabaseError, match="not a database"):
        database.prepare()
    database.dispose()


def test_a_database_in_a_missing_folder_is_one_error(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'missing' / 'groundswell.db'}")
    with pytest.raises(DatabaseError, match="unable to open"):
        database.prepare()
    database.dispose()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("url", ["ann:hush%40hush@127.0.0.1:{}/product", "ann@127.0.0.1:{}/product?password=hush"])
def test_an_unreachable_server_is_told_quickly_and_without_the_password(url: str) -> None:
    database = Database(f"postgresql://{url.format(free_port())}")
    began = time.monotonic()
    with pytest.raises(DatabaseError) as caught:
        registry.serving(database, "observed")
    assert time.monotonic() - began < 5
    told = f"{caught.value} {caught.value.hint} {database!r}"
    assert "127.0.0.1" in told
    assert "hush" not in told
    database.dispose()


@pytest.mark.parametrize(
    ("change", "reason"), [({"database": "nowhere"}, "does not exist"), ({"username": "nobody"}, "does not exist")]
)
def test_a_wrong_database_or_user_is_told_without_the_password(
    postgres_url: str, change: dict[str, str], reason: str
) -> None:
    url = Database(postgres_url).url.set(password="hushhush").set(**change)  # type: ignore[arg-type]
    database = Database(url.render_as_string(hide_password=False))
    with pytest.raises(DatabaseError, match=reason) as caught:
        database.prepare()
    assert "hushhush" not in str(caught.value)
    database.dispose()


def test_connections_cut_by_the_server_are_made_again(postgres_database: Database) -> None:
    promote(postgres_database, None, "first")
    with postgres_database.begin() as connection:
        connection.exec_driver_sql("select 1")
    killer = Database(postgres_database.url.render_as_string(hide_password=False))
    with killer.begin() as connection:
        connection.exec_driver_sql(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    killer.dispose()
    assert registry.serving(postgres_database, "observed").version == 1


def test_a_promotion_and_the_renewal_of_its_lease_do_not_block_each_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RENEW_SECONDS", 0.0005)
    with runs.running(database, kind="retrain", window="observed") as run:
        for number in range(20):
            registry.promote(
                database,
                window="observed",
                artifact=str(number),
                training_rows="t",
                source="scraped_videos",
                lineage={},
                evaluation={},
                decision={"reason": "r"},
                expected=number or None,
                at=AT,
                lease=run.lease,
            )
        run.finish("completed", {})
    assert registry.champions(database) == {"observed": 20}
    assert verified(database)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_many_preparing_at_once_make_one_set_of_tables(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    sqlite = f"sqlite:///{tmp_path / 'groundswell.db'}"
    url = sqlite if kind == "sqlite" else request.getfixturevalue("postgres_url")
    barrier = threading.Barrier(3)

    def prepare(_number: int) -> str | None:
        database = Database(url)
        barrier.wait()
        try:
            database.prepare()
            return database.revision()
        finally:
            database.dispose()

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(prepare, range(3))) == [HEAD] * 3


def test_many_opening_new_files_at_once_all_get_in(tmp_path: Path) -> None:
    """SQLite refuses one of two that turn on the write-ahead log at once; one round in fifteen met it."""
    openers, rounds = 8, 60
    barrier = threading.Barrier(openers)

    def opened(_number: int) -> list[str]:
        found = []
        for turn in range(rounds):
            database = Database(f"sqlite:///{tmp_path / str(turn)}.db")
            barrier.wait()
            try:
                with database.read() as connection:
                    found.append(str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()))
            except DatabaseError as error:  # told at the end: the others wait for this one at the barrier
                found.append(str(error))
            finally:
                database.dispose()
        return found

    with ThreadPoolExecutor(openers) as pool:
        assert list(pool.map(opened, range(openers))) == [["wal"] * rounds] * openers
