"""Telling: note how a matter stands, and send what is new to every channel; nothing of it can fail a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from groundswell.alerting.channels import Delivery, send
from groundswell.alerting.topics import of_run
from groundswell.errors import SettingsError
from groundswell.records import as_json
from groundswell.settings import Settings
from groundswell.store import alerts
from groundswell.store.alerts import GOOD, Alert
from groundswell.store.database import Database

log = structlog.stdlib.get_logger("alerts")
_CHANNEL_HINT = "Set it to the channels as apprise writes them, such as slack://… or mailto://…, with spaces between."


def tell_run(settings: Settings, database: Database, kind: str, window: str | None, body: Mapping[str, Any]) -> None:
    """Tell what a run's report says that somebody must know; never raises."""
    tell(settings, database, lambda: of_run(kind, window, body))


def tell(settings: Settings, database: Database, found: Callable[[], Iterable[Alert]]) -> None:
    """Send what nobody has been told yet, decided once for all replicas; takes 10 s at most a message, never raises.

    What no channel took is told the next time. Without channels it is noted, for the page.
    """
    try:
        for alert in found():
            _tell(settings, database, alert)
    except Exception as error:  # whatever it is, what is told of must not fail by the telling
        log.error(f"Nobody could be told: {type(error).__name__}: {error}")


def send_test(settings: Settings) -> dict[str, Any]:
    """Return `status` and, for each channel, whether a test message arrived; raises SettingsError without channels."""
    if settings.alert_urls is None:
        raise SettingsError("GROUNDSWELL_ALERT_URLS is not set, so nobody is told of anything.", _CHANNEL_HINT)
    said = f"This is a test of groundswell {_place(settings)}. Nothing is wrong.".replace(" .", ".")
    found = send(settings.alert_urls.get_secret_value(), "groundswell: a test", said, is_good=True)
    if not found:
        raise SettingsError("GROUNDSWELL_ALERT_URLS names no channel.", _CHANNEL_HINT)
    status = "completed" if all(one.arrived for one in found) else "failed"
    return {"status": status, "channels": as_json(found)}


def _tell(settings: Settings, database: Database, alert: Alert) -> None:
    if not alerts.note(database, alert, settings.alert_cooldown):
        return
    log.log(logging.INFO if alert.state == GOOD else logging.WARNING, alert.title, topic=alert.topic)
    found: list[Delivery] = []
    if settings.alert_urls is not None:
        text = "\n".join(filter(None, (alert.said, _link(settings, alert.run_id))))
        found = send(settings.alert_urls.get_secret_value(), f"groundswell: {alert.title}", text, alert.state == GOOD)
    for one in found:
        if not one.arrived:
            log.error(f"The alert did not arrive through channel {one.channel}: {one.said}", topic=alert.topic)
    if not any(one.arrived for one in found):
        alerts.undelivered(database, alert.topic)


def _link(settings: Settings, run_id: str | None) -> str:
    if run_id is None:
        return ""
    return f"{settings.public_url}/runs/{run_id}" if settings.public_url else f"Run {run_id}"


def _place(settings: Settings) -> str:
    return f"at {settings.public_url}" if settings.public_url else ""
