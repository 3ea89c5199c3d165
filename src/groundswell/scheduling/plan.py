"""The plan: which jobs run when, as the settings say it, in UTC."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from groundswell.crontab import Cron, read_cron
from groundswell.records import Window
from groundswell.settings import Settings

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

_PATHS = {
    "retrain": "/api/cron/retrain-ml",
    "audit": "/api/cron/calibration-audit",
    "harvest": "/api/cron/harvest-outcomes",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """A job with its times; `window` is None for what concerns all of them."""

    kind: str
    window: Window | None
    cron: Cron

    @property
    def name(self) -> str:
        """What tells it from the others: `retrain-observed`, `audit`."""
        return self.kind if self.window is None else f"{self.kind}-{self.window.value}"

    @property
    def path(self) -> str:
        """The cron endpoint that runs it."""
        return _PATHS[self.kind] + ("" if self.window is None else f"?window={self.window.value}")

    def trigger(self) -> CronTrigger:
        """Return its times as APScheduler has them."""
        from apscheduler.triggers.cron import CronTrigger

        cron = self.cron
        return CronTrigger(
            minute=cron.minute,
            hour=cron.hour,
            day=cron.day,
            month=cron.month,
            day_of_week=cron.weekday_names,
            timezone=UTC,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Upcoming:
    """When a job runs next."""

    kind: str
    window: Window | None
    at: datetime
    cron: str


def plan(settings: Settings) -> tuple[Planned, ...]:
    """Return every job that runs by itself."""
    retrain = read_cron(settings.schedule_retrain)
    return (
        *(Planned("retrain", window, retrain) for window in settings.scheduled_windows),
        Planned("audit", None, read_cron(settings.schedule_audit)),
        Planned("harvest", None, read_cron(settings.schedule_harvest)),
    )


def next_runs(settings: Settings, now: datetime) -> list[Upcoming]:
    """Return the next run of every job, soonest first."""
    found = [
        Upcoming(job.kind, job.window, at.astimezone(UTC), str(job.cron))
        for job in plan(settings)
        if (at := job.trigger().get_next_fire_time(None, now)) is not None
    ]
    return sorted(found, key=lambda one: (one.at, one.kind, one.window or ""))
