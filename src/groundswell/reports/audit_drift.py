"""What has moved: the scraper first, then features and tiers of each line, and apart from them the cut-points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from groundswell.reports import audit_pictures as pictures
from groundswell.reports import reading, words
from groundswell.reports.parts import Table
from groundswell.reports.words import METRICS, Body

#: So many features are told; the rest are counted.
MAX_FEATURES = 15
_PSI, _SHARE = METRICS["psi"], METRICS["accuracy"]
_HEAD = ("Feature", "PSI now", "n", "Size", "PSI before", "In both periods?")


def scraper_changed(body: Body) -> bool:
    """Return whether a scrape check failed."""
    return any(reading.said(one, "outcome") == "failed" for one in reading.parts(body, "scrape"))


def scrape_sentence(body: Body) -> str:
    """Return what the scrape checks found, in one sentence."""
    checks = reading.parts(body, "scrape")
    failed = [reading.said(one, "code") for one in checks if reading.said(one, "outcome") == "failed"]
    if failed:
        return (
            f"The scraper changed ({', '.join(failed)}). What looks like drift below may be its doing, so mend the "
            "scraper first and audit again."
        )
    if any(reading.said(one, "outcome") == "passed" for one in checks):
        return "As far as these checks tell, the scraper is as it was: what has moved below has moved in the world."
    return "Whether the scraper reads as it did before cannot be told."


def told_drift(window: str, line: Body, changed: bool) -> dict[str, Any]:
    """Return what a page says of the drift of one line."""
    features = _sorted(reading.parts(line, "drift", "features"))
    before = "The scraper changed: " if changed else ""
    title = f"{before}features of {window}, now against training"
    return {
        "window": window,
        "note": reading.said(line, "driftNote", unknown=""),
        "sentence": _sentence(line, features),
        "picture": pictures.shifts(title, features),
        "features": _features(title, features),
        "more": _more(features),
        "tiers": _tiers(f"{before}mix of predicted tiers of {window}, now against training", line),
        "cut_points": _cut_points(f"Cut-points of {window}", line),
        "cut_sentence": reading.said(line, "cutPointDrift", "explanation", unknown=""),
        "shares": _shares(f"Tiers of the recent outcomes of {window}, by the old cut-points", line),
    }


def _sorted(features: Sequence[Body]) -> list[Body]:
    def size(one: Body) -> float:
        value = reading.number(one, "current", "psi", "value")
        return -1.0 if value is None else value

    return sorted(features, key=size, reverse=True)


def _sentence(line: Body, features: Sequence[Body]) -> str:
    if not features:
        return "No feature could be held against the training data."
    drifted, new, unknown = (
        sum(reading.truth(one, key) is value for one in features)
        for key, value in (("drifted", True), ("newly", True), ("drifted", None))
    )
    drift = reading.part(line, "drift")
    n, before, trained = (words.count(reading.whole(drift, key)) for key in ("n", "previousN", "trainedN"))
    said = (
        f"Of {len(features):,} features {drifted:,} moved in this period and in the one before, {new:,} only in this "
        f"one"
    )
    left = f"; of {unknown:,} it cannot be told" if unknown else ""
    return f"{said}{left}. Predictions of this period: n {n}, before: n {before}, training: n {trained}."


def _features(title: str, features: Sequence[Body]) -> Table:
    rows = [_row(one) for one in features[:MAX_FEATURES]]
    return Table(_capital(title), _HEAD, rows, range(1, 3), "no feature could be held against training.")


def _row(one: Body) -> tuple[str, ...]:
    now, before = reading.estimate(one, "current", "psi"), reading.estimate(one, "previous", "psi")
    return (
        reading.said(one, "name"),
        _PSI.with_interval(now),
        words.count(reading.whole(now, "n")),
        reading.said(one, "current", "size", unknown="–"),
        _PSI.with_interval(before) if before["value"] is not None else "–",
        _persisting(one),
    )


def _persisting(one: Body) -> str:
    drifted, newly = reading.truth(one, "drifted"), reading.truth(one, "newly")
    if drifted:
        return "yes: persisting"
    if newly:
        return "new in this period"
    if drifted is None and newly is None:
        return reading.said(one, "explanation", unknown="cannot be told")
    return "no shift that matters"


def _more(features: Sequence[Body]) -> str:
    rest = features[MAX_FEATURES:]
    if not rest:
        return ""
    moved = sum(reading.truth(one, "drifted") is True or reading.truth(one, "newly") is True for one in rest)
    said = "none of them has moved" if not moved else f"{moved:,} of them moved by less, but moved"
    return f"And {len(rest):,} more with a smaller PSI or none; {said}."


def _tiers(title: str, line: Body) -> Table:
    one = reading.part(line, "tierDrift")
    head = ("What", *_HEAD[1:])
    return Table(_capital(title), head, [_row(one)] if one else [], range(1, 3), "not known.")


def _cut_points(title: str, line: Body) -> Table:
    rows = [_point(one) for one in reading.parts(line, "cutPointDrift", "points")]
    head = ("Cut-point", "Was at", "Is at (95% interval)", "At or below it now", "In training", "Moved?")
    return Table(title, head, rows, range(1, 5), "no recent outcome to hold against them.")


def _point(one: Body) -> tuple[str, ...]:
    level, moved = reading.number(one, "level"), reading.truth(one, "shifted")
    now, low, high = (reading.number(one, "now", key) for key in ("value", "low", "high"))
    between = "" if low is None or high is None else f" ({words.amount(low)} to {words.amount(high)})"
    return (
        words.UNKNOWN if level is None else f"p{100 * level:g}",
        words.amount(reading.number(one, "trained")),
        f"{words.amount(now)}{between}",
        _SHARE.with_interval(reading.estimate(one, "atOrBelow")),
        words.share(reading.number(one, "expected")),
        "cannot be told" if moved is None else "yes" if moved else "no",
    )


def _shares(title: str, line: Body) -> Table:
    tiers = reading.parts(line, "cutPointDrift", "tiers")
    rows = [
        (
            f"tier {tier}",
            _SHARE.with_interval(reading.estimate({"one": one}, "one")),
            words.count(reading.whole(one, "n")),
        )
        for tier, one in enumerate(tiers, start=1)
    ]
    return Table(title, ("Tier", "Share (95% interval)", "n"), rows, range(1, 3), "not known.")


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]
