"""What an audit is told in: its verdict, what to do, how far its rule can be trusted."""

from __future__ import annotations

from groundswell.reports import reading, words
from groundswell.reports.parts import Table
from groundswell.reports.words import METRICS, UNKNOWN, Body

HEADLINES = {
    "green": "The scores can be believed: they came true within what chance allows.",
    "amber": "The scores are slightly off: the error is no accident, but it is not above the threshold.",
    "red": "The scores cannot be believed as they stand: the error is above the threshold, and no accident.",
    "insufficient": "It cannot be told yet whether the scores come true.",
}
ACTIONS = {
    "none": "neither recalibrate nor retrain",
    "recalibrate": "recalibrate",
    "retrain": "retrain",
}
LEFT_OUT = {
    "unreadable": "its time or a score cannot be read",
    "missing_score": "one of the two scores is missing",
    "deleted": "deleted by whom it belongs to",
    "before_its_prediction": "read before it was predicted",
}
CALIBRATIONS = {
    "identity": "left alone",
    "platt": "Platt",
    "logitPlatt": "Platt on logits",
    "beta": "beta",
    "isotonic": "isotonic",
}
_SHARE = METRICS["accuracy"]
_MEASURES = (
    ("ece", "ECE", "mean distance between what was said and what came true, over equal bins"),
    ("debiasedEce", "Debiased ECE", "the same, less what chance alone adds at this n; below 0 is chance"),
    ("adaptiveEce", "ECE, adaptive bins", "the same over bins that hold equally many"),
    ("classWiseEce", "ECE, class-wise", "the same for the chance of each tier, not only the likeliest"),
    ("brier.score", "Brier score", "mean squared error of what was said; lower is better"),
    ("brier.reliability", "– reliability", "its part that calibration can mend; 0 is perfect"),
    ("brier.resolution", "– resolution", "its part that tells videos apart; higher is better"),
    ("brier.uncertainty", "– uncertainty", "its part that lies in the videos themselves"),
    ("brier.withinBins", "– within bins", "what bins of this width cannot see"),
    ("slope", "Calibration slope", "1 is perfect; under 1 it says too much, over 1 too little"),
    ("intercept", "Calibration intercept", "0 is perfect; below 0 it promises too much on the whole"),
)


def state_of(body: Body) -> str:
    """Return the alarm of an audit or a line."""
    return reading.said(body, "alarm")


def headline(body: Body) -> str:
    """Return the verdict of an audit in one plain sentence."""
    status, state = reading.said(body, "status"), state_of(body)
    if status == "skipped":
        known, needed = reading.whole(body, "samples"), reading.whole(body, "required")
        counted = "" if known is None or needed is None else f": {known:,} known, {needed:,} needed"
        return f"Too few outcomes to judge the scores{counted}."
    if status == "failed":
        return "This audit failed, so nothing was judged."
    return HEADLINES.get(state, "No alarm was kept with this audit, so its figures must speak for themselves.")


def recommendation(body: Body) -> str:
    """Return what to do and why, in words."""
    action = reading.said(body, "recommendation", "action")
    why = reading.said(body, "recommendation", "why", unknown="")
    told = ACTIONS.get(action, action)
    return f"{told[:1].upper()}{told[1:]}. {why}".strip()


def notice(body: Body) -> str:
    """Return whether the alarm is one to be told of."""
    told = reading.truth(body, "notify")
    if told is None:
        return UNKNOWN
    if not told:
        return "no"
    return "yes: amber, after an alarm in the audit before" if state_of(body) == "amber" else "yes"


def rule(body: Body) -> str:
    """Return how far the alarm's rule can be trusted at this n, in words that need no statistics."""
    told = reading.part(body, "alarmRule")
    false_alarms, power = reading.estimate(told, "falseAlarms"), reading.estimate(told, "power")
    if false_alarms["value"] is None or power["value"] is None:
        return "How often the rule of the alarm errs at this n is not known."
    simulated = words.count(reading.whole(false_alarms, "n"))
    threshold, at = words.figure(reading.number(told, "threshold")), words.figure(reading.number(told, "powerAt"))
    return (
        f"How far the alarm can be trusted: of {simulated} simulated audits like this one (n "
        f"{words.count(reading.whole(told, 'n'))}) in which every chance was honest, it cried red in "
        f"{_SHARE.with_interval(false_alarms)}. Were the chances truly off by {at}, it would say so in "
        f"{_SHARE.with_interval(power)}. Red takes two things: an ECE above {threshold}, and a test which finds that "
        f"chance does not explain it (p {words.figure(reading.number(told, 'pValue'))}, where "
        f"{words.figure(reading.number(told, 'level'))} or less counts). The test alone is amber."
    )


def measures(title: str, body: Body) -> Table:
    """Return the measures of an audit or a line with their intervals and n, each with its meaning."""
    kept = {**reading.part(body, "measures"), "classWiseEce": reading.found(body, "classWiseEce")}
    rows = []
    for path, name, meaning in _MEASURES:
        one = reading.estimate(kept, *path.split("."))
        if one["value"] is None:
            continue
        n = reading.whole(one, "n") if one["n"] is not None else reading.whole(kept, "n")
        between = METRICS["ece"].interval(one) or "–"
        rows.append((name, _exact(one["value"]), between, words.count(n), meaning))
    return Table(title, ("Measure", "Value", "95% interval", "n", "What it says"), rows, range(1, 4), "not known.")


def _exact(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")
