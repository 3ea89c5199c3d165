"""`replay`: a collection lived through again, month by month, beside a model that was trained once and left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from groundswell.calibration.intervals import clustered_estimate, clustered_share, share_of
from groundswell.calibration.measures import measure, top_label
from groundswell.calibration.ranges import PROMISED
from groundswell.calibration.scores import Floats, log_loss, ranked_probability_score
from groundswell.errors import TooFewVideosError
from groundswell.jobs.collection import Collection
from groundswell.jobs.forecast_material import mature_videos
from groundswell.jobs.living import Life, Mask, Past, live, past_of
from groundswell.jobs.steps import Progress, Steps, silent
from groundswell.records import Window, as_json, camel, rounded
from groundswell.settings import Settings

MONTH = timedelta(days=28)
DIGITS = 4
#: The last part of the replay, of which it is asked whether the living line is worse.
END_SHARE = 0.25


def replay(
    collection: Collection,
    window: Window,
    settings: Settings,
    as_of: datetime,
    months: int,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return what would have been predicted in the last months, what came of it, and the same of the static model.

    A month is four weeks. The replay begins later where fewer than `min_rows` videos had matured before; raises
    TooFewVideosError where that leaves no month.
    """
    steps = Steps(float("inf"), progress)
    steps.begin("features")
    _, rows, counts = mature_videos(collection, window, settings, as_of)
    past = past_of(collection, window, settings, rows, counts)
    start, end = _span(past, months)
    life = live(past, start, end, steps)
    steps.begin("report")
    predicted = ~np.isnan(life.living[:, 0])
    last = _last(predicted)
    return {
        "status": "completed",
        "window": window.value,
        "source": collection.name,
        "asOf": as_json(as_of),
        "from": as_json(start),
        "to": as_json(end),
        "monthsAsked": months,
        "start": {"videos": life.first_learnt, "shortened": end - start < months * MONTH},
        "label": {"quantity": life.label.quantity, "cutPoints": list(life.label.cut_points)},
        "n": {
            "videos": counts.videos,
            "mature": rows.height,
            "predicted": int(predicted.sum()),
            "withoutReading": counts.without_reading,
            "immature": counts.immature,
            "immatureBy": {camel(reason): number for reason, number in counts.immature_by.items()},
            "rejected": counts.rejected,
            "rejectedBy": dict(counts.rejected_by),
        },
        "months": [_tell_month(past, life, *month) for month in _months(past, predicted, start, end)],
        "whole": _tell(past, life, predicted),
        "end": {"from": as_json(_moment(past.predicted_at[last].min())), **_tell(past, life, last)},
        "ranges": _tell_ranges(life, predicted),
        "events": [{"at": as_json(at), "kind": kind, "said": said} for at, kind, said in life.events],
        "stepSeconds": round(sum(steps.seconds().values()), 1),
    }


def _span(past: Past, months: int) -> tuple[datetime, datetime]:
    """Return when the replay begins and ends."""
    least = past.settings.min_rows
    if past.rows.height <= least:
        unread = past.counts.without_reading
        why = f" ({unread:,} more matured without a reading inside the window {past.window.value})" if unread else ""
        raise TooFewVideosError(
            f"Only {past.rows.height:,} videos have matured and can be predicted{why}; "
            f"a replay needs more than {least:,}."
        )
    end = _moment(past.predicted_at[-1]) + timedelta(microseconds=1)
    earliest = _moment(np.sort(past.matures_at)[least])
    start = max(end - months * MONTH, earliest)
    if end - start < MONTH:
        raise TooFewVideosError(
            f"Too little time to live through: {least:,} videos had matured on {earliest:%Y-%m-%d}, "
            f"the last was posted on {end:%Y-%m-%d}.",
            "Give a collection that reaches over several months, or lower GROUNDSWELL_MIN_ROWS.",
        )
    return start, end


def _months(past: Past, predicted: Mask, start: datetime, end: datetime) -> Iterator[tuple[Mask, datetime, datetime]]:
    begun = start
    while begun < end:
        until = min(begun + MONTH, end)
        low, high = (np.datetime64(at.replace(tzinfo=None), "us") for at in (begun, until))
        inside = predicted & (past.predicted_at >= low) & (past.predicted_at < high)
        if inside.any():
            yield inside, begun, until
        begun = until


def _last(predicted: Mask) -> Mask:
    """Return the last quarter of the predictions."""
    numbers = np.flatnonzero(predicted)
    last = np.zeros(len(predicted), dtype=bool)
    last[numbers[-max(1, int(END_SHARE * len(numbers))) :]] = True
    return last


def _tell_month(past: Past, life: Life, rows: Mask, begun: datetime, until: datetime) -> dict[str, Any]:
    numbers = np.unique(life.versions[rows]).tolist()
    return {
        "from": as_json(begun),
        "to": as_json(until),
        "versions": numbers,
        **_tell(past, life, rows),
        "ranges": _tell_ranges(life, rows),
    }


def _tell(past: Past, life: Life, rows: Mask) -> dict[str, Any]:
    """Return the figures of both on the same videos, and the difference living − static, below 0 where it is better."""
    losses = {
        who: _losses(forecast[rows], life, rows) for who, forecast in (("living", life.living), ("static", life.static))
    }
    clusters = past.clusters[rows]
    told: dict[str, Any] = {"n": int(rows.sum())}
    for who, forecast in (("living", life.living), ("static", life.static)):
        confidence, hit = top_label(forecast[rows], life.tiers[rows])
        found = measure(confidence, hit, past.settings.bootstrap, past.settings.seed, bins=15)
        told[who] = {
            **{name: clustered_estimate(losses[who][name], clusters) for name in ("rps", "logLoss")},
            "accuracy": clustered_share(hit, clusters),
            "ece": found.ece,
            "debiasedEce": found.debiased_ece,
        }
    told["tierShares"] = {
        "rps": clustered_estimate(ranked_probability_score(life.shares[rows], life.tiers[rows]), clusters),
        "logLoss": clustered_estimate(log_loss(life.shares[rows], life.tiers[rows]), clusters),
    }
    difference = {
        name: clustered_estimate(losses["living"][name] - losses["static"][name], clusters)
        for name in ("rps", "logLoss")
    }
    return rounded(as_json({**told, "difference": difference}), DIGITS)  # type: ignore[no-any-return]


def _losses(forecast: Floats, life: Life, rows: Mask) -> dict[str, Floats]:
    tiers = life.tiers[rows]
    return {
        "rps": ranked_probability_score(forecast, tiers),
        "logLoss": log_loss(forecast, tiers),
    }


def _tell_ranges(life: Life, rows: Mask) -> dict[str, Any]:
    ranges, tiers = life.ranges[rows], life.tiers[rows]
    inside = (ranges[:, 0] <= tiers) & (tiers <= ranges[:, 1])
    width = float((ranges[:, 1] - ranges[:, 0] + 1).mean())
    single = ranges[:, 0] == ranges[:, 1]
    others = inside[~single]
    told = {
        "promised": PROMISED,
        "coverage": share_of(int(inside.sum()), len(tiers)),
        "meanTiers": width,
        # A range of one tier cannot be made any shorter, however often it holds.
        "singleTier": {"share": float(single.mean()), "othersHeld": float(others.mean()) if len(others) else None},
    }
    return rounded(as_json(told), DIGITS)  # type: ignore[no-any-return]


def _moment(value: np.datetime64) -> datetime:
    moment: datetime = value.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)
