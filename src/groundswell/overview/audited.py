"""The audits: what each found, and how the ECE went from one to the next."""

from __future__ import annotations

from typing import Any

from groundswell.jobs import audits
from groundswell.jobs.context import Context
from groundswell.store.listing import Part


def list_audits(context: Context, part: Part) -> dict[str, Any]:
    """Return that part of the audits, newest first, and what the last two years of them found, oldest first.

    `history` has time, n, ECE with its interval and alarm of each, in all and by line.
    """
    return {
        **audits.list_audits(context, part),
        "history": audits.history(context),
        "threshold": context.settings.drift_threshold,
    }
