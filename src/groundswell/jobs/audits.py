"""The audits of the past: each report as it was written, and whether it still is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from groundswell.errors import RequestError
from groundswell.jobs.context import Context
from groundswell.store import ledger, listing, runs
from groundswell.store.listing import Part

KIND = "audit"
#: What of a report is not frozen: the run adds it after the report was written.
_LOOSE = frozenset({"runId", "stepSeconds", "frozen"})
#: So many former audits are told beside a new one.
REMEMBERED = 24
#: Which audits are listed where nobody says otherwise.
NEWEST = Part(100)
#: How an audit ends that has something to say; a failed one is a run, and no audit.
WRITTEN = ("completed", "skipped")
_TOLD = ("auditedAt", "runId", "status", "ece", "totalSamples", "alarm", "driftDetected")


class UnknownAuditError(RequestError):
    """There is no audit of that id."""

    hint = "/api/audits lists them: each is named by its `runId`."
    http_status = 404


def digest(body: Mapping[str, Any]) -> str:
    """Return the sha256 of a report, which the ledger keeps so that nobody can change it unseen."""
    said = {name: value for name, value in body.items() if name not in _LOOSE}
    return hashlib.sha256(ledger.canonical(ledger.by_value(ledger.as_stored(said))).encode()).hexdigest()


def list_audits(context: Context, part: Part = NEWEST) -> dict[str, Any]:
    """Return that part of the audits, newest first, each with its figures in short, and how many there are."""
    counted = listing.count_runs(context.database)
    total = sum(one.n for one in counted if one.kind == KIND and one.status in WRITTEN)
    found = listing.runs_of(context.database, part, KIND, WRITTEN)
    return {
        "audits": [_short(run) for run in found],
        "total": total,
        "limit": part.limit,
        "offset": part.offset,
    }


def show_audit(context: Context, run_id: str) -> dict[str, Any]:
    """Return the report of an audit as it was written; `frozen` says whether it still is what the ledger says.

    Raises UnknownAuditError.
    """
    run = runs.find(context.database, run_id)
    if run is None or run["kind"] != KIND or run["status"] not in WRITTEN:
        raise UnknownAuditError(f"There is no audit {run_id}.")
    report: dict[str, Any] = run["report"]
    with context.database.read() as connection:
        kept = ledger.find(connection, ledger.AUDIT, "run", run_id)
    if kept is None:
        return {**report, "frozen": "not in the ledger"}
    return {**report, "frozen": "verified" if kept["sha256"] == digest(report) else "changed since it was written"}


def history(context: Context) -> list[dict[str, Any]]:
    """Return what former audits found, oldest first: time, n, ECE with its interval (null if skipped), and alarms."""
    return [_remembered(run) for run in reversed(runs.reports(context.database, KIND, WRITTEN, REMEMBERED))]


def _remembered(run: Mapping[str, Any]) -> dict[str, Any]:
    report = run["report"] or {}
    lines = {
        window: {"alarm": line.get("alarm"), "n": line.get("n"), "ece": (line.get("measures") or {}).get("ece")}
        for window, line in (report.get("lines") or {}).items()
    }
    return {
        "auditedAt": report.get("auditedAt"),
        "runId": run["id"],
        "n": report.get("totalSamples"),
        "ece": (report.get("measures") or {}).get("ece"),
        "alarm": report.get("alarm"),
        "lines": lines,
    }


def _short(run: Mapping[str, Any]) -> dict[str, Any]:
    report = run["report"] or {}
    told = {name: report.get(name) for name in _TOLD}
    return {**told, "runId": run["id"], "status": run["status"], "recommendation": report.get("recommendation")}
