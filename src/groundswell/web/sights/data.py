"""The stored data as a page shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from groundswell.reports import counted, reading, words
from groundswell.reports.parts import Picture, Table
from groundswell.reports.words import Body


def told_data(body: Body) -> dict[str, Any]:
    """Return what the template `data.html` draws."""
    until, days = reading.moment(body, "at") or datetime.now(UTC), reading.whole(body, "days") or 90
    videos, readings, made = (reading.part(body, name) for name in ("videos", "readings", "predictions"))
    return {
        "video_pictures": [
            _by_day("Videos stored, day by day", videos, until, days, "videos"),
            _shares("Videos by platform", videos, "byPlatform", "videos", "no platform"),
            _shares("Videos by source", videos, "bySource", "videos", "no source named"),
        ],
        "other_pictures": [
            _by_day("Readings stored, day by day", readings, until, days, "readings"),
            _by_day("Predictions made, day by day", made, until, days, "predictions"),
            _shares("Predictions by window", made, "byWindow", "predictions", "no window"),
        ],
        "maturity": _maturity(reading.part(body, "matured", "counted")),
        "rejections": Table(
            "Rows refused at ingest, by reason",
            ("Reason", "n", "What it means"),
            [
                (reading.said(one, "reason"), words.count(reading.whole(one, "n")), reading.said(one, "meaning"))
                for one in reading.parts(body, "ingests", "rejectedBy")
            ],
            range(1, 2),
            "none.",
        ),
    }


def _by_day(title: str, found: Body, until: datetime, days: int, what: str) -> Picture:
    if not found.get("counted"):
        return Picture(title, None, "", _uncounted(found))
    return counted.by_day(title, reading.parts(found, "counted", "byDay"), until, days, what)


def _shares(title: str, found: Body, key: str, what: str, unknown: str) -> Picture:
    if not found.get("counted"):
        return Picture(title, None, "", _uncounted(found))
    named = reading.parts(found, "counted", key)
    return counted.shares(title, named, what, unknown) if named else Picture(title, None, "", f"No {what} yet.")


def _uncounted(found: Body) -> str:
    error = reading.said(found, "error", unknown="")
    return f"It could not be counted. {error}" if error else "Being counted: look again in a moment."


def _maturity(found: Body) -> Table:
    keys = ("predictions", "matured", "maturing", "unread", "nameless")
    rows = [
        (window, *(words.count(reading.whole(one, key)) for key in keys), reading.day(one, "maturesBy"))
        for window, one in reading.part(found, "byWindow").items()
    ]
    rows = [(*row[:-1], "–" if row[-1] == words.UNKNOWN else row[-1]) for row in rows]
    head = ("Window", "made", "matured", "not old enough", "old enough, not read since", "naming no video", "rest by")
    return Table("Predictions by window, and what has become of them", head, rows, range(1, 6), "none was made yet.")
