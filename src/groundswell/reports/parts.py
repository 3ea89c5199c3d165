"""What pages are made of: a picture with its reading, a table, a finding, a badge."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from groundswell.reports import reading, words
from groundswell.reports.canvas import Spec
from groundswell.reports.drawing import drawn
from groundswell.reports.words import Body


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A drawing with its title and a sentence that says how to read it; without a drawing, why there is none."""

    title: str
    svg: Markup | None
    reading: str
    absent: str = "Not known: there is nothing to draw."


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head; `numeric` are the columns of figures; without rows, why there are none."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: range = range(1, 99)
    absent: str = words.UNKNOWN


def picture(title: str, spec: Spec | None, says: str, how: str) -> Picture:
    """Return a spec as a picture; `says` is read out where nobody sees it, `how` says how to read it."""
    return Picture(title, drawn(spec, says) if spec else None, how)


def finding(body: Body) -> dict[str, str]:
    """Return a check with its outcome in words, as a row of a table."""
    outcome = reading.said(body, "outcome")
    sign = {"passed": "✓ ", "failed": "✗ "}.get(outcome, "")
    return {
        "code": reading.said(body, "code", unknown="–"),
        "title": reading.said(body, "title", unknown=""),
        "outcome": sign + words.OUTCOMES.get(outcome, outcome),
        "badge": outcome if outcome in {"passed", "failed"} else "neutral",
        "explanation": reading.said(body, "explanation"),
    }


def alarm_badge(state: str) -> Markup:
    """Return an alarm as a coloured word with a sign of its own."""
    look = state if state in words.ALARM_SIGNS else "neutral"
    return Markup('<span class="badge {}">{}</span>').format(look, words.alarm(state))
