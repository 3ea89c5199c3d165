"""One database, SQLite or PostgreSQL: how it is opened, written, read in bulk and brought up to date."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, cast

import polars as pl
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url

from groundswell.errors import DatabaseError
from groundswell.settings import Settings, masked
from groundswell.store import tables

#: The newest migration; `migrations/versions` ends with it.
HEAD = "0005"
MIGRATIONS_TABLE = "groundswell_migrations"
_CONNECT_SECONDS = 10
_BUSY_SECONDS = 30
_RETRY_SECONDS = 0.005
#: Connections to an embedded database that a process keeps, and those it may have beside them for a while.
_KEPT_CONNECTIONS, _MORE_CONNECTIONS = 5, 10
#: Pages that a connection keeps; with SQLite's own 2 MB a look-up among a million posts reads many of them anew.
_CACHE_KILOBYTES = 16_000
#: A dead network is noticed within 25 s, before a lease expires.
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
_NOT_UTF8_HINT = "A text in a table is not UTF-8, which no reader can skip; correct that row, then run it again."
_FILE_HINT = "Check that the database and its folder are there and can be written: GROUNDSWELL_HOME, or DATABASE_URL."
_DAMAGED_HINT = "Its file is damaged; run `groundswell db restore FOLDER` with the newest backup."
#: What to do about what SQLite says.
_HINTS = {"UTF-8": _NOT_UTF8_HINT, "malformed": _DAMAGED_HINT, "not a database": _DAMAGED_HINT}
_BULK_ROWS = 50_000
#: Fewer new tuples at once than wake Python's cycle collector (700), which would double the time of a large read.
_FETCH_ROWS = 500
_BEGIN, _BEGIN_WRITE = "BEGIN", "BEGIN IMMEDIATE"
#: Errors of rows; whatever else goes wrong is the database's.
_FAULTS = tuple(
    kind for its in (sa.exc, sqlite3, psycopg) for kind in (its.DataError, its.IntegrityError, its.InterfaceError)
)
#: A connection of the driver: psycopg's where it is a server, else sqlite3's.
Driver: TypeAlias = "sqlite3.Connection | psycopg.Connection[Any]"
Columns = dict[str, pl.DataType | type[pl.DataType]]
Compact = Callable[[pl.DataFrame], pl.DataFrame]


def _as_it_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


class Database:
    """A database that groundswell works in: the user's tables as found, and our own beside them."""

    def __init__(self, url: str) -> None:
        self.url = _with_driver(url)
        self.engine = _engine(self.url)
        self.is_postgres = self.engine.dialect.name == "postgresql"
        # Each statement of READ COMMITTED would see a state of its own; SQLite's transactions see one anyway.
        self._reader = (
            self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            if self.is_postgres
            else self.engine
        )
        self._writer = self.engine.execution_options(write=True)
        self._file: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"Database({self.masked_url!r})"

    @contextmanager
    def _same_file(self) -> Iterator[None]:
        """Let go of connections to a file that is no longer the database, as after a backup was put in its place.

        They would go on reading and writing what nobody else sees. Raises DatabaseError while the file is gone.
        """
        path = self.url.database
        if not self.is_postgres and path not in {None, "", ":memory:"}:
            try:
                found = Path(str(path)).stat()
            except OSError:
                if self._file is not None:
                    raise DatabaseError(f"The database at {self.masked_url} is gone.", _FILE_HINT) from None
            else:
                before, self._file = self._file, (found.st_dev, found.st_ino)
                if before not in {None, self._file}:
                    self.engine.dispose()
        yield

    @contextmanager
    def begin(self, *, patience_seconds: float | None = None) -> Iterator[sa.Connection]:
        """Yield a connection inside one write transaction: all of it is stored, or nothing.

        An embedded database that another process is writing to is waited for so long at most.
        """
        with self._errors(), self._same_file(), self._writer.connect() as connection:
            driver = cast("sqlite3.Connection", connection.connection.driver_connection)
            with _patience(driver, None if self.is_postgres else patience_seconds), connection.begin():
                yield connection

    @contextmanager
    def direct(self, *, write: bool = False, patience_seconds: float | None = None) -> Iterator[Driver]:
        """Yield the driver's own connection inside one transaction, as `begin` or `read` have it.

        For what every prediction asks: such small statements cost the driver a tenth of what they cost SQLAlchemy. An
        embedded database that another process is writing to is waited for so long at most.
        """
        if self.is_postgres:
            with self.begin() if write else self.read() as connection:
                yield cast("Driver", connection.connection.driver_connection)
            return
        with self._errors(), self._same_file(), closing(self.engine.raw_connection()) as pooled:
            driver = cast("sqlite3.Connection", pooled.driver_connection)
            with _patience(driver, patience_seconds):
                driver.execute(_BEGIN_WRITE if write else _BEGIN)
                with driver:  # commits, or rolls back
                    yield driver

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees one consistent state and changes nothing."""
        with self._errors(), self._same_file(), self._reader.connect() as connection, connection.begin():
            yield connection

    def insert(self, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
        """Return an insert that knows `on_conflict_do_update`, which both databases understand."""
        return postgresql.insert(table) if self.is_postgres else sqlite.insert(table)

    def now(self, connection: sa.Connection) -> datetime:
        """Return the time by the clock that all processes share: the server's on PostgreSQL, else this machine's."""
        if self.is_postgres:
            now: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            return now.astimezone(UTC)
        return datetime.now(UTC)

    def read_frame(self, statement: sa.Select[Any], schema: Columns, compact: Compact = _as_it_is) -> pl.DataFrame:
        """Return the rows of a large select as a frame of the given columns and types.

        `compact` makes each slice of the rows smaller as it comes, so that the texts of all are never held at once.
        PostgreSQL answers through ADBC (binary COPY into Arrow, no Python object a value); SQLite's own driver is
        faster than ADBC's (measured: 0.5 s against 0.9 s for a million pairs).
        """
        with self._errors():
            if self.is_postgres:
                return compact(self._read_postgres(statement, schema))
            with self.read() as connection:
                return collect(connection.execute(statement).cursor, schema, compact)

    def _read_postgres(self, statement: sa.Select[Any], schema: Columns) -> pl.DataFrame:
        import adbc_driver_manager
        import adbc_driver_postgresql.dbapi as adbc

        compiled = statement.compile(self.engine, compile_kwargs={"literal_binds": True, "render_postcompile": True})
        uri = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            with adbc.connect(uri) as connection, connection.cursor() as cursor:
                cursor.execute(str(compiled).replace("%%", "%"))
                frame = pl.DataFrame(pl.from_arrow(cursor.fetch_arrow_table()))
        except adbc_driver_manager.Error as error:
            raise DatabaseError(f"The database at {self.masked_url} refused a read: {_first_line(error)}") from None
        return frame.rename(dict(zip(frame.columns, schema, strict=True))).cast(pl.Schema(schema))

    @property
    def has_room(self) -> bool:
        """Whether there is a connection to the embedded database that nobody uses at the moment."""
        return cast("sa.QueuePool", self.engine.pool).checkedout() < _KEPT_CONNECTIONS + _MORE_CONNECTIONS

    @property
    def exists(self) -> bool:
        """Whether there is a database to connect to; of a server this is known only by asking it."""
        file = self.url.database
        return self.is_postgres or file in {None, "", ":memory:"} or Path(str(file)).exists()

    @property
    def masked_url(self) -> str:
        """The URL without its password, which may also stand among its options."""
        hidden = {"password": "hidden"} if "password" in self.url.query else {}
        url = self.url.set(drivername=self.url.get_backend_name()).update_query_dict(hidden)
        return masked(url.render_as_string(hide_password=True))

    def prepare(self) -> None:
        """Bring the database to the state this code expects, or raise DatabaseError saying what to type.

        A fresh database is initialised, an embedded one also upgraded; a server that is behind is left alone.
        """
        revision = self.revision()
        if revision == HEAD:
            return
        if is_newer(revision):
            raise DatabaseError(
                f"The tables of groundswell at {self.masked_url} are at revision {revision}, newer than {HEAD} of this "
                "version.",
                "Install the version of groundswell that migrated them, or a later one.",
            )
        if revision is None or not self.is_postgres:
            self.upgrade()
            return
        raise DatabaseError(
            f"The tables of groundswell at {self.masked_url} are at revision {revision}, this version needs {HEAD}.",
            "Run `groundswell db upgrade`.",
        )

    def damage(self) -> str | None:
        """Return what SQLite finds broken in its file, None where nothing is; a server looks after its own files."""
        if self.is_postgres:
            return None
        with self.direct() as driver:
            found = cast("sqlite3.Connection", driver).execute("pragma quick_check(1)").fetchone()[0]
        return None if found == "ok" else f"The file is damaged: {found.splitlines()[-1]}."

    def revision(self) -> str | None:
        """Return the revision of our own tables, None where there are none."""
        schema = tables.SCHEMA if self.is_postgres else None
        with self.read() as connection:
            if not sa.inspect(connection).has_table(MIGRATIONS_TABLE, schema=schema):
                return None
            versions = sa.table(MIGRATIONS_TABLE, sa.column("version_num"), schema=schema)
            return connection.execute(sa.select(versions.c.version_num)).scalar()

    def upgrade(self) -> list[str]:
        """Create what is missing and migrate our own tables; return the names of the tables created."""
        from alembic import command
        from alembic.config import Config

        with self.begin() as connection:
            if self.is_postgres:  # two replicas starting at once take turns
                connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('groundswell'))"))
                connection.execute(sa.text(f"create schema if not exists {tables.SCHEMA}"))
            before = self._table_names(connection)
            tables.users.create_all(connection, checkfirst=True)
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return sorted(self._table_names(connection) - before)

    def _table_names(self, connection: sa.Connection) -> set[str]:
        inspector = sa.inspect(connection)
        inspector.clear_cache()
        names = set(inspector.get_table_names())
        if self.is_postgres and tables.SCHEMA in inspector.get_schema_names():
            names |= {f"{tables.SCHEMA}.{name}" for name in inspector.get_table_names(schema=tables.SCHEMA)}
        return names

    def missing_columns(self) -> dict[str, list[str]]:
        """Return, for each of the user's tables, the columns of DESIGN §3 that it lacks."""
        with self.read() as connection:
            inspector = sa.inspect(connection)
            lacking = {}
            for table in tables.users.tables.values():
                found = {column["name"] for column in inspector.get_columns(table.name)}
                lacking[table.name] = [column.name for column in table.columns if column.name not in found]
            return {name: columns for name, columns in lacking.items() if columns}

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.TimeoutError as error:
            raise DatabaseError(f"The database at {self.masked_url} is busy: every connection is taken.") from error
        except (sa.exc.DBAPIError, sqlite3.Error, psycopg.Error) as error:
            said = _first_line(error.orig if isinstance(error, sa.exc.DBAPIError) else error)
            hint = None if self.is_postgres else next((h for word, h in _HINTS.items() if word in said), _FILE_HINT)
            raise DatabaseError(f"The database at {self.masked_url} failed: {said}", hint) from error


