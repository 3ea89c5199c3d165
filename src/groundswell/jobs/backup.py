"""`db backup` and `db restore`: the embedded database of one moment, and every artifact it speaks of, in one folder."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from groundswell.errors import DatabaseError, GroundswellError
from groundswell.jobs.context import Context
from groundswell.settings import Settings
from groundswell.store import tables
from groundswell.store.artifacts import Artifacts
from groundswell.store.database import Database, is_newer, make_home

DATABASE, ARTIFACTS = "groundswell.db", "artifacts"


class BackupError(GroundswellError):
    """The backup cannot be made where it was asked for."""

    hint = "Name a folder that is not there yet, or an empty one, in a place that can be written."


def back_up(context: Context, folder: Path) -> dict[str, Any]:
    """Return what was written: a folder that serves as GROUNDSWELL_HOME as it is. Writers need not stop meanwhile.

    Artifacts are checked against their sha256 as they are copied. Raises BackupError, ArtifactError, and DatabaseError
    on a server, which has tools of its own for this.
    """
    _refuse_server(context.database)
    _make_empty(folder)
    # A copy by SQLite itself: whole, of one moment, and without what is being written.
    with closing(context.database.engine.raw_connection()) as connection:
        connection.cursor().execute("vacuum into ?", (str(folder / DATABASE),))
    names = _artifacts(context)
    _copy(names, context.artifacts, _artifacts_of(folder))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {"folder": str(folder), "artifacts": len(names), "bytes": size}


def restore(settings: Settings, folder: Path) -> dict[str, Any]:
    """Return what was put back; whatever was stored since the backup was made is gone. Servers need not stop meanwhile.

    SQLite itself writes the pages, in one transaction, into the file that is there: a file put in its place would be
    joined with what the one before has left beside it. A file too damaged for that is set aside. Raises BackupError
    where the folder holds no sound backup, and then nothing is changed, ArtifactError, and DatabaseError on a server.
    """
    database = Database(settings.resolved_database_url)
    _refuse_server(database)
    make_home(settings)
    with closing(_opened(folder / DATABASE)) as source:
        names = sorted({name for row in source.execute(_NAMES) for name in row})
        _copy(names, _artifacts_of(folder), Artifacts(settings.resolved_artifacts_url, settings.s3_endpoint))
        aside = _write(source, Path(str(database.url.database)))
    try:
        database.prepare()
    finally:
        database.dispose()
    return {"folder": str(folder), "artifacts": len(names), "setAside": None if aside is None else str(aside)}


def _write(source: sqlite3.Connection, file: Path) -> Path | None:
    """Make the file what the source is; return where the one that was there went, if nothing can be written into it."""
    try:
        _write_pages(source, file)
    except sqlite3.OperationalError as error:  # it is locked, or may not be written
        raise DatabaseError(f"The database {file} cannot be written: {error}.") from None
    except sqlite3.DatabaseError:
        aside = next(path for number in itertools.count(1) if not (path := Path(f"{file}.damaged-{number}")).exists())
        for left in ("", "-wal", "-shm"):
            if (found := Path(f"{file}{left}")).exists():
                found.rename(f"{aside}{left}")
        _write_pages(source, file)
        return aside
    return None


def _write_pages(source: sqlite3.Connection, file: Path) -> None:
    with closing(sqlite3.connect(file)) as target:
        source.backup(target)


_NAMES = "select artifact, training_rows from model_versions"
_REVISION = "select version_num from groundswell_migrations"


def _opened(file: Path) -> sqlite3.Connection:
    """Return a connection that only reads a backup; raises BackupError where it is none, or one of a later version."""
    hint = "Name a folder that `groundswell db backup` has written."
    try:
        with ExitStack() as stack:
            source = stack.enter_context(closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)))
            (found,), (revision,) = (source.execute(said).fetchone() for said in ("pragma quick_check(1)", _REVISION))
            if found != "ok":
                raise BackupError(f"The backup in {file.parent} is damaged: {found}.", hint)
            if is_newer(revision):
                said = f"The backup in {file.parent} was made by a later version of groundswell."
                raise BackupError(said, "Install that version first.")
            stack.pop_all()
            return source
    except sqlite3.Error as error:
        raise BackupError(f"There is no backup in {file.parent}: {error}.", hint) from None


def _refuse_server(database: Database) -> None:
    if database.is_postgres:
        raise DatabaseError(
            "A database on a server is backed up and restored with its own tools.",
            "Run `pg_dump --schema groundswell` for our tables, and copy the folder of GROUNDSWELL_ARTIFACTS_URL.",
        )


def _artifacts_of(folder: Path) -> Artifacts:
    return Artifacts(f"file://{(folder / ARTIFACTS).absolute()}")


def _copy(names: list[str], source: Artifacts, target: Artifacts) -> None:
    for name in names:
        target.put(source.get(name))


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BackupError(f"The folder {folder} is not empty.")
    except OSError as error:
        raise BackupError(f"The folder {folder} cannot be made: {error.strerror}.") from None


def _artifacts(context: Context) -> list[str]:
    versions = tables.model_versions.c
    with context.database.read() as connection:
        rows = connection.execute(sa.select(versions.artifact, versions.training_rows)).all()
    return sorted({name for row in rows for name in row})
