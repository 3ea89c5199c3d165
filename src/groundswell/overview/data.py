"""The data: how much is stored, since when, of which platform and source, what was refused, and what has matured."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from groundswell.jobs import ingest
from groundswell.jobs.context import Context
from groundswell.jobs.matured import tell_matured
from groundswell.overview.models import age_of
from groundswell.overview.runs import tell_run
from groundswell.overview.tallied import Tally, tallies_of
from groundswell.records import as_json
from groundswell.stages.ingest import REASONS
from groundswell.store import listing, tallies
from groundswell.store.listing import Part

#: Days back that are told by day, and ingests whose rejections are counted.
DAYS, INGESTS = 90, 50
#: Platforms and sources told of; the rest are counted together.
MOST_NAMED = 20


def show_data(context: Context) -> dict[str, Any]:
    """Return what is stored and what was refused.

    Counts over whole tables are made in the background: each says how many `secondsAgo` it was made, and is null
    while it is made for the first time.
    """
    now = context.now()
    counted = tallies_of(context.database).of(
        {
            "videos": lambda: _videos(context, now),
            "readings": lambda: _readings(context, now),
            "predictions": lambda: _predictions(context, now),
            "matured": lambda: tell_matured(context, now - timedelta(days=context.settings.pair_days), now),
        }
    )
    return {
        "at": as_json(now),
        "days": DAYS,
        "pairDays": context.settings.pair_days,
        **{name: _aged(tally) for name, tally in counted.items()},
        "ingests": _ingests(context),
    }


def matured(context: Context, now: datetime) -> dict[str, Any]:
    """Return the maturity of the predictions of the last days, as last counted."""
    since = now - timedelta(days=context.settings.pair_days)
    tally = tallies_of(context.database).of({"matured": lambda: tell_matured(context, since, now)})["matured"]
    return _aged(tally)


def _aged(tally: Tally) -> dict[str, Any]:
    return {"counted": tally.value, **age_of(tally)}


def _videos(context: Context, now: datetime) -> dict[str, Any]:
    rows = tallies.count_videos(context.database)
    return {
        "total": int(rows["n"].sum()),
        "archived": int(rows.filter(pl.col("archived") == 1)["n"].sum()),
        "byDay": _by_day(rows, now),
        "byPlatform": _named(rows, "platform"),
        "bySource": _named(rows, "source"),
    }


def _readings(context: Context, now: datetime) -> dict[str, Any]:
    rows = tallies.count_readings(context.database)
    return {"total": int(rows["n"].sum()), "byDay": _by_day(rows, now)}


def _predictions(context: Context, now: datetime) -> dict[str, Any]:
    rows = tallies.count_predictions(context.database, now - timedelta(days=DAYS))
    return {"total": int(rows["n"].sum()), "byDay": _by_day(rows, now), "byWindow": _named(rows, "window")}


def _by_day(rows: pl.DataFrame, now: datetime) -> list[dict[str, Any]]:
    """Return day and n of the last days on which there was anything, oldest first."""
    first = f"{now - timedelta(days=DAYS):%Y-%m-%d}"
    days = rows.filter(pl.col("day") >= first).group_by("day").agg(pl.col("n").sum()).sort("day")
    return days.to_dicts()


def _named(rows: pl.DataFrame, column: str) -> list[dict[str, Any]]:
    """Return name and n, most first; those beyond the first few under `others`, unnamed ones under null."""
    sums = rows.group_by(column).agg(pl.col("n").sum()).sort(["n", column], descending=[True, False])
    named = [{"name": name, "n": n} for name, n in sums.head(MOST_NAMED).rows()]
    rest = int(sums.tail(-MOST_NAMED)["n"].sum()) if sums.height > MOST_NAMED else 0
    return [*named, {"name": "others", "n": rest}] if rest else named


def _ingests(context: Context) -> dict[str, Any]:
    """Return the newest ingests, and the rejections of them all by reason."""
    found = listing.runs_of(context.database, Part(INGESTS), ingest.KIND)
    reasons: Counter[str] = Counter()
    read = 0
    for run in found:
        report = run["report"] or {}
        reasons.update(report.get("rejectedBy") or {})
        read += report.get("read") or 0
    rejected = [
        {"reason": reason, "meaning": REASONS.get(reason), "n": n}
        for reason, n in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return {"runs": [tell_run(run) for run in found[:10]], "of": len(found), "read": read, "rejectedBy": rejected}
