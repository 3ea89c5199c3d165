"""The watch of a worker: in the background it loads what was promoted, and says that it is alive and what it serves."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Mapping, Sequence, Set

import structlog

from groundswell.alerting.telling import tell
from groundswell.alerting.topics import of_artifact, of_run
from groundswell.errors import ArtifactError, GroundswellError, NoChampionError, StaleModelError
from groundswell.jobs.context import Context
from groundswell.records import Window
from groundswell.store import registry, runs, workers
from groundswell.store.alerts import Alert
from groundswell.web.metrics import observe_logbook
from groundswell.web.state import State

log = structlog.stdlib.get_logger("serve")
INTERVAL_SECONDS = 1.0
#: A worker whose serving has not changed says so this often, well within the time after which it is taken for dead.
BEAT_SECONDS = 4.0
#: Whether a run was killed is looked at this often.
_RUNS_SECONDS = 15.0
_KILLED = "Its process was killed, or its machine stalled for over 30 seconds; nothing was published."
_KILLED_HINT = "Look whether memory ran out, then run it again."
#: A round under way when the worker stops is given this long: a hung database must not hang the end.
_STOP_SECONDS = 10.0


class Watch:
    """A thread that looks what serves every second; whatever goes wrong there, it goes on and requests are answered.

    `serving` is the version that this worker has loaded of each window, `unloadable` says why a champion could not be
    loaded, and `trouble` what was wrong in the last round, None where nothing was.
    """

    def __init__(self, state: State) -> None:
        self.worker = str(uuid.uuid4())
        self.serving: Mapping[str, int] = {}
        self.unloadable: Mapping[str, str] = {}
        self.trouble: str | None = None
        self._state = state
        self._beaten_at = -BEAT_SECONDS
        self._runs_after = 0.0
        self._late: Set[tuple[str, int]] = frozenset()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._telling: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._keep, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and take this worker from the list."""
        self._stopped.set()
        for thread in (self._thread, self._telling):
            if thread is not None:
                thread.join(_STOP_SECONDS)
        with contextlib.suppress(GroundswellError):  # then its row goes by itself
            workers.leave(self._state.context().database, self.worker)

    def look(self) -> None:
        """Load what serves by now and tell it; raises DatabaseError while the database is away."""
        context = self._state.context()
        self._state.heard(context.now())
        before, self.serving = self.serving, self._loaded()
        loaded = self.serving.items() - before.items()
        for window, version in sorted(loaded):
            log.info(f"Version {version} of {window} is loaded", worker=self.worker)
        self._find_unloadable(context, {window for window, _ in loaded})
        self._find_killed(context)
        if self.serving != before or time.monotonic() - self._beaten_at >= BEAT_SECONDS:
            for window in workers.beat(context.database, self.worker, socket.gethostname(), os.getpid(), self.serving):
                log.info(f"Every worker serves version {self.serving[window]} of {window}")
            self._beaten_at = time.monotonic()

    def _loaded(self) -> Mapping[str, int]:
        predictor, versions = self._state.predictor(), {}
        for window in Window:
            # Of a window without a model, or whose first cannot be loaded, nothing serves; the others do.
            with contextlib.suppress(NoChampionError, ArtifactError, StaleModelError):
                versions[window.value] = predictor.load(window)
        return versions

    def _find_unloadable(self, context: Context, loaded: Set[str]) -> None:
        champions = registry.champions(context.database)
        before, self._late = self._late, champions.items() - self.serving.items()
        # One that was promoted this very moment is loaded in the next round.
        found = {window: _why(context, number) for window, number in sorted(self._late & before)}
        # Another process may have told that what is loaded here could not be.
        changed = loaded | {window for window, _ in found.items() ^ self.unloadable.items()}
        self.unloadable = found
        if changed:
            self._tell(context, [of_artifact(window, found.get(window)) for window in sorted(changed)])

    def _find_killed(self, context: Context) -> None:
        if time.monotonic() < self._runs_after:
            return
        self._runs_after = time.monotonic() + _RUNS_SECONDS
        for run_id, kind, window in runs.fail_abandoned(context.database):
            log.error(f"A run of {kind} was killed, or its machine stalled", run_id=run_id)
            report = {"status": "failed", "error": _KILLED, "hint": _KILLED_HINT, "runId": run_id}
            self._tell(context, of_run(kind, window, report))

    def _tell(self, context: Context, alerts: Sequence[Alert]) -> None:
        # Channels may take their time, and this worker must not be taken for dead meanwhile.
        self._telling = threading.Thread(target=tell, args=(context.settings, context.database, lambda: alerts))
        self._telling.start()

    def _keep(self) -> None:
        while True:
            self._look_whatever_happens()
            if _is_orphan():
                # Its supervisor was killed: without this it would hold the port for ever.
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if self._stopped.wait(INTERVAL_SECONDS):
                return

    def _look_whatever_happens(self) -> None:
        before = self.trouble
        observe_logbook(self._state.logbook)
        try:
            self.look()
        except GroundswellError as error:
            self.trouble = str(error)
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"
        else:
            self.trouble = None
        if self.trouble and self.trouble != before:
            log.warning(f"Cannot look what serves; what is loaded answers on: {self.trouble}")
        elif before and not self.trouble:
            log.info("What serves can be seen again")


def _why(context: Context, number: int) -> str:
    """Return why a version is not loaded: its bytes, or what is made of them."""
    try:
        context.artifacts.get(registry.version(context.database, number).artifact)
    except ArtifactError as error:
        return str(error)
    return f"The model of version {number} cannot be used by this version of groundswell."


def _is_orphan() -> bool:
    supervisor = multiprocessing.parent_process()
    return supervisor is not None and not supervisor.is_alive()
