"""Real collections lived through again: the living line beside the model that was trained once and left."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from bench.measure import REAL_DATA, Row
from groundswell.jobs.collection import exported_collection
from groundswell.jobs.replay import replay
from groundswell.records import Window
from groundswell.settings import load_settings

#: Platform, window and months; training rows are capped so that the whole takes minutes.
LIVES = (("tiktok", Window.PUBLISH, 9), ("youtube", Window.PUBLISH, 12), ("youtube", Window.HOUR_24, 12))
MOST_ROWS = 8_000


def lives() -> list[Row]:
    """RPS, calibration and range coverage of each life, and of its end."""
    rows: list[Row] = []
    for platform, window, months in LIVES:
        paths = [REAL_DATA / f"{platform}_videos.parquet", REAL_DATA / f"{platform}_snapshots.parquet"]
        settings, now = load_settings(forecast_max_rows=MOST_ROWS), datetime.now(UTC)
        start = time.perf_counter()
        body = replay(exported_collection(paths, now), window, settings, now, months)
        rows += _told(f"{platform}, {window.value}, {months} months", body, time.perf_counter() - start)
    return rows


def _told(name: str, body: dict[str, Any], taken: float) -> list[Row]:
    whole, end, ranges = body["whole"], body["end"], body["ranges"]
    difference = end["difference"]["rps"]
    rps = (
        f"{_both(end, 'rps')} (Δ {difference['value']:+.4f}, 95% {difference['low']:+.4f} to {difference['high']:+.4f}"
    )
    living, static = (end[who]["debiasedEce"]["value"] for who in ("living", "static"))
    coverage = ranges["coverage"]
    between = f"95% {coverage['low']:.3f} to {coverage['high']:.3f}"
    held = f"{coverage['value']:.3f} ({between}), {ranges['meanTiers']:.2f} tiers"
    single = ranges["singleTier"]
    within = coverage["value"] >= 0.77 and (coverage["value"] <= 0.83 or single["share"] > 0.5)
    return [
        Row(
            f"replay of {name}: RPS of the last quarter", "≤ static", f"{rps}, n {end['n']:,})", _not_above(end, "rps")
        ),
        Row("… log loss", "≤ static", f"{_both(end, 'logLoss')}", _not_above(end, "logLoss")),
        Row("… ECE, 15 bins, noise taken off", "≤ static", f"{living:.4f} against {static:.4f}", living <= static),
        Row("… the whole: RPS", "for scale", f"{_both(whole, 'rps')}, n {whole['n']:,}", True),
        Row("… in the 80 % range", "77 to 83 %, more only of single tiers", f"{held}; {_single(single)}", within),
        Row("… time", "for scale", f"{taken:.0f} s", True),
    ]


def _both(part: dict[str, Any], metric: str) -> str:
    return f"{part['living'][metric]['value']:.4f} against {part['static'][metric]['value']:.4f}"


def _not_above(part: dict[str, Any], metric: str) -> bool:
    return bool(part["living"][metric]["value"] <= part["static"][metric]["value"])


def _single(found: dict[str, Any]) -> str:
    others = found["othersHeld"]
    return f"{found['share']:.0%} of them one tier" + ("" if others is None else f", the wider ones held {others:.3f}")
