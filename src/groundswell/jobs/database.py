"""`db`: create, migrate and check, without touching the tables of the user's product."""

from __future__ import annotations

from typing import Any

from groundswell.settings import Settings
from groundswell.store.database import HEAD, Database, is_newer, make_home


def upgrade(settings: Settings) -> dict[str, Any]:
    """Return the database's state after everything missing was created and our tables were migrated."""
    make_home(settings)
    database = Database(settings.resolved_database_url)
    try:
        created = database.upgrade()
        return _state(database) | {"created": created}
    finally:
        database.dispose()


def check(settings: Settings) -> dict[str, Any]:
    """Return the state of the database as it is, changing nothing; raises DatabaseError if it cannot be reached."""
    database = Database(settings.resolved_database_url)
    try:
        return _state(database, database.damage() if database.exists else None)
    finally:
        database.dispose()


def _state(database: Database, damage: str | None = None) -> dict[str, Any]:
    revision = database.revision() if database.exists else None
    missing = database.missing_columns() if revision else {}
    ready = revision == HEAD and not missing and damage is None
    return {
        "status": "ready" if ready else "not_ready",
        "database": database.masked_url,
        "revision": revision,
        "needed": HEAD,
        "missingColumns": missing,
        "hint": _hint(revision, missing) if damage is None else f"{damage} Run `groundswell db restore FOLDER`.",
    }


def _hint(revision: str | None, missing: dict[str, list[str]]) -> str | None:
    if revision is None:
        return "Run `groundswell db init`."
    if is_newer(revision):
        return "Install the version of groundswell that migrated the tables, or a later one."
    if revision != HEAD:
        return "Run `groundswell db upgrade`."
    return "Add the columns to your tables; groundswell never alters them." if missing else None
