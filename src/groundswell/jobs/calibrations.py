"""`calibrations`: every calibration of the score, and the way back to an older one."""

from __future__ import annotations

from typing import Any

from groundswell.jobs.context import Context
from groundswell.records import CalibrationVersion, as_json
from groundswell.store import calibrations


def list_calibrations(context: Context) -> dict[str, Any]:
    """Return the calibrations of the score, newest first; only the newest can serve."""
    found = calibrations.versions(context.database)
    newest = found[0].version if found else None
    return {"calibrations": [_tell(one, one.version == newest) for one in found]}


def restore(context: Context, number: int) -> dict[str, Any]:
    """Return the calibration that speaks again as version `number` did (0: none), under a number of its own.

    Raises UnknownVersionError.
    """
    return _tell(calibrations.restore(context.database, number, context.now()), newest=True)


def _tell(found: CalibrationVersion, newest: bool) -> dict[str, Any]:
    told: dict[str, Any] = as_json(found)
    calibrator = (found.content or {}).get("calibrator", {"kind": "platt"})
    kind = calibrator["kind"] if found.active else "identity"
    return {**told, "kind": kind, "serves": newest and found.active}
