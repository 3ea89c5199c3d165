"""`models`: what the registry holds, and the two moves an operator can make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundswell.jobs.context import Context
from groundswell.records import ModelVersion, Window
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
        "versions": [tell_version(entry, champions) for entry in registry.versions(context.database, window)],
    }


def tell_version(entry: ModelVersion, champions: Mapping[str, int]) -> dict[str, Any]:
    """Return a version in short: what it was made of, how good it was, and whether it is among the champions."""
    metrics = entry.evaluation.get("metrics") or {}
    return {
        "version": entry.version,
        "window": entry.window.value,
        "champion": champions.get(entry.window.value) == entry.version,
        "createdAt": entry.created_at.isoformat().replace("+00:00", "Z"),
        "source": entry.source,
        "rows": entry.lineage.get("rows"),
        "artifact": entry.artifact,
        "testAccuracy": metrics.get("accuracy"),
        "rps": metrics.get("rps"),
        "recalibratedFrom": entry.lineage.get("recalibratedFrom"),
        "reason": entry.decision.get("reason"),
    }


def promote(context: Context, number: int, expected: int | None = None) -> dict[str, Any]:
    """Return what serves after version `number` was promoted by hand; raises UnknownVersionError.

    Where `expected` names what was serving when somebody decided (0: nothing), and another one serves by now, nothing
    moves: ChampionMovedError.
    """
    version = registry.version(context.database, number)
    context.artifacts.get(version.artifact)  # a model that cannot be read must not serve
    moved = registry.make_champion(context.database, number, context.now(), expected)
    return {"window": version.window.value, "champion": number, "moved": moved}


def rollback(context: Context, window: Window, expected: int | None = None) -> dict[str, Any]:
    """Return what serves after the champion before the present one was put back.

    Raises NoChampionError if there is none, ArtifactError if its model cannot be read, ChampionMovedError if the
    present one is no longer the one that was expected: then nothing moves.
    """
    context.artifacts.get(registry.before_champion(context.database, window).artifact)
    chosen = registry.rollback(context.database, window, context.now(), expected)
    return {"window": window.value, "champion": chosen.version, "moved": True}
