"""The report of a replay: whether a line that teaches itself stays ahead of a model that was trained once and left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from markupsafe import Markup

from groundswell.reports import courses, reading, words
from groundswell.reports.charts import Rule
from groundswell.reports.courses import Course, Lane, Look
from groundswell.reports.pages import page
from groundswell.reports.parts import Picture, Table, picture
from groundswell.reports.words import METRICS, UNKNOWN, Body

_KINDS = ("promoted", "held", "recalibrated", "amber", "red")
_KEYS = ("rps", "logLoss", "accuracy", "ece", "debiasedEce")
_NAMES = {"living": "living line", "static": "trained once and left"}
#: Months further apart than this many days have months without a prediction between them.
_GAP = 45.0
_ALIKE = "as good as"
_HEADLINES = {
    "better": "At the end the living line is better than the model that was trained once and left.",
    "worse": "At the end the living line is worse than the model that was trained once and left.",
    _ALIKE: "At the end the living line and the model that was trained once and left cannot be told apart.",
    UNKNOWN: "How the living line compares with a model that was left is not known.",
}
_BADGES = {"better": "✓ better", "worse": "✗ worse", _ALIKE: "= no clear difference"}
_SHARE = METRICS["accuracy"]


def render(body: Body) -> str:
    """Return the report as one HTML file; the same body gives the same bytes, and one that lacks parts says so."""
    found = _comparison(body, "end")
    look = found if found in {"better", "worse"} else "neutral"
    months = reading.parts(body, "months")
    lanes = courses.lanes_of(_KINDS, _happened(body))
    return page(
        "replay.html",
        window=reading.said(body, "window"),
        source=reading.said(body, "source"),
        period=f"{reading.day(body, 'from')} to {reading.day(body, 'to')}",
        look=look,
        badge=Markup('<span class="badge {}">{}</span>').format(look, _BADGES.get(found, found)),
        headline=_headline(found, _comparison(body, "whole")),
        sentences=[_difference(body, "end"), _difference(body, "whole"), _baseline(body), _ranges(body)],
        tiles=_tiles(body),
        question=_question(body),
        counts=_counts(body),
        lanes=_lanes(lanes),
        month_pictures=[
            *(_curves(months, key, lanes) for key in ("rps", "logLoss", "debiasedEce")),
            _coverage(body, months, lanes),
        ],
        month_tables=[_months(months), _month_chances(months)],
        end_table=_figures(f"The end: from {reading.day(body, 'end', 'from')}", reading.part(body, "end")),
        whole_table=_figures("The whole replay", reading.part(body, "whole")),
        events=_events(body),
        about=_about(body),
    )


def _headline(end: str, whole: str) -> str:
    """Return the verdict at the end, and that of the whole where it is the opposite."""
    opposite = {end, whole} == {"better", "worse"}
    return f"{_HEADLINES[end]} Over the whole replay it was {whole}." if opposite else _HEADLINES[end]


def _comparison(body: Body, which: str) -> str:
    """Return how the living line stands to the static model, by the interval of the difference in RPS."""
    found = reading.estimate(body, which, "difference", "rps")
    if found["value"] is None or found["low"] is None or found["high"] is None:
        return UNKNOWN
    return "better" if found["high"] < 0 else "worse" if found["low"] > 0 else _ALIKE


def _difference(body: Body, which: str) -> str:
    found = reading.part(body, which)
    living, static = (reading.number(found, who, "rps", "value") for who in ("living", "static"))
    difference = reading.estimate(found, "difference", "rps")
    when = f"Since {reading.day(found, 'from')}, the last quarter" if which == "end" else "Over the whole replay"
    if living is None or static is None or difference["value"] is None:
        return f"{when}: not known."
    return (
        f"{when}, n {words.count(reading.whole(found, 'n'))}: RPS {living:.3f} of the living line against {static:.3f} "
        f"of the static model, difference {words.signed_interval(difference)}; lower is better."
    )


def _baseline(body: Body) -> str:
    """Return what needs no model, and how much the first model had to learn from."""
    shares = reading.number(body, "end", "tierShares", "rps", "value")
    learnt = reading.whole(body, "start", "videos")
    told = (
        ""
        if shares is None
        else f"Always saying the tier shares of what had matured has an RPS of {shares:.3f} there. "
    )
    first = "" if learnt is None else f"The model that was trained once learnt from {words.count(learnt)} videos."
    return (told + first).strip()


def _ranges(body: Body) -> str:
    coverage = reading.estimate(body, "ranges", "coverage")
    if coverage["value"] is None:
        return "How often the stated ranges held is not known."
    promised, width = reading.number(body, "ranges", "promised"), reading.number(body, "ranges", "meanTiers")
    of = "" if promised is None else f" of a promised {promised:.0%}"
    wide = "" if width is None else f"; a range is {width:.1f} tiers wide on average"
    n = words.count(reading.whole(coverage, "n"))
    return f"The stated ranges held for {_SHARE.with_interval(coverage)}{of}, n {n}{wide}."


def _tiles(body: Body) -> list[dict[str, str]]:
    tiles = []
    for name, key in (("RPS at the end", "rps"), ("Log loss at the end", "logLoss")):
        found = reading.estimate(body, "end", "difference", key)
        living, static = (reading.number(body, "end", who, key, "value") for who in ("living", "static"))
        note = "" if static is None else f"static {static:.3f}, difference {words.signed(found['value'])}"
        tiles.append({"name": name, "value": words.figure(living), "note": note})
    living, static = (reading.number(body, "end", who, "debiasedEce", "value") for who in ("living", "static"))
    note = "" if static is None else f"static {static:.3f}"
    tiles.append({"name": "Debiased ECE at the end", "value": words.figure(living), "note": note})
    coverage, promised = reading.estimate(body, "ranges", "coverage"), reading.number(body, "ranges", "promised")
    note = "" if promised is None else f"promised {promised:.0%}"
    tiles.append({"name": "Ranges that held", "value": words.share(coverage["value"]), "note": note})
    retrained = sum(kind == "promoted" for kind, _ in _happened(body))
    tiles.append({"name": "Promotions", "value": words.count(retrained), "note": "new versions that came to serve"})
    return tiles


def _question(body: Body) -> list[tuple[str, str]]:
    window = reading.said(body, "window")
    return [
        ("Predicted", words.WINDOWS.get(window, window)),
        ("Outcome", reading.said(body, "label", "quantity")),
        ("Tiers", words.tiers(reading.numbers(body, "label", "cutPoints"))),
    ]


def _counts(body: Body) -> Table:
    n = reading.part(body, "n")
    reasons = {
        "tooYoung": "not old enough for an outcome",
        "notReadSince": "not read again once they were old enough",
        "readTooLate": "their only reading is beyond the age that counts",
    }
    rows = [
        ("videos", reading.whole(n, "videos"), "read from the source"),
        ("matured", reading.whole(n, "mature"), "their outcome is known"),
        (
            "predicted",
            reading.whole(n, "predicted"),
            "posted in the months that were lived through; older ones are only learned from",
        ),
        ("left out: immature", reading.whole(n, "immature"), "without an outcome, for one of these reasons"),
    ]
    by_reason, by_code = reading.part(n, "immatureBy"), reading.part(n, "rejectedBy")
    rows += [("– of these", reading.whole(by_reason, why), reasons.get(why, why)) for why in by_reason]
    if reading.whole(n, "withoutReading"):
        rows.append(
            ("left out: no early reading", reading.whole(n, "withoutReading"), "nothing was read inside the window")
        )
    rows.append(("rejected", reading.whole(n, "rejected"), "the row could not be used"))
    rows += [("– of these", reading.whole(by_code, code), code) for code in by_code]
    told = [(name, words.count(number), why) for name, number, why in rows if number or not name.startswith("–")]
    return Table("Videos of this replay", ("Videos", "n", "What they are"), told, range(1, 2))


def _happened(body: Body) -> list[tuple[str, datetime]]:
    events = [(reading.said(one, "kind"), reading.moment(one, "at")) for one in reading.parts(body, "events")]
    return [(kind, at) for kind, at in events if at is not None]


def _lanes(lanes: Sequence[Lane]) -> str:
    shown = [lane.kind for lane in lanes if lane.moments]
    if not shown:
        return "Nothing happened to the living line on the way."
    return (
        "Below each picture stands what happened to the living line: promoted and held are retrains, recalibrated is "
        "new calibrators or ranges, amber and red are alarms of its audits."
    )


def _curves(months: Sequence[Body], key: str, lanes: Sequence[Lane]) -> Picture:
    metric = METRICS[key]
    drawn = [
        Course(name, _points(months, lambda one, who=who: reading.estimate(one, who, key)), ours=who == "living")  # type: ignore[misc]
        for who, name in _NAMES.items()
    ]
    spec = courses.courses(drawn, Look(from_zero=key == "debiasedEce", gap=_GAP), None, lanes)
    says = f"{metric.name} by month. {'; '.join(courses.summary(one, metric.with_interval) for one in drawn)}."
    how = (
        f"Lower is better: {metric.meaning}. A dot is a month, the shade its 95% interval; no line crosses months "
        "without videos. Where the shades do not touch, the month tells the two apart."
    )
    return picture(f"{metric.name} by month", spec, says, how)


def _coverage(body: Body, months: Sequence[Body], lanes: Sequence[Lane]) -> Picture:
    metric, promised = METRICS["coverage"], reading.number(body, "ranges", "promised")
    drawn = Course("living line", _points(months, lambda one: reading.estimate(one, "ranges", "coverage")))
    rule = None if promised is None else Rule(promised, f"promised {promised:.0%}")
    spec = courses.courses([drawn], Look(is_share=True, gap=_GAP), rule, lanes)
    says = f"Ranges that held, by month. {courses.summary(drawn, metric.with_interval)}."
    how = (
        "How often the actual tier lay inside the range that was stated. On the dashed line is what was promised: "
        "below it the ranges were too narrow, above it wider than they need be. The shade is the 95% interval."
    )
    return picture("Ranges that held, by month", spec, says, how)


def _points(months: Sequence[Body], of: Callable[[Body], Body]) -> list[tuple[datetime, Body]]:
    """Return an estimate of each month at its middle."""
    told = []
    for one in months:
        begun, until = reading.moment(one, "from"), reading.moment(one, "to")
        if (at := begun or until) is not None:
            told.append((at + ((until or at) - at) / 2, of(one)))
    return told


def _months(months: Sequence[Body]) -> Table:
    rows = [
        (
            reading.day(one, "from"),
            words.count(reading.whole(one, "n")),
            ", ".join(f"{version:g}" for version in reading.numbers(one, "versions")) or UNKNOWN,
            *(METRICS["rps"].with_interval(reading.estimate(one, who, "rps")) for who in _NAMES),
            words.signed_interval(reading.estimate(one, "difference", "rps")),
            _SHARE.with_interval(reading.estimate(one, "ranges", "coverage")),
        )
        for one in months
    ]
    head = ("Month from", "n", "Versions", "RPS living", "RPS static", "Difference", "Ranges held")
    return Table("Months, with 95% intervals", head, rows, absent="no month could be lived through.")


def _month_chances(months: Sequence[Body]) -> Table:
    keys = ("logLoss", "debiasedEce")
    rows = [
        (
            reading.day(one, "from"),
            *(METRICS[key].with_interval(reading.estimate(one, who, key)) for key in keys for who in _NAMES),
        )
        for one in months
    ]
    head = ("Month from", *(f"{METRICS[key].name} {who}" for key in keys for who in _NAMES))
    return Table("The chances of each month, with 95% intervals", head, rows, absent="no month could be lived through.")


def _figures(title: str, found: Body) -> Table:
    n = words.count(reading.whole(found, "n"))
    rows = []
    for key in _KEYS:
        metric, difference = METRICS[key], reading.estimate(found, "difference", key)
        each = [metric.with_interval(reading.estimate(found, who, key)) for who in _NAMES]
        between = "–" if difference["value"] is None else words.signed_interval(difference)
        rows.append((metric.name, *each, between))
    head = ("Metric", *_NAMES.values(), "difference")
    return Table(f"{title}, n {n}, with 95% intervals", head, rows if found else [], absent="not known.")


def _events(body: Body) -> Table:
    rows = [
        (reading.day(one, "at"), _kind(reading.said(one, "kind")), reading.said(one, "said"))
        for one in reading.parts(body, "events")
    ]
    return Table("Events of the living line", ("Date", "Kind", "Why"), rows, range(0), "none.")


def _kind(kind: str) -> str:
    return words.alarm(kind)


def _about(body: Body) -> list[tuple[str, str]]:
    taken = reading.number(body, "stepSeconds")
    return [
        ("Source", reading.said(body, "source")),
        ("Lived through", f"{reading.minute(body, 'from')} to {reading.minute(body, 'to')}"),
        ("Nothing later than", reading.minute(body, "asOf")),
        ("Time taken", UNKNOWN if taken is None else f"{taken:,.0f} s"),
    ]
