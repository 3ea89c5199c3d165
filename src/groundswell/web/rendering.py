"""Pages as HTML: templates in one look, with the parts that they share with reports."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import jinja2
import orjson
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

import groundswell
from groundswell.access import Role
from groundswell.reports import reading, words
from groundswell.reports.pages import LOADER, environment
from groundswell.reports.parts import alarm_badge, finding
from groundswell.reports.words import METRICS, Body
from groundswell.web.assets import asset
from groundswell.web.guard.callers import Caller, caller
from groundswell.web.guard.forms import csrf_token
from groundswell.web.guard.refusals import UnauthorizedError


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A page that the navigation leads to."""

    path: str
    name: str
    role: Role = Role.READ


PLACES = (
    Place("/", "Today"),
    Place("/try", "Try it", Role.PREDICT),
    Place("/lines", "Lines"),
    Place("/models", "Models"),
    Place("/audits", "Audits"),
    Place("/runs", "Runs"),
    Place("/data", "Data"),
)
#: What a page says after a change, by the word in its address.
NOTICES = {
    "promoted": "Done: this version serves from now on. Every process picks it up within seconds.",
    "unmoved": "Nothing changed: this version was serving already.",
    "rolled-back": "Done: this version serves again. Every process picks it up within seconds.",
}
_STATUS_LOOKS = {"completed": "passed", "failed": "failed", "skipped": "amber", "running": "neutral"}
_STATUS_SIGNS = {"completed": "✓", "failed": "✗", "skipped": "–", "running": "…"}


def render(request: Request, template: str, code: int = 200, **values: Any) -> HTMLResponse:
    """Return the page of a template; `here` is the navigation's place that the request's path belongs to."""
    path, known = request.url.path, _known(request)
    here = next((one.path for one in PLACES if one.path != "/" and path.startswith(one.path)), "/")
    around = {
        "places": [one for one in PLACES if known and one.role in known.roles],
        "may_operate": known is not None and Role.OPERATE in known.roles,
        "here": here if here != "/" or path == "/" else None,
        "path": path,
        "caller": known,
        "csrf": csrf_token(request),
        "notice": NOTICES.get(request.query_params.get("notice", "")),
        "twin": None,
        "code_version": groundswell.__version__,
    }
    found = _ENVIRONMENT.get_template(template).render(around | values)
    return HTMLResponse(found, code)


def error_page(request: Request, status: int, said: str, hint: str = "") -> HTMLResponse:
    """Return the page of an error: what went wrong, and what to do next."""
    return render(request, "error.html", status, status=status, title=_TITLES.get(status, "It did not work"),
                  said=said, hint=hint)  # fmt: skip


def _known(request: Request) -> Caller | None:
    """Return who asks; None where that is nobody we know, as at the login."""
    try:
        return caller(request)
    except UnauthorizedError:
        return None


_TITLES = {
    401: "Log in first",
    403: "This key may not do that",
    404: "There is nothing here",
    409: "Somebody was faster",
    422: "That was not understood",
    429: "Too many at once",
    500: "It did not work",
    503: "Not now",
}


def status_badge(status: str) -> Any:
    """Return how a run ended as a coloured word with a sign of its own."""
    look, sign = _STATUS_LOOKS.get(status, "neutral"), _STATUS_SIGNS.get(status, "")
    return Markup('<span class="badge {}">{} {}</span>').format(look, sign, status)


def estimated(key: str, estimate: Body | None) -> str:
    """Return an estimate as its metric is written, with its interval and n.

    >>> estimated("accuracy", {"value": 0.48, "low": 0.45, "high": 0.51, "n": 900})
    '48.0% (45.0 to 51.0, n\xa0900)'
    """
    found = reading.estimate({"one": estimate}, "one")
    between, n = METRICS[key].interval(found), reading.whole(found, "n")
    told = [one for one in (between, "" if n is None else f"n\u00a0{n:,}") if one]
    value = METRICS[key].value(found["value"])
    return f"{value} ({', '.join(told)})" if told else value


def lasted(seconds: float | None) -> str:
    """Return a length of time in the unit that fits.

    >>> lasted(0.034), lasted(4.25), lasted(200), lasted(9000), lasted(None)
    ('34 ms', '4.2 s', '3.3 min', '2.5 h', '–')
    """
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6_000 else f"{seconds / 3_600:.1f} h"


def since(text: str | None, now: datetime | None = None) -> str:
    """Return how long ago a moment was, or how far ahead it lies.

    >>> since("2026-01-01T00:00:00Z", datetime(2026, 1, 3, tzinfo=UTC))
    '2 days ago'
    >>> since("2026-01-01T05:30:00Z", datetime(2026, 1, 1, tzinfo=UTC))
    'in 5 hours'
    """
    at = reading.moment({"at": text}, "at")
    if at is None:
        return words.UNKNOWN
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    apart = abs(seconds)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if apart >= length:
            number = int(apart // length)
            named = f"{number} {unit}{'' if number == 1 else 's'}"
            return f"in {named}" if seconds < 0 else f"{named} ago"
    return "in a moment" if seconds < 0 else "just now"


def minute(text: str | None) -> str:
    """Return a moment to the minute, in UTC."""
    return reading.minute({"at": text}, "at")


def pretty(body: Any) -> str:
    """Return JSON types as text that is read line by line."""
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()


def alarm_words(state: str | None) -> Any:
    """Return the badge of an alarm, or of there being none."""
    return alarm_badge(state or "not audited")


_ENVIRONMENT = environment(jinja2.ChoiceLoader([jinja2.PackageLoader("groundswell.web"), LOADER]))
_ENVIRONMENT.filters |= {"lasted": lasted, "since": since, "minute": minute, "pretty": pretty}
_ENVIRONMENT.globals |= {
    "asset": asset,
    "alarm": alarm_words,
    "estimated": estimated,
    "finding": finding,
    "status_badge": status_badge,
    "window_words": {**words.WINDOWS, "observed": "after the fact, from the counters"},
    "tier_words": words.TIERS,
}
