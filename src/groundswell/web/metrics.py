"""What Prometheus is told: how fast answers are, what was predicted, and how the champions, runs and alarms stand."""

from __future__ import annotations

import collections
import os
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from groundswell import telemetry
from groundswell.calibration.alarm import AlarmState
from groundswell.errors import GroundswellError
from groundswell.jobs.context import Context
from groundswell.predictor import Logbook
from groundswell.scheduling.scheduler import leader
from groundswell.store import alerts, listing, registry, runs, workers
from groundswell.web.state import State

log = structlog.stdlib.get_logger("metrics")
#: What comes from the database is looked up again after so long; scrapes may be more frequent.
_REMEMBERED_SECONDS = 15.0
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
_STAGE_BUCKETS = (0.00005, 0.0001, 0.0003, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_ENDS = ("running", "completed", "skipped", "failed")

_requests = Histogram(
    "groundswell_request_seconds",
    "Time until a request was answered.",
    ("method", "route", "status"),
    buckets=_REQUEST_BUCKETS,
)
_stages = Histogram(
    "groundswell_stage_seconds", "Time of each stage of a prediction.", ("stage",), buckets=_STAGE_BUCKETS
)
_predictions = Counter("groundswell_predictions", "Predictions made.", ("window", "tier"))
_waiting = Gauge("groundswell_predictions_waiting", "Predictions that wait to be stored.", multiprocess_mode="livesum")
_lost = Gauge(
    "groundswell_predictions_lost", "Predictions that were answered and could not be stored.", multiprocess_mode="sum"
)


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request that was answered; the route is its template, so that there are only so many."""
    _requests.labels(method, route, str(status)).observe(seconds)


def observe_logbook(logbook: Logbook | None) -> None:
    """Take over how many predictions wait in this process, and how many were lost."""
    if logbook is not None:
        status = logbook.status()
        _waiting.set(status.waiting)
        _lost.set(status.lost)


def listen() -> None:
    """Count the stages and the predictions of this process from now on."""
    telemetry.listen(_observe_stage)
    telemetry.count(_count_predictions)


class Metrics:
    """The answer to a scrape; in a server of several workers it tells of all of them, whichever answers."""

    def __init__(self, state: State) -> None:
        self._stored = _Stored(state)

    def text(self) -> bytes:
        """Return every metric in the text format of Prometheus; never raises, whatever the database does."""
        own = CollectorRegistry()
        own.register(self._stored)
        folder = os.environ.get(telemetry.METRICS_FOLDER)
        if folder is None:
            return generate_latest(REGISTRY) + generate_latest(own)
        _forget_dead(Path(folder))
        together = CollectorRegistry()
        MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
        return generate_latest(together) + generate_latest(own)


class _Stored(Collector):
    """What is looked up in the database when somebody asks, and remembered for a moment."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._looking = threading.Lock()
        self._found: list[Metric] = []
        self._until = 0.0

    def collect(self) -> Iterable[Metric]:
        with self._looking:
            if time.monotonic() >= self._until:
                self._found = self._look()
                self._until = time.monotonic() + _REMEMBERED_SECONDS
            return self._found

    def describe(self) -> Iterable[Metric]:
        """Return nothing: to register is not to ask the database."""
        return ()

    def _look(self) -> list[Metric]:
        up = GaugeMetricFamily("groundswell_database_up", "Whether the database answers.", value=1)
        try:
            return [up, *_metrics(self._state.context())]
        except (GroundswellError, sa.exc.SQLAlchemyError):
            pass
        except Exception:  # a report that somebody changed must not hide the rest
            log.exception("What is stored cannot be told")
            return [up]
        return [GaugeMetricFamily("groundswell_database_up", "Whether the database answers.", value=0)]


def _metrics(context: Context) -> Iterator[Metric]:
    now = context.now()
    yield from _champions(context, now)
    yield from _runs(context)
    yield from _audits(context)
    yield GaugeMetricFamily(
        "groundswell_workers", "Workers that are alive.", value=len(workers.alive(context.database))
    )
    yield GaugeMetricFamily(
        "groundswell_scheduler_led", "Whether some process runs what is due.", value=int(leader(context) is not None)
    )
    yield GaugeMetricFamily(
        "groundswell_alerts_standing", "Matters that need somebody.", value=len(alerts.standing(context.database))
    )


def _champions(context: Context, now: datetime) -> Iterator[Metric]:
    version = GaugeMetricFamily("groundswell_champion_version", "Version that serves.", labels=("window",))
    age = GaugeMetricFamily("groundswell_champion_age_seconds", "Time since the champion was made.", labels=("window",))
    complete = GaugeMetricFamily(
        "groundswell_champion_everywhere", "Whether all workers serve the champion.", labels=("window",)
    )
    for rollout in workers.rollouts(context.database):
        label = (rollout.window,)
        made = registry.version(context.database, rollout.version).created_at
        version.add_metric(label, rollout.version)
        age.add_metric(label, (now - made).total_seconds())
        complete.add_metric(label, int(rollout.completed_at is not None))
    yield from (version, age, complete)


def _runs(context: Context) -> Iterator[Metric]:
    labels = ("kind", "window")
    begun = GaugeMetricFamily("groundswell_last_run_timestamp_seconds", "When the newest run began.", labels=labels)
    took = GaugeMetricFamily("groundswell_last_run_seconds", "How long the newest run took.", labels=labels)
    ended = GaugeMetricFamily(
        "groundswell_last_run_status", "1 for how the newest run ended.", labels=(*labels, "status")
    )
    for run in listing.last_runs(context.database):
        label = (run["kind"], run["window"] or "")
        begun.add_metric(label, run["started_at"].timestamp())
        if run["finished_at"]:
            took.add_metric(label, (run["finished_at"] - run["started_at"]).total_seconds())
        for end in _ENDS:
            ended.add_metric((*label, end), int(run["status"] == end))
    yield from (begun, took, ended)


def _audits(context: Context) -> Iterator[Metric]:
    alarm = GaugeMetricFamily("groundswell_alarm", "1 for the state of each alarm.", labels=("line", "state"))
    share = GaugeMetricFamily(
        "groundswell_matured_share", "Share of a window's predictions that have matured.", labels=("window",)
    )
    audits = runs.reports(context.database, "audit", ("completed", "skipped"), 1)
    for audit in audits:
        report = audit["report"]
        states = {"scores": report.get("alarm")}
        states |= {window: line.get("alarm") for window, line in (report.get("lines") or {}).items()}
        for line, state in states.items():
            for one in AlarmState:
                alarm.add_metric((line, one.value), int(one.value == state))
    for window, counted in _matured(context, audits).items():
        if counted.get("predictions"):
            share.add_metric((window,), counted["matured"] / counted["predictions"])
    yield from (alarm, share)


def _matured(context: Context, audits: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the newest counts by window; to count a million predictions at each scrape would take its time."""
    told = [*audits, *runs.reports(context.database, "harvest", ("completed",), 1)]
    newest = max(told, key=lambda run: run["started_at"], default=None)
    found: dict[str, Any] = ((newest or {}).get("report") or {}).get("matured", {}).get("byWindow", {})
    return found


def _observe_stage(name: str, seconds: float) -> None:
    _stages.labels(name).observe(seconds)


def _count_predictions(window: str, tiers: Iterable[int]) -> None:
    for tier, many in collections.Counter(tiers).items():
        _predictions.labels(window, str(tier)).inc(many)


def _forget_dead(folder: Path) -> None:
    """Leave out what live gauges of killed workers said last."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
