"""The audits as a page shows them: the ECE over time, for the scores and for each line."""

from __future__ import annotations

from typing import Any

from groundswell.reports import audit_pictures, reading
from groundswell.reports.words import Body


def told_audits(body: Body) -> dict[str, Any]:
    """Return what the template `audits.html` draws."""
    history, threshold = reading.parts(body, "history"), reading.number(body, "threshold")
    windows = list(dict.fromkeys(window for one in history for window in reading.part(one, "lines")))
    lines = [
        audit_pictures.over_audits(f"ECE of {window}, audit by audit", _of_line(history, window), threshold)
        for window in windows
    ]
    scores = audit_pictures.over_audits("ECE of the scores, audit by audit", history, threshold)
    return {"pictures": [one for one in (scores, *lines) if one.svg]}


def _of_line(history: list[Body], window: str) -> list[Body]:
    return [
        {**reading.part(one, "lines", window), "auditedAt": reading.found(one, "auditedAt")}
        for one in history
        if reading.part(one, "lines", window)
    ]
