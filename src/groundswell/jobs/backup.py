"""`db backup`: the embedded database as it stands at one moment, and every artifact it speaks of, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from groundswell.errors import DatabaseError, GroundswellError
from groundswell.jobs.context import Context
from groundswell.store import tables
from groundswell.store.artifacts import Artifacts

DATABASE, ARTIFACTS = "groundswell.db", "artifacts"


class BackupError(GroundswellError):
    """The backup cannot be made where it was asked for."""

    hint = "Name a folder that is not there yet, or an empty one, in a place that can be written."


def back_up(context: Context, folder: Path) -> dict[str, Any]:
    """Return what was written: a folder that serves as GROUNDSWELL_HOME as it is. Writers need not stop meanwhile.

    Artifacts are checked against their sha256 as they are copied. Raises BackupError, ArtifactError, and DatabaseError
    on a server, which has tools of its own for this.
    """
    if context.database.is_postgres:
        raise DatabaseError(
            "A database on a server is backed up with its own tools.",
            "Run `pg_dump --schema groundswell` for our tables, and copy the folder of GROUNDSWELL_ARTIFACTS_URL.",
        )
    _make_empty(folder)
    # A copy by SQLite itself: whole, of one moment, and without what is being written.
    connection = context.database.engine.raw_connection()
    try:
        connection.cursor().execute("vacuum into ?", (str(folder / DATABASE),))
    finally:
        connection.close()
    copied = Artifacts(f"file://{(folder / ARTIFACTS).absolute()}")
    names = _artifacts(context)
    for name in names:
        copied.put(context.artifacts.get(name))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {"folder": str(folder), "artifacts": len(names), "bytes": size}


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
