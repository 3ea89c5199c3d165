"""A line as a page shows it: its metrics against baselines and ceiling, its confusion, its honesty, its features."""

from __future__ import annotations

from typing import Any

from groundswell.reports import audit_pictures, evaluated, reading, words
from groundswell.reports.audit_words import HEADLINES, recommendation, rule
from groundswell.reports.parts import Picture, finding
from groundswell.reports.words import DRAWN, METRICS, Body

#: What the last audit found of a line, in one sentence.
LINE_HEADLINES = {state: said.replace("The scores", "its chances") for state, said in HEADLINES.items()} | {
    "insufficient": "it cannot be told yet whether its chances come true."
}
_NO_FEATURES = (
    "Not known: which features matter is measured when a forecast is trained; this version was made without it."
)
_INDEPENDENT = (
    " Bars and bands take each video alone; videos of one creator are alike, so they are somewhat too narrow."
)
#: What stands in the evaluation of the version that was trained, and holds for its recalibrations as well.
_OF_THE_ESTIMATOR = ("ceiling", "topFeatures", "learners")


def told_line(body: Body) -> dict[str, Any]:
    """Return what the template `line.html` draws of a line with a champion."""
    found = _evaluation(body)
    name = f"version {reading.whole(body, 'champion', 'version')}"
    drawn = [evaluated.metric_picture(found, key, name) for key in DRAWN if key in found["metrics"]]
    return {
        "tiles": [_tile(found, key) for key in ("accuracy", "withinOne", "rps", "qwk") if key in found["metrics"]],
        "metric_pictures": drawn,
        "metric_table": evaluated.metric_table(found, name),
        "baseline_table": evaluated.baseline_table(found["baselines"]),
        "lift": words.lift(found) if found.get("lift") else "",
        "ceiling": words.ceiling(found) if found.get("ceiling") else "",
        "range_sentence": words.promised_range(found) if found.get("range") else "",
        "confusion": evaluated.confusion(found["confusionMatrix"]) if found.get("confusionMatrix") else None,
        "tier_table": evaluated.tier_table(reading.parts(found, "perClass")),
        "honesty": [one for one in (_live(body), _held_out(found)) if one],
        "features": _features(found),
        "feature_table": evaluated.feature_table(reading.parts(found, "topFeatures")[:15]),
        "tiers_sentence": words.tiers(reading.numbers(body, "label", "cutPoints")),
        "findings_rows": [finding(one) for one in reading.parts(body, "decision", "findings")],
        "alarm": told_alarm(body),
    }


def told_alarm(body: Body) -> dict[str, Any] | None:
    """Return what the last audit found of the line, in words; None where it found nothing."""
    line = reading.part(body, "audit", "line")
    if not line:
        return None
    state = reading.said(line, "alarm")
    return {
        "state": state,
        "headline": HEADLINES.get(state, state)
        .replace("The scores", "Its chances")
        .replace("the scores", "its chances"),
        "why": [("Recommended", recommendation(line)), ("Alarm", reading.said(line, "alarmReason"))],
        "rule": rule(line) if "alarmRule" in line else "",
        "pictures": [one for one in audit_pictures.promises(line) if one.svg],
    }


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _evaluation(body: Body) -> dict[str, Any]:
    """Return the champion's evaluation, with what a recalibration leaves to the version that was trained."""
    own, origin = reading.part(body, "evaluation"), reading.part(body, "origin", "evaluation")
    inherited = {name: origin[name] for name in _OF_THE_ESTIMATOR if name in origin and name not in own}
    plain: dict[str, Any] = {"metrics": {}, "baselines": {}}
    return {**plain, **inherited, **own}


def _tile(found: Body, key: str) -> dict[str, str]:
    metric, one = METRICS[key], reading.estimate(found, "metrics", key)
    between, n = metric.interval(one), words.count(reading.whole(one, "n"))
    better = "higher is better" if metric.higher_is_better else "lower is better"
    return {
        "name": f"{metric.name}, {better}",
        "value": metric.value(one["value"]),
        "note": f"95% {between}, n {n}" if between else f"n {n}",
    }


def _live(body: Body) -> Picture:
    bins = reading.parts(body, "audit", "line", "reliability")
    title = "Since it serves: chances against outcomes"
    if not bins:
        return Picture(title, None, "", "No audit has found matured predictions of this line yet.")
    return audit_pictures.reliability(title, bins, "chance of the likeliest tier")


def _held_out(found: Body) -> Picture | None:
    bins = evaluated.with_bands(reading.parts(found, "reliability", "bins"))
    if not bins:
        return None
    one = audit_pictures.reliability(
        "When it was judged: chances against outcomes", bins, "chance of the likeliest tier"
    )
    return Picture(one.title, one.svg, one.reading + _INDEPENDENT)


def _features(found: Body) -> list[Picture]:
    features, learners = reading.parts(found, "topFeatures"), reading.parts(found, "learners")
    if not features:
        return [Picture("What matters most", None, "", _NO_FEATURES)]
    blended = [evaluated.learners(learners)] if learners else []
    return [evaluated.features_picture(features), *blended]
