"""`models`: what the registry holds, and the two moves an operator can make."""

from __future__ import annotations

from typing import Any

from groundswell.jobs.context import Context
from groundswell.records import Window
from groundswell.store import ledger, registry


def list_versions(context: Context, window: Window | None = None) -> dict[str, Any]:
    """Return the versions newest first, the champion of each window and whether the ledger holds."""
    with context.database.read() as connection:
        verification = ledger.verify(connection)
    champions = registry.champions(context.database)
    return {
        "ledger": verification.status,
        "ledgerExplanation": verification.explanation,
        "champions": champions,
        "versions": [
            {
                "version": entry.version,
                "window": entry.window.value,
                "champion": champions.get(entry.window.value) == entry.version,
                "createdAt": entry.created_at.isoformat().replace("+00:00", "Z"),
                "source": entry.source,
                "rows": entry.lineage.get("rows"),
                "artifact": entry.artifact,
                "testAccuracy": entry.evaluation["metrics"]["accuracy"],
                "rps": entry.evaluation["metrics"]["rps"],
                "recalibratedFrom": entry.lineage.get("recalibratedFrom"),
                "reason": entry.decision.get("reason"),
            }
            for entry in registry.versions(context.database, window)
        ],
    }


def promote(context: Context, number: int) -> dict[str, Any]:
    """Return what serves after version `number` was promoted by hand; raises UnknownVersionError."""
    version = registry.version(context.database, number)
    context.artifacts.get(version.artifact)  # a model that cannot be read must not serve
    moved = registry.make_champion(context.database, number, context.now())
    return {"window": version.window.value, "champion": number, "moved": moved}


def rollback(context: Context, window: Window) -> dict[str, Any]:
    """Return what serves after the champion before the present one was put back.

    Raises NoChampionError if there is none, ArtifactError if its model cannot be read: then nothing moves.
    """
    context.artifacts.get(registry.before_champion(context.database, window).artifact)
    chosen = registry.rollback(context.database, window, context.now())
    return {"window": window.value, "champion": chosen.version, "moved": True}
