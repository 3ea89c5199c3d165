"""The lines: what serves each window, how good it is promised and found to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundswell.jobs import audits
from groundswell.jobs.context import Context
from groundswell.jobs.models import tell_version
from groundswell.overview.models import origin_of, rollback_to
from groundswell.overview.rollouts import rollouts
from groundswell.records import Window
from groundswell.store import listing, registry, runs

#: What a champion's evaluation is told with at a glance.
_GLANCE = ("accuracy", "withinOne", "rps", "qwk")


def list_lines(context: Context) -> dict[str, Any]:
    """Return every window with its champion, if it has one, the figures it was promoted with, and its last alarm."""
    audit = last_audit(context)
    moving = rollouts(context)
    champions = registry.champions(context.database)
    counts = listing.count_versions(context.database)
    return {
        "lines": [
            {
                "window": window.value,
                "versions": counts.get(window.value, 0),
                **_glance(context, window, champions),
                "rollout": moving.get(window.value),
                "audit": alarm_of(audit, window.value),
            }
            for window in Window
        ],
        "auditedAt": audit and audit.get("auditedAt"),
    }


def show_line(context: Context, window: Window) -> dict[str, Any]:
    """Return all of a line: the champion with its evaluation, what the last audit found of it, and its rollout.

    `champion` and `evaluation` are null while nothing serves the window; `rollbackTo` is the version that a rollback
    would put back, null where there is none; `held` says why the newest retrain was held, where it was.
    """
    champions = registry.champions(context.database)
    champion = registry.champion(context.database, window)
    audit = last_audit(context)
    return {
        "window": window.value,
        "champion": tell_version(champion, champions) if champion else None,
        "label": champion and {name: champion.lineage.get(name) for name in ("label", "cutPoints", "asOf")},
        "evaluation": champion and champion.evaluation,
        "decision": champion and champion.decision,
        "origin": origin_of(context, champion) if champion else None,
        "rollout": rollouts(context).get(window.value),
        "rollbackTo": rollback_to(context, window) if champion else None,
        "held": held(context, window),
        "audit": {**alarm_of(audit, window.value), "line": (audit.get("lines") or {}).get(window.value)}
        if audit
        else None,
    }


def last_audit(context: Context) -> dict[str, Any] | None:
    """Return the report of the newest audit that ended, with its run; None before the first."""
    found = runs.reports(context.database, audits.KIND, audits.WRITTEN, 1)
    return {**found[0]["report"], "runId": str(found[0]["id"])} if found else None


def alarm_of(audit: Mapping[str, Any] | None, window: str) -> dict[str, Any]:
    """Return what an audit says of a line in short; nulls where it says nothing."""
    line = ((audit or {}).get("lines") or {}).get(window) or {}
    told = {name: line.get(name) for name in ("alarm", "alarmReason", "n", "recommendation")}
    return {
        **told,
        "auditedAt": audit.get("auditedAt") if audit and line else None,
        "runId": audit.get("runId") if audit and line else None,
    }


def held(context: Context, window: Window) -> dict[str, Any] | None:
    """Return when, in which run and why the newest retrain of a window was held; None where it was not."""
    for run in listing.runs_of(context.database, listing.Part(1), "retrain", window=window.value):
        report = run["report"] or {}
        if run["status"] == "skipped":
            return {"runId": str(run["id"]), "reason": report.get("reason"), "decision": report.get("decision")}
    return None


def _glance(context: Context, window: Window, champions: Mapping[str, int]) -> dict[str, Any]:
    number = champions.get(window.value)
    if number is None:
        return {"champion": None, "metrics": None}
    version = registry.version(context.database, number)
    metrics = version.evaluation.get("metrics") or {}
    return {
        "champion": tell_version(version, champions),
        "metrics": {name: metrics[name] for name in _GLANCE if name in metrics},
    }
