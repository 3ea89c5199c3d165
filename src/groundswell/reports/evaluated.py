"""The pictures and tables of an evaluation: how good a model is, where it goes wrong, and what it looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence

from groundswell.calibration.intervals import share_of
from groundswell.reports import charts, reading, words
from groundswell.reports.charts import Row, Rule
from groundswell.reports.parts import Picture, Table, picture
from groundswell.reports.words import BASELINES, METRICS, Body

OURS = "this forecast"
#: Standard errors of a 95 % interval.
_TWO_SIDED = 1.959964


def metric_picture(body: Body, key: str, ours: str = OURS) -> Picture:
    """Return one metric of an evaluation beside that of the baselines, with intervals and the ceiling."""
    metric, own = METRICS[key], body["metrics"][key]
    others = [
        Row(BASELINES.get(name, name), found[key], metric.with_interval(found[key]))
        for name, found in body["baselines"].items()
        if key in found
    ]
    rows = [Row(ours, own, metric.with_interval(own), ours=True), *others]
    best = (body.get("ceiling") or {}).get("accuracy") if key == "accuracy" else None
    rule = Rule(best, f"ceiling {words.share(best)}") if best is not None else None
    better = "Further right is better" if metric.higher_is_better else "Further left is better"
    how = f"{better}: {metric.meaning}. The bar is the 95% interval."
    if rule:
        how += " The upright marks stand at the ceiling: a guide to what such videos allow."
    told = [f"{row.name} {row.said}" for row in rows] + ([rule.name] if rule else [])
    return picture(metric.name, charts.dots(metric, rows, rule), f"{metric.name}: {'; '.join(told)}.", how)


def metric_table(body: Body, ours: str = OURS) -> Table:
    """Return all metrics of an evaluation and of the baselines."""
    names = list(body["baselines"])
    rows = [
        (metric.name, *(metric.with_interval(found.get(key)) if key in found else "–" for found in _all(body)))
        for key, metric in METRICS.items()
        if key in body["metrics"]
    ]
    return Table("All metrics, with 95% intervals", ("Metric", ours, *(BASELINES.get(n, n) for n in names)), rows)


def _all(body: Body) -> list[Body]:
    return [body["metrics"], *body["baselines"].values()]


def baseline_table(baselines: Body) -> Table:
    """Return what each baseline does, in words."""
    rows = [(BASELINES.get(name, name), words.BASELINE_MEANINGS.get(name, "–")) for name in baselines]
    return Table("What the baselines do", ("Baseline", "What it does"), rows, range(0))


def confusion(matrix: Sequence[Sequence[float]]) -> Picture:
    """Return the confusion matrix with how to read it."""
    shares = [
        f"tier {tier} {counts[tier - 1] / sum(counts):.0%} of {sum(counts):,.0f}"
        for tier, counts in enumerate(matrix, start=1)
        if sum(counts)
    ]
    says = f"Confusion matrix; share of each actual tier that was named right: {', '.join(shares) or words.UNKNOWN}."
    how = (
        "Each row is an actual tier and adds up to 100%: darker cells hold more of it, the count is below the share. "
        "The outlined cells are right; those beside them are one tier off."
    )
    return picture("Actual against named tiers", charts.heat(matrix) if shares else None, says, how)


def reliability(found: Body) -> Picture:
    """Return the reliability diagram of the chances named."""
    filled = [one for one in found["bins"] if one["count"] and one["avgPredicted"] is not None]
    told = [f"said {one['avgPredicted']:.0%}, came true {one['avgActual']:.0%}, n {one['count']:,}" for one in filled]
    says = f"Chance of the likeliest tier against how often it came true: {'; '.join(told) or words.UNKNOWN}."
    how = (
        "A dot on the dashed line is an honest chance: of the tiers it called 40% likely, 40% came true. Below the "
        "line it promised too much. Larger dots and taller bars are more videos; small ones scatter by chance."
    )
    return picture("Chances said against chances that came true", charts.reliability(filled), says, how)


def with_bands(bins: Sequence[Body]) -> list[Body]:
    """Return the bins of a reliability diagram with their intervals and the bands of honest chances.

    Both take each video alone: Wilson's interval of what came true, and the normal spread of a share.
    """
    told: list[Body] = []
    for one in bins:
        n, said, true = (reading.number(one, name) for name in ("count", "avgPredicted", "avgActual"))
        if not n or said is None or true is None:
            continue
        held = share_of(round(true * n), round(n))
        spread = _TWO_SIDED * math.sqrt(said * (1 - said) / n)
        band = {"expectedLow": max(0.0, said - spread), "expectedHigh": min(1.0, said + spread)}
        told.append({**one, "actualLow": held.low, "actualHigh": held.high, **band})
    return told


def tier_table(per_class: Sequence[Body]) -> Table:
    """Return precision and recall of each tier."""
    rows = [
        (
            f"tier {found['tier']}",
            words.share(found["precision"]),
            words.share(found["recall"]),
            words.count(found["support"]),
        )
        for found in per_class
    ]
    head = ("Tier", "precision", "recall", "videos")
    return Table("How well each tier is told", head, rows)


def features_picture(features: Sequence[Body]) -> Picture:
    """Return the features that matter most."""
    rows = [(found["sentence"], found["importance"] or 0.0, _added(found["importance"])) for found in features]
    told = [f"{found['sentence']} {_added(found['importance'])}" for found in features[: charts.MAX_BARS]]
    says = f"Features by the RPS that is lost without them: {'; '.join(told) or words.UNKNOWN}."
    how = (
        "How much worse the RPS becomes when a feature's values are shuffled among the videos: longer bars matter "
        "more. Features that say the same thing share their weight."
    )
    return picture("What matters most", charts.bars(rows), says, how)


def _added(importance: float | None) -> str:
    return words.signed(importance, 4)


def feature_table(features: Sequence[Body]) -> Table:
    """Return what each feature is, and how much is lost without it."""
    rows = [(found["name"], found["sentence"], found["unit"] or "–", _added(found["importance"])) for found in features]
    head = ("Feature", "What it is", "Unit", "RPS lost")
    return Table("Features", head, rows, range(3, 4))


def learners(blended: Sequence[Body]) -> Picture:
    """Return what a forecast is blended from."""
    rows = [
        (
            words.learner(found["kind"]),
            found["weight"] or 0.0,
            f"{_weight(found['weight'])}, log loss {words.figure(found['logLoss'])}",
        )
        for found in blended
    ]
    told = [f"{name} {said}" for name, _, said in rows]
    how = (
        "The forecast is a blend of these models: longer bars have more say. The log loss is that of each alone, on "
        "the videos that tuned the chances; lower is better."
    )
    says = f"Models of the blend by weight: {'; '.join(told) or words.UNKNOWN}."
    return picture("What it is blended from", charts.bars(rows, room=150), says, how)


def _weight(weight: float | None) -> str:
    return words.UNKNOWN if weight is None else f"{weight:.0%}"
