"""The pictures of an audit: chances against what came true, figures over audits, promises against what was held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from groundswell.reports import banded, charts, courses, reading, words
from groundswell.reports.charts import Row, Rule
from groundswell.reports.courses import Course, Look
from groundswell.reports.parts import Picture, picture
from groundswell.reports.words import METRICS, Body

#: A PSI beyond this is drawn here, so that one feature which is new altogether does not crush the others.
_FARTHEST = 1.0
_LANES = ("red", "amber", "green", "insufficient")


def reliability(title: str, bins: Sequence[Body], what: str) -> Picture:
    """Return the reliability diagram with its bands; `what` is said, such as "score"."""
    told = [
        f"said {one['said']:.0%}, came true {one['true']:.0%} ({one['low']:.0%} to {one['high']:.0%}), "
        f"n {one['count']:,}"
        for one in banded.filled(bins)
    ]
    how = (
        f"A dot is the mean outcome of those whose {what} lay in one bin, its bar the 95% interval. The shaded band is "
        "where the dot would lie, 19 times in 20, if what was said were honest. On the dashed line said and true "
        "agree; below it too much was promised. Bars at the foot count how many."
    )
    return picture(title, banded.banded(bins), f"{title}: {'; '.join(told) or words.UNKNOWN}.", how)


def over_audits(title: str, audits: Sequence[Body], threshold: float | None) -> Picture:
    """Return the ECE of each audit with its interval, and the alarm of each in a lane below."""
    dated: list[tuple[datetime, Body]] = [
        (at, one) for one in audits if (at := reading.moment(one, "auditedAt")) is not None
    ]
    course = Course("ECE", [(at, reading.estimate(one, "ece")) for at, one in dated])
    rule = None if threshold is None else Rule(threshold, f"threshold {threshold:g}")
    lanes = courses.lanes_of(_LANES, [(reading.said(one, "alarm"), at) for at, one in dated])
    spec = courses.courses([course], Look(bars=True, from_zero=True), rule, lanes)
    how = (
        "Lower is better. A dot is the ECE of one audit, its bar the 95% interval; below, each audit stands in the "
        "lane of its alarm. An ECE above the threshold is called red only where chance does not explain it."
    )
    says = f"{title}: {courses.summary(course, METRICS['ece'].with_interval)}; {len(dated)} audits."
    return picture(title, spec, says, how)


def promises(line: Body) -> list[Picture]:
    """Return the RPS against what it was promoted with, and the accuracy expected against the matured one."""
    return [
        _pair(
            "RPS since it was promoted",
            "rps",
            (("when it was promoted", "promised"), ("of the matured", "matured")),
            line,
            "Further left is better. Where the two bars do not overlap, it ranks tiers differently than promised.",
        ),
        _pair(
            "Accuracy, expected and matured",
            "accuracy",
            (("expected of the latest", "expected"), ("of the matured", "matured")),
            line,
            "Further right is better. The first is read off the chances of the latest predictions, before anybody "
            "knows their outcomes; the second is what came of earlier ones.",
        ),
    ]


def shifts(title: str, features: Sequence[Body]) -> Picture:
    """Return the PSI of the features that moved most, with their intervals."""
    psi = METRICS["psi"]
    rows = [
        Row(
            reading.said(one, "name"),
            {key: number if number is None else min(number, _FARTHEST) for key, number in estimate.items()},
            psi.with_interval(estimate),
            ours=reading.truth(one, "drifted") is True,
        )
        for one in features[: charts.MAX_BARS]
        for estimate in [reading.estimate(one, "current", "psi")]
    ]
    how = (
        "Further right has moved further away from training; the bar is the 95% interval. The upright marks stand at "
        "0.25, from where a shift is large; what lies beyond 1 is drawn at 1. Bold: moved in this "
        "period and in the one before."
    )
    says = f"{title}: {'; '.join(f'{row.name} {row.said}' for row in rows) or words.UNKNOWN}."
    return picture(title, charts.dots(psi, rows, Rule(0.25, "large from 0.25")), says, how)


def _pair(title: str, key: str, named: Sequence[tuple[str, str]], line: Body, how: str) -> Picture:
    metric = METRICS[key]
    estimates = [(name, reading.estimate(line, key, which)) for name, which in named]
    rows = [
        Row(name, estimate, metric.with_interval(estimate), ours=name == "of the matured")
        for name, estimate in estimates
    ]
    says = f"{title}: {'; '.join(f'{row.name} {row.said}' for row in rows)}."
    return picture(title, charts.dots(metric, rows), says, how)
