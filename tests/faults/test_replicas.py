"""Two replicas on one PostgreSQL: one of them runs what is due, and a promotion is complete when both serve it."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.acceptance.process import VIDEO, Place, Server, made_up, until, write_export
from tests.conftest import PostgresServer
from tests.faults.test_workers import LENIENT, served


@pytest.fixture
def place(tmp_path: Path, postgres_url: str) -> Place:
    """A place on PostgreSQL with two versions, of which the second serves."""
    place = Place(tmp_path, {**Place(tmp_path).environment, **LENIENT, "DATABASE_URL": postgres_url})
    place.run("db", "init")
    place.run("ingest", str(write_export(tmp_path / "export.jsonl", made_up(600))))
    for version in (1, 2):
        assert place.json("retrain")["modelVersion"] == version
    return place


def test_two_replicas_share_the_work_and_the_word(place: Place, postgres_url: str) -> None:
    def rows(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(postgres_url) as connection:
            return connection.execute(statement).fetchall()

    def serving() -> list[Any]:
        return [found for (found,) in rows("select serving from groundswell.workers")]

    leader = "select w.pid from groundswell.leases l join groundswell.workers w on w.id::text = l.holder"
    incomplete = "select version from groundswell.aliases where completed_at is null"
    with ExitStack() as stack:
        replicas = {}
        for _ in range(2):
            process, server = stack.enter_context(served(place))
            replicas[process.pid] = (process, server)
        until(lambda: serving() == [{"observed": 2}] * 2, "both serve version 2")
        until(lambda: len(rows(leader)) == 1, "one leads")
        ((killed,),) = rows(leader)
        (heir,) = set(replicas) - {killed}
        os.kill(heir, signal.SIGSTOP)
        place.run("models", "rollback")
        until(lambda: {"observed": 1} in serving(), "the one that is awake serves version 1")
        assert rows(incomplete) == [(1,)]
        os.kill(heir, signal.SIGCONT)
        until(lambda: rows(incomplete) == [], "the rollback is complete")
        assert serving() == [{"observed": 1}] * 2
        replicas[killed][0].kill()
        rows_changed = "update groundswell.leases set renewed_at = now() - interval '1 minute' returning name"
        assert rows(rows_changed) == [("scheduler",)]
        until(lambda: rows(leader) == [(heir,)], "the other leads")
        assert replicas[heir][1].predict(VIDEO)[0]["modelVersion"] == 1
        replicas[heir][0].terminate()
        replicas[heir][0].communicate(timeout=60)


def test_while_the_database_is_away_loaded_models_answer_and_everything_comes_back(
    place: Place, postgres_url: str, postgres_server: PostgresServer
) -> None:
    name = sql.Identifier(postgres_url.partition("?")[0].rpartition("/")[2])
    end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = {}"

    def ready(server: Server) -> tuple[int, str]:
        answer = server.get("/readyz")
        return answer.status, answer.body["predictions"]

    with served(place) as (process, server):
        until(lambda: ready(server) == (200, "served"), "it is ready")
        postgres_server.execute(sql.SQL("alter database {} allow_connections false").format(name))
        postgres_server.execute(sql.SQL(end).format(sql.Literal(name.as_string().strip('"'))))
        until(lambda: ready(server) == (503, "served from the loaded models"), "it says that it is not ready")
        assert server.get("/healthz").status == 200
        assert server.predict(VIDEO)[0]["modelVersion"] == 2
        assert process.poll() is None
        postgres_server.execute(sql.SQL("alter database {} allow_connections true").format(name))
        until(lambda: ready(server) == (200, "served"), "it is ready again")
        assert "1 predictions stored" in server.get("/readyz").body["checks"]["log"]["said"]
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert process.returncode in {0, -signal.SIGTERM}, err.decode()
        assert b"Traceback" not in err, err.decode()
