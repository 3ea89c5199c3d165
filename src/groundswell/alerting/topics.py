"""What a run is worth telling: failures, held models, alarms, and that they are over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundswell.store.alerts import GOOD, Alert

Body = Mapping[str, Any]
_ENDED = frozenset({"completed", "skipped"})


def of_run(kind: str, window: str | None, body: Body) -> tuple[Alert, ...]:
    """Return how the matters stand that a run's report speaks of; a dry run speaks of none."""
    if body.get("dryRun") or body.get("status") not in {*_ENDED, "failed"}:
        return ()
    told: list[Alert | None] = [_run(kind, window, body)]
    if body["status"] in _ENDED and kind == "retrain":
        told.append(_held(window, body))
    if body["status"] in _ENDED and kind == "audit":
        told += _alarms(body)
    return tuple(alert for alert in told if alert is not None)


def of_artifact(window: str, why: str | None) -> Alert:
    """Return how it stands with loading a window's champion; `why` says why it cannot be, None where it can."""
    topic = f"artifact:{window}"
    if why is None:
        return Alert(topic, GOOD, f"The champion of {window} is loaded again", "Every prediction comes from it.")
    next_step = (
        f"What was loaded before serves on. Run `groundswell models rollback --window {window}`, or put the artifact "
        "back: it is named by the sha256 of its bytes."
    )
    return Alert(topic, "unreadable", f"The champion of {window} cannot be loaded", f"{why}\n{next_step}")


def _run(kind: str, window: str | None, body: Body) -> Alert:
    name = _name(kind, window)
    topic = _topic("run", kind, window)
    if body["status"] != "failed":
        ended = "held its model" if body["status"] == "skipped" and kind == "retrain" else str(body["status"])
        return Alert(topic, GOOD, f"{name} works again", f"The newest run: {ended}.", body.get("runId"))
    hint = body.get("hint") or "The run's log says more; run it again when it is mended."
    return Alert(topic, "failed", f"{name} failed", f"{body.get('error')}\n{hint}", body.get("runId"))


def _held(window: str | None, body: Body) -> Alert | None:
    topic, run_id = _topic("held", "retrain", window), body.get("runId")
    if body["status"] == "completed":
        said = f"Version {body.get('modelVersion')} serves. {(body.get('decision') or {}).get('reason', '')}".rstrip()
        return Alert(topic, GOOD, f"A new model of {window} was promoted", said, run_id)
    decision = body.get("decision")
    if not isinstance(decision, Mapping) or decision.get("decision") != "hold":
        return None
    serving = body.get("champion")
    lines = [
        f"{decision.get('reason')}.".replace("..", "."),
        _accuracy(body),
        f"Version {serving} serves on." if serving is not None else "No model serves this window yet.",
        f"Enough would be: {decision['enough']}" if decision.get("enough") else "",
    ]
    return Alert(topic, "held", f"The new model of {window} was held", "\n".join(filter(None, lines)), run_id)


def _accuracy(body: Body) -> str:
    found = ((body.get("evaluation") or {}).get("metrics") or {}).get("accuracy")
    if not isinstance(found, Mapping) or found.get("value") is None:
        return ""
    known = found.get("low") is not None and found.get("high") is not None
    interval = f"95 % interval {found['low']:.1%} to {found['high']:.1%}, " if known else ""
    return f"Test accuracy {found['value']:.1%} ({interval}n {found.get('n', 0):,})."


def _alarms(body: Body) -> list[Alert | None]:
    run_id = body.get("runId")
    lines = body.get("lines") or {}
    return [_alarm("scores", body, run_id), *(_alarm(window, line, run_id) for window, line in lines.items())]


def _alarm(name: str, told: Body, run_id: str | None) -> Alert | None:
    """Return how the alarm of the scores or of a line stands; None where that is unknown, or not yet worth telling."""
    state, topic = told.get("alarm"), f"alarm:{name}"
    what = "the scores" if name == "scores" else f"the line {name}"
    if state == "green":
        return Alert(topic, GOOD, f"The alarm of {what} is green again", f"{told.get('alarmReason')}.", run_id)
    if not told.get("notify"):
        return None
    recommended = told.get("recommendation") or {}
    action = recommended.get("action")
    option = "" if name == "scores" else f" --window {name}"
    lines = [
        f"{told.get('alarmReason')}.",
        str(recommended.get("why") or ""),
        f"Run `groundswell {action}{option}`." if action in {"recalibrate", "retrain"} else "",
    ]
    return Alert(topic, str(state), f"Alarm {state}: {what}", "\n".join(filter(None, lines)), run_id)


def _name(kind: str, window: str | None) -> str:
    return kind.capitalize() if window is None else f"{kind.capitalize()} of {window}"


def _topic(matter: str, kind: str, window: str | None) -> str:
    return f"{matter}:{kind}" if window is None else f"{matter}:{kind}:{window}"