def are_to_blame(error: Exception) -> bool:
    """Return whether a write failed because of its rows, and not because the database could not take any."""
    if not isinstance(error, DatabaseError):
        return True
    return isinstance(error.__cause__, _FAULTS)


def open_database(settings: Settings) -> Database:
    """Return the database of the settings, reachable and up to date; raises DatabaseError saying what is wrong."""
    make_home(settings)
    database = Database(settings.resolved_database_url)
    database.prepare()
    return database


def is_newer(revision: str | None) -> bool:
    """Return whether a later version of groundswell has migrated the tables.

    >>> is_newer("0001"), is_newer(None), is_newer("9999")
    (False, False, True)
    """
    return revision is not None and revision > HEAD


def make_home(settings: Settings) -> None:
    """Make the folder of the embedded database, where that is the one in use; raises DatabaseError."""
    if settings.database_url is not None:
        return
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"The home {settings.home} cannot be made: {error.strerror}.", "Set GROUNDSWELL_HOME to a writable folder."
        ) from None


def collect(cursor: Any, schema: Columns, compact: Compact = _as_it_is) -> pl.DataFrame:
    """Return what is left in a DB-API cursor as a frame, read in slices so that few Python objects live at once."""
    slices = []
    while columns := _fetch(cursor, len(schema)):
        slices.append(compact(_frame(columns, schema)))
    return pl.concat(slices, rechunk=True) if slices else compact(pl.DataFrame(schema=schema))


