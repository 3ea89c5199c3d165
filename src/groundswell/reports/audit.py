"""The report of an audit: did what was said come true, what has moved, and what should be done about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundswell.reports import audit_drift as drift
from groundswell.reports import audit_pictures as pictures
from groundswell.reports import audit_words as told
from groundswell.reports import reading, words
from groundswell.reports.pages import page
from groundswell.reports.parts import Picture, Table, alarm_badge, finding
from groundswell.reports.words import METRICS, Body


def render(body: Body) -> str:
    """Return the report as one HTML file; the same body gives the same bytes, and one that lacks parts says so."""
    return page("audit.html", **told_audit(body))


def told_audit(body: Body) -> dict[str, Any]:
    """Return what the template `audit.html` shows of an audit."""
    changed = drift.scraper_changed(body)
    lines = {window: line for window, line in reading.part(body, "lines").items() if isinstance(line, Mapping)}
    audits = [*reading.parts(body, "history"), _present(body, lines)]
    return {
        "audited_at": reading.minute(body, "auditedAt"),
        "state": _look(body),
        "badge": alarm_badge(told.state_of(body)),
        "headline": told.headline(body),
        "line_badges": [(window, alarm_badge(told.state_of(line))) for window, line in lines.items()],
        "why": _why(body, changed),
        "tiles": _tiles(body),
        "matured": reading.said(body, "matured", "sentence", unknown="How many predictions have matured is not known"),
        "differences": _differences(body),
        "matured_table": _matured(body),
        "left_out_table": _left_out(body),
        "judged": reading.said(body, "status") == "completed",
        "score_pictures": [
            pictures.reliability("Scores against outcomes", _bins(body), "score"),
            pictures.over_audits("ECE of the scores, audit by audit", audits, _threshold(body)),
        ],
        "rule": told.rule(body),
        "measures": told.measures("Measures of the scores", body),
        "calibration": _calibration(body),
        "candidates": _candidates(body),
        "segments": _segments(body),
        "audits": _audits(audits, lines),
        "lines": [_line(window, line, audits) for window, line in lines.items()],
        "changed": changed,
        "scrape_sentence": drift.scrape_sentence(body),
        "findings_rows": [finding(one) for one in reading.parts(body, "scrape")],
        "drifts": [drift.told_drift(window, line, changed) for window, line in lines.items()],
        "about": _about(body),
    }


def _look(body: Body) -> str:
    state = told.state_of(body)
    return state if state in words.ALARM_SIGNS else "neutral"


def _threshold(body: Body) -> float | None:
    kept = reading.number(body, "driftThreshold")
    of_lines = (reading.number(line, "alarmRule", "threshold") for line in reading.part(body, "lines").values())
    known = (one for one in (kept, reading.number(body, "alarmRule", "threshold"), *of_lines) if one is not None)
    return next(known, None)


def _bins(body: Body) -> list[Body]:
    """Return the bins of the diagram; those of the plain ECE where an older audit kept no bands."""
    return reading.parts(body, "reliability") or reading.parts(body, "bins")


def _present(body: Body, lines: Body) -> Body:
    """Return this audit as the history will tell it."""
    ece = reading.estimate(body, "measures", "ece")
    return {
        "auditedAt": reading.found(body, "auditedAt"),
        "n": reading.found(body, "totalSamples"),
        "ece": ece if ece["value"] is not None else reading.estimate(body, "ece"),
        "alarm": reading.found(body, "alarm"),
        "lines": {
            window: {
                "alarm": reading.found(line, "alarm"),
                "n": reading.found(line, "n"),
                "ece": reading.found(line, "measures", "ece"),
            }
            for window, line in lines.items()
        },
    }


def _why(body: Body, changed: bool) -> list[tuple[str, str]]:
    rows = [("Recommended", told.recommendation(body))]
    if changed:
        rows.append(("Scraper", "It changed: see the checks below."))
    for name, key in (("Alarm", "alarmReason"), ("Reason", "reason"), ("Error", "error")):
        if (why := reading.said(body, key, unknown="")) != "":
            rows.append((name, why))
    return [*rows, ("Worth telling", told.notice(body))] if "notify" in body else rows


def _tiles(body: Body) -> list[dict[str, str]]:
    tiles = []
    for name, key in (("ECE of the scores", "ece"), ("Debiased ECE", "debiasedEce")):
        one = reading.estimate(body, "measures", key)
        if one["value"] is None and key == "ece":
            one = reading.estimate(body, "ece")
        between = METRICS["ece"].interval(one)
        tiles.append({"name": name, "value": words.figure(one["value"]), "note": between and f"95% {between}"})
    served, threshold = reading.number(body, "servedEce"), _threshold(body)
    pairs = reading.whole(body, "totalSamples")
    pairs = pairs if pairs is not None else reading.whole(body, "samples")
    made, matured = reading.whole(body, "matured", "predictions"), reading.whole(body, "matured", "matured")
    of = "on the same pairs" if threshold is None else f"on the same pairs; the threshold is {threshold:g}"
    every = [
        *tiles,
        {"name": "ECE as served from now on", "value": words.figure(served), "note": of},
        {"name": "Pairs judged", "value": words.count(pairs), "note": "scores with their outcomes"},
        {
            "name": "Predictions matured",
            "value": words.share(matured / made) if made and matured is not None else words.UNKNOWN,
            "note": f"{words.count(matured)} of {words.count(made)}" if made is not None else "",
        },
    ]
    return [tile for tile in every if tile["value"] != words.UNKNOWN]


def _differences(body: Body) -> list[tuple[str, str]]:
    """Return by window whether the matured predictions are like the rest."""
    return [
        (window, reading.said(one, "differs", "sentence", unknown="Whether the matured ones differ cannot be told."))
        for window, one in reading.part(body, "matured", "byWindow").items()
    ]


def _matured(body: Body) -> Table:
    keys = ("predictions", "matured", "maturing", "unread", "nameless")
    rows = [
        (
            window,
            *(words.count(reading.whole(one, key)) for key in keys),
            reading.day(one, "maturesBy") if reading.found(one, "maturesBy") else "–",
        )
        for window, one in reading.part(body, "matured", "byWindow").items()
    ]
    head = ("Window", "made", "matured", "not old enough", "old enough, not read since", "naming no video", "rest by")
    return Table("Predictions by window", head, rows, absent="none was made in the time of this audit.")


def _left_out(body: Body) -> Table:
    rows = [
        (told.LEFT_OUT.get(reason, reason), words.count(reading.whole({"n": number}, "n")))
        for reason, number in reading.part(body, "leftOutBy").items()
    ]
    for name, key in (("scores outside 0–100, clipped and kept", "clipped"), ("duplicates, one kept", "duplicates")):
        number = reading.whole(body, key)
        if number:
            rows.append((name, words.count(number)))
    return Table("Outcomes left out or mended", ("Outcomes", "n"), rows, absent="none.")


def _calibration(body: Body) -> list[tuple[str, str]]:
    kept = reading.part(body, "scoreCalibration")
    a, b = reading.number(body, "plattParams", "a"), reading.number(body, "plattParams", "b")
    kind = reading.said(kept, "kind")
    fitted = "not fitted" if a is None or b is None else f"a = {a:.4f}, b = {b:.4f}".replace("-", "−")
    return [
        ("Serves from now on", told.CALIBRATIONS.get(kind, kind)),
        ("Why", reading.said(kept, "reason")),
        ("Platt, always fitted", f"{fitted}; {reading.said(body, 'plattReason', unknown='why is not known')}"),
    ]


def _candidates(body: Body) -> Table:
    kept = reading.part(body, "scoreCalibration")
    active = reading.said(kept, "kind")
    rows = []
    for one in reading.parts(kept, "candidates"):
        kind, lead, able = reading.said(one, "kind"), reading.estimate(one, "lead"), reading.truth(one, "eligible")
        named = told.CALIBRATIONS.get(kind, kind)
        loss = reading.number(one, "logLoss")
        rows.append(
            (
                f"{named}, serves" if kind == active else named,
                words.UNKNOWN if loss is None else f"{loss:.4f}",
                "–" if lead["value"] is None else words.signed_interval(lead, 4),
                "–" if able is None else "yes" if able else "no",
                reading.said(one, "reason"),
            )
        )
    head = ("Calibration", "Log loss", "Against the simplest", "May serve", "Why")
    title = "Calibrations of the score that were tried, by cross-validated log loss (lower is better)"
    return Table(title, head, rows, range(1, 3), "none was kept with this audit.")


def _segments(body: Body) -> Table:
    rows = [
        (
            reading.said(one, "name"),
            words.count(reading.whole(one, "n")),
            words.signed(reading.number(one, "offset")),
        )
        for one in reading.parts(body, "scoreCalibration", "segments")
    ]
    head = ("Segment", "n", "Offset on the logit")
    return Table("Offsets by platform and size of creator", head, rows, absent="no segment has an offset of its own.")


def _audits(audits: Sequence[Body], lines: Body) -> Table:
    """Return a row an audit, newest first, with the alarm of the scores and of each line."""
    windows = list(dict.fromkeys([*lines, *(window for one in audits for window in reading.part(one, "lines"))]))
    rows = [
        (
            reading.minute(one, "auditedAt"),
            alarm_badge(told.state_of(one)),
            METRICS["ece"].with_interval(reading.estimate(one, "ece")),
            words.count(reading.whole(one, "n")),
            *(alarm_badge(reading.said(one, "lines", window, "alarm", unknown="–")) for window in windows),
        )
        for one in reversed(audits)
    ]
    head = ("Audited at", "Alarm", "ECE of the scores", "Pairs", *(f"Line {window}" for window in windows))
    return Table("Audits, newest first; the first is this one", head, rows, range(2, 4))


def _line(window: str, line: Body, audits: Sequence[Body]) -> dict[str, Any]:
    state = told.state_of(line)
    before = [{**reading.part(one, "lines", window), "auditedAt": reading.found(one, "auditedAt")} for one in audits]
    champion = reading.whole(line, "champion")
    return {
        "window": window,
        "badge": alarm_badge(state),
        "subtitle": ", ".join(
            (
                f"predicts {words.WINDOWS[window]}" if window in words.WINDOWS else f"window {window}",
                "no champion serves" if champion is None else f"champion is version {champion:,}",
                f"{words.count(reading.whole(line, 'n'))} of the line's predictions matured",
            )
        ),
        "why": [
            ("Recommended", told.recommendation(line)),
            ("Alarm", reading.said(line, "alarmReason")),
            ("Worth telling", told.notice(line)),
        ],
        "pictures": [one for one in _line_pictures(window, line, before) if one.svg],
        "promises": _promises(window, line),
        "rule": told.rule(line) if "alarmRule" in line else "",
        "measures": told.measures(f"Measures of the likeliest tier's chance, line {window}", line),
    }


def _line_pictures(window: str, line: Body, before: Sequence[Body]) -> list[Picture]:
    bins = reading.parts(line, "reliability")
    return [
        pictures.reliability(f"Chances of {window} against outcomes", bins, "chance of the likeliest tier"),
        pictures.over_audits(
            f"ECE of {window}, audit by audit", before, reading.number(line, "alarmRule", "threshold")
        ),
        *pictures.promises(line),
    ]


def _promises(window: str, line: Body) -> Table:
    rps, accuracy = METRICS["rps"], METRICS["accuracy"]
    promised = reading.number(line, "ranges", "promised")
    pairs = [
        ("RPS", rps, reading.estimate(line, "rps", "promised"), reading.estimate(line, "rps", "matured")),
        ("Accuracy", accuracy, reading.estimate(line, "accuracy", "promised"), _matured_accuracy(line)),
        ("Accuracy ", accuracy, reading.estimate(line, "accuracy", "expected"), _matured_accuracy(line)),
        ("Ranges that held", accuracy, {"value": promised}, reading.estimate(line, "ranges", "coverage")),
        ("Log loss", METRICS["logLoss"], {}, reading.estimate(line, "logLoss")),
    ]
    expected = {
        "RPS": "that of the promotion",
        "Accuracy": "that of the promotion",
        "Accuracy ": "what its own chances expect of the latest, without labels",
        "Ranges that held": "what is promised",
    }
    rows = [
        (
            name,
            expected.get(name, "–"),
            _said(metric, before),
            _said(metric, now),
            words.count(reading.whole(now, "n")),
        )
        for name, metric, before, now in pairs
        if now["value"] is not None or reading.number(before, "n") is not None
    ]
    head = ("Measure", "Held against", "Which was", "Of the matured", "n")
    return Table(f"Promised against held, line {window}", head, rows, range(2, 5), "nothing has matured.")


def _matured_accuracy(line: Body) -> Body:
    return reading.estimate(line, "accuracy", "matured")


def _said(metric: words.Metric, estimate: Body) -> str:
    return "–" if not estimate else metric.with_interval({"low": None, "high": None, **estimate})


def _about(body: Body) -> list[tuple[str, str]]:
    version = reading.whole(body, "calibrationVersion")
    steps = {name: taken for name, taken in reading.part(body, "stepSeconds").items() if isinstance(taken, int | float)}
    return [
        ("Audited at", reading.minute(body, "auditedAt")),
        ("Run", reading.said(body, "runId")),
        ("Calibration version", "none was stored" if version is None else words.count(version)),
        ("Status", reading.said(body, "status")),
        *([("As the ledger says", reading.said(body, "frozen"))] if "frozen" in body else []),
        ("Time taken", words.seconds(steps)),
    ]
