"""Today: is it well, what serves, what ran and will run, and what needs a human."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from groundswell import parsing
from groundswell.jobs.context import Context
from groundswell.overview.data import matured
from groundswell.overview.lines import held, last_audit, list_lines
from groundswell.overview.models import tell_ledger
from groundswell.overview.runs import tell_run
from groundswell.records import Window, as_json, utc
from groundswell.scheduling.plan import next_runs
from groundswell.store import listing, runs, tallies

#: An audit that is older than this is overdue; a month has 31 days.
_OVERDUE = timedelta(days=35)
#: A promotion that takes longer than this is stuck: workers ask every few seconds.
_STUCK = timedelta(seconds=60)
#: Alarms that are told wherever they are; below these the scores speak for all.
_WORST = ("red", "amber")
#: What a creator should do about a red or an amber alarm, by what the audit recommends.
_COMMANDS = {"recalibrate": "groundswell recalibrate --window {}", "retrain": "groundswell retrain --window {}"}


@dataclasses.dataclass(frozen=True, slots=True)
class Matter:
    """Something a human should do (`act`) or know (`know`): what, why, what to type, and where to look."""

    urgency: str
    title: str
    text: str
    command: str | None = None
    link: str | None = None


def show_today(context: Context) -> dict[str, Any]:
    """Return the state of everything at a glance; `attention` is empty where nobody needs to do anything."""
    now = context.now()
    audit, lines = last_audit(context), list_lines(context)["lines"]
    last = listing.last_runs(context.database)
    ledger, counted = tell_ledger(context), matured(context, now)
    matters = [
        *_empty(context, lines),
        *_alarms(audit, now),
        *_failures(context, last),
        *_holds(context, lines),
        *_rollouts(lines, now),
        *_ledger(ledger),
        *_unread(counted["counted"]),
        *_open(context),
    ]
    return {
        "at": as_json(now),
        "alarm": _alarm(audit),
        "attention": [as_json(one) for one in sorted(matters, key=lambda one: one.urgency)],
        "lines": lines,
        "lastRuns": [tell_run(run) for run in last],
        "nextRuns": as_json(next_runs(context.settings, now)),
        "matured": counted,
        "ledger": ledger,
    }


def _alarm(audit: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the worst alarm of the last audit: that of the scores (`window` null), unless a line's is worse."""
    if audit is None:
        return None
    lines = audit.get("lines") or {}
    window = next((window for state in _WORST for window in _in_state(audit, lines, state)), None)
    found = audit if window is None else lines[window]
    names = ("alarm", "alarmReason", "reason", "recommendation")
    return {
        "window": window,
        **{name: found.get(name) for name in names},
        "ece": (found.get("measures") or {}).get("ece") or found.get("ece"),
        "servedEce": found.get("servedEce"),
        "corrected": (found.get("scoreCalibration") or {}).get("active"),
        "auditedAt": audit.get("auditedAt"),
        "runId": audit.get("runId"),
    }


def _in_state(audit: Mapping[str, Any], lines: Mapping[str, Any], state: str) -> Iterator[str | None]:
    """Yield what is in that state: None for the scores, then the windows of lines."""
    if audit.get("alarm") == state:
        yield None
    yield from (window for window, line in lines.items() if (line or {}).get("alarm") == state)


def _empty(context: Context, lines: Sequence[Mapping[str, Any]]) -> Iterator[Matter]:
    """Return what is missing before anything can serve."""
    served = {line["window"] for line in lines if line["champion"]}
    if not tallies.any_video(context.database):
        yield Matter(
            "act", "No video is stored yet", "Everything begins with an export of a scraper.",
            "groundswell ingest PATH", "/data",
        )  # fmt: skip
        return
    for window in context.settings.scheduled_windows:
        if window.value not in served:
            yield Matter(
                "act",
                f"Nothing serves {window.value} yet",
                "No version of this line has been promoted, so it answers no prediction.",
                f"groundswell retrain --window {window.value}",
                f"/lines/{window.value}",
            )


