"""Rollouts: whether every process serves the champion by now, or who is still waited for."""

from __future__ import annotations

from typing import Any

from groundswell.jobs.context import Context
from groundswell.records import as_json
from groundswell.store import workers


def rollouts(context: Context) -> dict[str, dict[str, Any]]:
    """Return, for each window with a champion: version, since when, whether all workers serve it, and who does not.

    `completedAt` is null while a worker is waited for, and where none has ever reported what it serves.
    """
    alive = len(workers.alive(context.database))
    return {
        one.window: {
            "version": one.version,
            "since": as_json(one.moved_at),
            "completedAt": as_json(one.completed_at),
            "workers": alive,
            "waitingFor": [
                {"host": worker.host, "pid": worker.pid, "serves": worker.serving.get(one.window)}
                for worker in one.waiting_for
            ],
        }
        for one in workers.rollouts(context.database)
    }