def frame_of(rows: Sequence[Any], schema: Columns) -> pl.DataFrame:
    """Return rows of plain values as a frame; a value that does not fit its column is null."""
    return _frame([list(column) for column in zip(*rows, strict=True)], schema)


def _fetch(cursor: Any, width: int) -> list[list[Any]]:
    columns: list[list[Any]] = [[] for _ in range(width)]
    while len(columns[0]) < _BULK_ROWS and (rows := cursor.fetchmany(_FETCH_ROWS)):
        for column, values in zip(columns, zip(*rows, strict=True), strict=True):
            column.extend(values)
    return columns if columns[0] else []


def _frame(columns: list[list[Any]], schema: Columns) -> pl.DataFrame:
    return pl.DataFrame(
        [
            pl.Series(name, column, dtype=dtype, strict=False)
            for (name, dtype), column in zip(schema.items(), columns, strict=True)
        ]
    )


def _with_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise DatabaseError(f"DATABASE_URL={masked(url)!r} is not a URL.") from None
    if "@" in (parsed.host or ""):
        # The rest of the password would be taken for a host, and named in the message of the failed connection.
        raise DatabaseError(
            "The user or password in DATABASE_URL holds an @ as it is.", "Write special characters as %40 and so on."
        )
    if parsed.drivername in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _engine(url: URL) -> sa.Engine:
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(
            url,
            pool_pre_ping=True,
            json_serializer=tables.json_text,
            connect_args={"connect_timeout": _CONNECT_SECONDS, "options": "-c timezone=UTC", **_KEEPALIVE},
        )
    # The connection used last goes first: what another one has written empties the pages that a connection keeps.
    engine = sa.create_engine(
        url,
        poolclass=sa.QueuePool,
        pool_use_lifo=True,
        pool_size=_KEPT_CONNECTIONS,
        max_overflow=_MORE_CONNECTIONS,
        connect_args={"timeout": _BUSY_SECONDS},
    ).execution_options(schema_translate_map={tables.SCHEMA: None})
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself: `_begin` says which kind it is to be.
    connection.isolation_level = None
    _keep_a_wal(connection)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", f"cache_size=-{_CACHE_KILOBYTES}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _keep_a_wal(connection: sqlite3.Connection) -> None:
    """Let the file keep a write-ahead log, trying again while others who opened it first do the same.

    SQLite's own patience does not help: where two that read a new file both want to change it, one is refused at once
    so that they do not wait for each other for ever (sqlite.org/c3ref/busy_handler.html).
    """
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            # The lowest byte is the kind of the error, the others its detail (sqlite.org/rescode.html).
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
        time.sleep(_RETRY_SECONDS)


@contextmanager
def _patience(driver: sqlite3.Connection, seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return
    _wait_at_most(driver, seconds)
    try:
        yield
    finally:
        _wait_at_most(driver, _BUSY_SECONDS)


def _wait_at_most(driver: sqlite3.Connection, seconds: float) -> None:
    driver.execute(f"PRAGMA busy_timeout = {round(1_000 * seconds)}").close()


def _begin(connection: sa.Connection) -> None:
    # A write transaction takes the write lock at once: two that read first and write later would deadlock.
    write = connection.get_execution_options().get("write", False)
    # Through the driver: SQLAlchemy takes as long to pass it on as a small select takes in all.
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    driver.execute(_BEGIN_WRITE if write else _BEGIN).close()


def _first_line(error: BaseException | None) -> str:
    return masked(str(error).strip().splitlines()[0]) if error and str(error).strip() else type(error).__name__