def _alarms(audit: Mapping[str, Any] | None, now: datetime) -> Iterator[Matter]:
    if audit is None:
        yield Matter(
            "know",
            "Nothing has been audited yet",
            "An audit says whether what was said came true.",
            "groundswell audit",
        )
        return
    link = f"/audits/{audit['runId']}"
    for window, line in (audit.get("lines") or {}).items():
        if line.get("alarm") in {"red", "amber"}:
            yield _alarmed(f"Line {window} is {line['alarm']}", line, window, link)
    if audit.get("alarm") in {"red", "amber"}:
        yield _alarmed(f"The scores are {audit['alarm']}", audit, "observed", link)
    audited_at = parsing.lenient(parsing.moment, audit.get("auditedAt"))
    if audited_at is not None and now - audited_at > _OVERDUE:
        days = (now - audited_at).days
        yield Matter("act", "The audit is overdue", f"The last one is {days} days old.", "groundswell audit", link)


def _alarmed(title: str, body: Mapping[str, Any], window: str, link: str) -> Matter:
    recommended = body.get("recommendation") or {}
    action = str(recommended.get("action"))
    command = _COMMANDS[action].format(window) if action in _COMMANDS else None
    # Where nothing is recommended, the recommendation says why not, and the alarm why there is one.
    told = recommended.get("why") if command or not body.get("alarmReason") else body["alarmReason"]
    return Matter(
        "act" if command or body.get("alarm") == "red" else "know",
        title,
        f"{str(told or '').rstrip('.')}.",
        command,
        link,
    )


def _failures(context: Context, last: Sequence[Mapping[str, Any]]) -> Iterator[Matter]:
    for run in last:
        if run["status"] == "failed":
            report = (runs.find(context.database, str(run["id"])) or {}).get("report") or {}
            of = f" of {run['window']}" if run["window"] else ""
            error = str(report.get("error") or "It left no reason").rstrip(".")
            said = f"{error}. {report.get('hint') or ''}".strip()
            yield Matter("act", f"The last {run['kind']}{of} failed", said, None, f"/runs/{run['id']}")


def _holds(context: Context, lines: Sequence[Mapping[str, Any]]) -> Iterator[Matter]:
    for line in lines:
        found = held(context, Window(line["window"])) if line["versions"] or line["champion"] is None else None
        if found:
            serving = "the champion keeps serving" if line["champion"] else "nothing serves"
            text = f"{found['reason']}; {serving}."
            yield Matter(
                "know", f"The newest model of {line['window']} was held", text, None, f"/runs/{found['runId']}"
            )


def _rollouts(lines: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[Matter]:
    for line in lines:
        moving = line["rollout"]
        if moving and moving["waitingFor"] and now - utc(datetime.fromisoformat(moving["since"])) > _STUCK:
            named = ", ".join(f"{one['host']} ({one['pid']})" for one in moving["waitingFor"])
            text = f"Version {moving['version']} does not serve everywhere yet; still waited for: {named}."
            yield Matter("act", f"A promotion of {line['window']} is stuck", text, None, f"/lines/{line['window']}")


def _ledger(ledger: Mapping[str, Any]) -> Iterator[Matter]:
    if ledger["status"] == "broken":
        text = f"{ledger['explanation']}: somebody changed the history by hand."
        yield Matter("act", "The ledger is broken", text, "groundswell models list", "/models")


def _unread(counted: Mapping[str, Any] | None) -> Iterator[Matter]:
    unread = (counted or {}).get("unread") or 0
    if unread:
        text = (
            "Their videos are old enough to be judged. Once a newer scrape of them is ingested, a harvest finds what "
            "became of them; a video whose outcome was known before it was asked about is not judged."
        )
        named = "1 prediction waits" if unread == 1 else f"{unread:,} predictions wait"
        yield Matter("know", f"{named} for a later reading", text, "groundswell ingest PATH", "/data")


def _open(context: Context) -> Iterator[Matter]:
    if not context.settings.keys:
        text = "Whoever reaches this page may change what serves. Set GROUNDSWELL_API_KEY before others can reach it."
        yield Matter("know", "No key is set", text)
