"""Today as a page shows it: the state of the scores in one sentence, and whether anything is to be done about it."""

from __future__ import annotations

from typing import Any

from groundswell.reports import reading
from groundswell.reports.audit_words import ACTIONS, HEADLINES, recommendation
from groundswell.reports.words import Body
from groundswell.web.sights.lines import LINE_HEADLINES

_NOT_YET = "Nothing has been audited yet."


def told_today(body: Body) -> dict[str, Any]:
    """Return what the template `today.html` says of the last audit."""
    alarm = reading.part(body, "alarm")
    state, window = reading.said(alarm, "alarm"), reading.said(alarm, "window", unknown="")
    headline = f"Line {window}: {LINE_HEADLINES.get(state, state)}" if window else HEADLINES.get(state, _NOT_YET)
    return {"headline": headline, "recommended": _recommended(alarm)}


def _recommended(alarm: Body) -> str:
    action = reading.said(alarm, "recommendation", "action")
    if action in ACTIONS and action != "none":
        return f"Recommended: {recommendation(alarm)}"
    served = reading.number(alarm, "servedEce")
    if reading.truth(alarm, "corrected") and served is not None:
        return f"A calibration that this audit found corrects the scores since: with it, their ECE is {served:.3f}."
    return "Nothing needs to be done about it." if alarm else ""
