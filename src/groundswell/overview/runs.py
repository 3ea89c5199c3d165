"""The runs: every one with its end, and one of them with its steps, its log and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundswell.errors import RequestError
from groundswell.jobs.context import Context
from groundswell.overview.paging import seconds_between, told_part
from groundswell.records import as_json
from groundswell.store import listing, runs
from groundswell.store.listing import Part

#: So many of the last lines of a log are told.
MOST_LINES = 1_000


class UnknownRunError(RequestError):
    """There is no run of that id."""

    hint = "/api/runs lists them."
    http_status = 404


def list_runs(context: Context, part: Part, kind: str | None = None, status: str | None = None) -> dict[str, Any]:
    """Return that part of the runs, newest first, each in short, and how many there are of each kind and end."""
    counted = listing.count_runs(context.database)
    wanted = [one for one in counted if kind in (None, one.kind) and status in (None, one.status)]
    found = listing.runs_of(context.database, part, kind, None if status is None else [status])
    return {
        "runs": [tell_run(run) for run in found],
        **told_part(part, sum(one.n for one in wanted)),
        "kinds": _sums((one.kind, one.n) for one in counted),
        "statuses": _sums((one.status, one.n) for one in counted),
    }


def show_run(context: Context, run_id: str) -> dict[str, Any]:
    """Return a run with its report and the last lines it logged; raises UnknownRunError."""
    run = runs.find(context.database, run_id)
    if run is None:
        raise UnknownRunError(f"There is no run {run_id}.")
    lines = listing.lines_of(context.database, str(run["id"]), MOST_LINES)
    return {**tell_run(run), "report": run["report"], "log": as_json(lines)}


def tell_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run in short: what, when, how long, how it ended and why, and the version that came of it."""
    report = run.get("report") or {}
    return {
        "runId": str(run["id"]),
        "kind": run["kind"],
        "window": run["window"],
        "status": run["status"],
        "startedAt": as_json(run["started_at"]),
        "finishedAt": as_json(run["finished_at"]),
        "seconds": seconds_between(run["started_at"], run["finished_at"]),
        "said": said_of(run["kind"], report),
        "error": report.get("error"),
        "hint": report.get("hint"),
        "modelVersion": report.get("modelVersion"),
        "stepSeconds": report.get("stepSeconds"),
    }


def said_of(kind: str, report: Mapping[str, Any]) -> str | None:
    """Return what came of a run in a few words, from its report.

    >>> said_of("ingest", {"read": 7, "inserted": 5, "updated": 1, "rejected": 1})
    '7 rows read, 5 new, 1 updated, 1 rejected'
    >>> said_of("audit", {"alarm": "red", "ece": 0.21, "totalSamples": 900})
    'alarm red, ECE 0.21, n 900'
    """
    if report.get("reason"):
        return str(report["reason"])
    if kind == "ingest" and "read" in report:
        told = (("read", "rows read"), ("inserted", "new"), ("updated", "updated"), ("rejected", "rejected"))
        return ", ".join(f"{report.get(name) or 0:,} {word}" for name, word in told)
    if kind == "audit" and "alarm" in report:
        figures = f", ECE {report['ece']:g}, n {report.get('totalSamples') or 0:,}" if report.get("ece") else ""
        return f"alarm {report['alarm']}{figures}"
    if kind == "harvest" and "harvested" in report:
        return f"{report['harvested']:,} outcomes of {report.get('followed') or 0:,} predictions followed"
    decision = report.get("decision")
    return decision.get("reason") if isinstance(decision, Mapping) else None


def _sums(pairs: Any) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, n in pairs:
        sums[name] = sums.get(name, 0) + n
    return sums
