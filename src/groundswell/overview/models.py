"""The models: versions with what was decided about them, one of them in full, and what a change of champion means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundswell.errors import NoChampionError
from groundswell.jobs.context import Context
from groundswell.jobs.models import tell_version
from groundswell.overview.paging import told_part
from groundswell.overview.rollouts import rollouts
from groundswell.overview.tallied import Tally, tallies_of
from groundswell.records import ModelVersion, Window
from groundswell.store import ledger, listing, registry
from groundswell.store.listing import Part

#: The runs that make versions.
_MAKERS = ("retrain", "recalibrate")


def list_models(context: Context, part: Part, window: Window | None = None) -> dict[str, Any]:
    """Return that part of the versions, newest first, the champions, their rollouts and whether the ledger holds."""
    champions = registry.champions(context.database)
    counts = listing.count_versions(context.database)
    found = listing.versions_of(context.database, part, window)
    return {
        "models": [tell_version(version, champions) for version in found],
        **told_part(part, counts.get(window.value, 0) if window else sum(counts.values())),
        "windows": counts,
        "champions": champions,
        "rollouts": rollouts(context),
        "ledger": tell_ledger(context),
    }


def show_model(context: Context, number: int) -> dict[str, Any]:
    """Return a version: lineage, evaluation, decision, when it served, which run made it; raises UnknownVersionError.

    `origin` is the version whose estimator it has, where it is a recalibration of one: what its own evaluation leaves
    out stands there.
    """
    version = registry.version(context.database, number)
    champions = registry.champions(context.database)
    window = version.window.value
    moves = listing.moves_of(context.database, window)
    own = [move for move in moves if move["version"] == number]
    return {
        **tell_version(version, champions),
        "lineage": version.lineage,
        "evaluation": version.evaluation,
        "decision": version.decision,
        "origin": origin_of(context, version),
        "comparedWith": own[-1]["previous"] if own else None,
        "moves": [_told_move(move) for move in own],
        "rollout": rollouts(context).get(window) if champions.get(window) == number else None,
        "rollbackTo": rollback_to(context, version.window) if champions.get(window) == number else None,
        "runId": listing.run_at(context.database, _MAKERS, window, version.created_at),
    }


def origin_of(context: Context, version: ModelVersion) -> dict[str, Any] | None:
    """Return number and evaluation of the version whose estimator a recalibrated one has; None where it is its own."""
    # Before recalibrations named the estimator, they named the version that they were made from.
    number = version.lineage.get("estimatorOf", version.lineage.get("recalibratedFrom", version.version))
    if number == version.version:
        return None
    return {"version": number, "evaluation": registry.version(context.database, number).evaluation}


def plan_promotion(context: Context, number: int) -> dict[str, Any]:
    """Return what a promotion by hand would do: what serves now, what would, with the figures of both."""
    chosen = registry.version(context.database, number)
    serving = registry.champion(context.database, chosen.window)
    return _plan(context, "promote", chosen.window, serving, chosen)


def plan_rollback(context: Context, window: Window) -> dict[str, Any]:
    """Return what a rollback would do; raises NoChampionError where there is no champion before the present one."""
    chosen = registry.before_champion(context.database, window)
    return _plan(context, "rollback", window, registry.champion(context.database, window), chosen)


def rollback_to(context: Context, window: Window) -> int | None:
    """Return the version that a rollback would put back, None where there is none."""
    try:
        return registry.before_champion(context.database, window).version
    except NoChampionError:
        return None


def tell_ledger(context: Context) -> dict[str, Any]:
    """Return whether the ledger holds, as last verified: every link and version is looked at, which takes a while."""
    tally = tallies_of(context.database).of({"ledger": lambda: _verify(context)})["ledger"]
    return {**(tally.value or {"status": "being verified", "explanation": tally.error}), **age_of(tally)}


def age_of(tally: Tally) -> dict[str, Any]:
    """Return how old a count is, as an answer tells it; null while it is made for the first time."""
    return {"secondsAgo": tally.seconds_ago, "error": tally.error}


def _verify(context: Context) -> dict[str, Any]:
    with context.database.read() as connection:
        found = ledger.verify(connection)
    return {"status": found.status, "explanation": found.explanation}


def _plan(
    context: Context, action: str, window: Window, serving: ModelVersion | None, chosen: ModelVersion
) -> dict[str, Any]:
    champions = registry.champions(context.database)
    told = {
        name: {**tell_version(one, champions), "metrics": one.evaluation.get("metrics") or {}} if one else None
        for name, one in (("serving", serving), ("chosen", chosen))
    }
    return {"action": action, "window": window.value, **told, "changes": serving != chosen}


def _told_move(move: Mapping[str, Any]) -> dict[str, Any]:
    return {name: move.get(name) for name in ("at", "kind", "previous", "reason")}
