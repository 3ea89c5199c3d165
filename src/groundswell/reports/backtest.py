"""The report of a backtest: whether its line would be promoted, how good it is, for whom, and what it looks at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from groundswell.reports import charts, evaluated, words
from groundswell.reports.charts import Row, Rule
from groundswell.reports.pages import page
from groundswell.reports.parts import Picture, Table, finding, picture
from groundswell.reports.words import BASELINES, DRAWN, METRICS, Body

#: So many groups of videos are drawn; the table has them all.
MAX_SLICES = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Slice:
    """The figures of one group of videos."""

    name: str
    found: Body


def render(body: Body) -> str:
    """Return the report as one HTML file; the same body gives the same bytes."""
    slices = list(_slices(body["slices"]))
    return page(
        "backtest.html",
        window=body["window"],
        source=body["source"],
        quantity=body["label"]["quantity"],
        as_of=words.moment(body["asOf"]),
        verdict=words.verdict(body),
        badge="passed" if body["decision"]["decision"] == "promote" else "failed",
        sentences=[words.skill(body), words.lift(body), words.ceiling(body)],
        why=_why(body["decision"]),
        tiles=_tiles(body),
        counts=_counts(body),
        metric_pictures=[evaluated.metric_picture(body, key) for key in DRAWN],
        metric_table=evaluated.metric_table(body),
        baseline_table=evaluated.baseline_table(body["baselines"]),
        promised_range=words.promised_range(body),
        honesty_pictures=[evaluated.confusion(body["confusionMatrix"]), evaluated.reliability(body["reliability"])],
        tier_table=evaluated.tier_table(body["perClass"]),
        slices_note=_slices_note(body["slices"], slices),
        slice_pictures=[_slice_picture(body, slices, key) for key in ("accuracy", "rps")],
        slice_table=_slice_table(slices),
        feature_pictures=[evaluated.features_picture(body["topFeatures"]), evaluated.learners(body["learners"])],
        feature_table=evaluated.feature_table(body["topFeatures"]),
        random_split=words.random_split(body),
        findings_rows=[finding(found) for found in body["findings"]],
        about=_about(body),
    )


def _why(decision: Body) -> list[tuple[str, str]]:
    told = [("Why", decision["reason"])]
    return told if decision["decision"] == "promote" else [*told, ("Enough would be", decision["enough"])]


def _tiles(body: Body) -> list[dict[str, str]]:
    accuracy, rps = body["metrics"]["accuracy"], body["metrics"]["rps"]
    lift, ceiling, found = body.get("lift") or {}, body.get("ceiling") or {}, body.get("range") or {}
    by = words.value_of(lift.get("rps"))
    reached = ceiling.get("reached")
    against = BASELINES.get(lift.get("baseline", ""), lift.get("baseline", ""))
    return [
        _tile("Right tier", METRICS["accuracy"], accuracy),
        _tile("RPS, lower is better", METRICS["rps"], rps),
        {
            "name": "Against a baseline",
            "value": words.signed(by),
            "note": "" if by is None else f"in RPS, to the {against}",
        },
        {
            "name": "Of the ceiling",
            "value": words.UNKNOWN if reached is None else f"{reached:.0%}",
            "note": "" if reached is None else f"an accuracy of {words.share(ceiling['accuracy'])}",
        },
        _tile(f"In the {found.get('promised', 0.8):.0%} range", METRICS["accuracy"], found.get("coverage")),
    ]


def _tile(name: str, metric: words.Metric, estimate: Body | None) -> dict[str, str]:
    between = metric.interval(estimate)
    return {"name": name, "value": metric.value(words.value_of(estimate)), "note": between and f"95% {between}"}


def _counts(body: Body) -> Table:
    n, periods = body["n"], body["periods"]
    late = n["immatureBy"]
    rows = [
        ("videos", n["videos"], f"read from {body['source']}"),
        ("to learn from", n["train"], _posted(periods["train"])),
        ("to tune the chances", n["calibration"], _posted(periods["calibration"])),
        ("to be judged on", n["holdout"], _posted(periods["holdout"])),
        ("left out: embargo", n["embargo"], "their outcome was not known yet when the next period began"),
        (
            "left out: posted too recently",
            late["tooYoung"],
            "not old enough for an outcome by the day of this backtest",
        ),
        ("left out: outcome not read", late["notReadSince"], "not read again once they were old enough"),
        ("left out: outcome read too late", late["readTooLate"], "their only reading is beyond the age that counts"),
        ("left out: no early reading", n["withoutReading"], "nothing was read inside the observation window"),
        ("left out: older", n["olderLeftOut"], "older than the newest that are learned from"),
        *[(f"rejected: {code}", number, "the row could not be used") for code, number in n["rejectedBy"].items()],
    ]
    told = [(name, words.count(number), why) for name, number, why in rows if number or not name.startswith("left out")]
    return Table("Videos of this backtest", ("Videos", "n", "What they are"), told, range(1, 2))


def _posted(period: Body | None) -> str:
    days = words.between(period)
    return "posting time not known" if days == words.UNKNOWN else f"posted {days}"


def _slices(found: Body) -> Iterator[Slice]:
    for key, name in words.CREATORS.items():
        if found.get(key) is not None:
            yield Slice(name, found[key])
    for key, names in (("platform", {}), ("creatorSize", words.CREATOR_SIZES), ("source", {})):
        for name, figures in (found.get(key) or {}).items():
            if figures is not None:
                yield Slice(names.get(name, name), figures)


def _slices_note(found: Body, slices: Sequence[Slice]) -> str:
    kinds = {
        **words.CREATORS,
        "platform": "platforms",
        "creatorSize": "sizes of creator",
        "source": "sources",
    }
    absent = [name for key, name in kinds.items() if not found.get(key)]
    said = "The same forecasts, judged on groups of videos." if slices else "No group of videos could be judged alone."
    left = f" Not told apart here: {', '.join(absent)}." if absent else ""
    most = f" The pictures have the {MAX_SLICES} largest groups, the table has all." if len(slices) > MAX_SLICES else ""
    return said + left + most


def _slice_picture(body: Body, slices: Sequence[Slice], key: str) -> Picture:
    metric, overall = METRICS[key], body["metrics"][key]
    largest = sorted((one.found["n"] for one in slices), reverse=True)[:MAX_SLICES]
    drawn_ones = [one for one in slices if largest and one.found["n"] >= largest[-1]][:MAX_SLICES]
    rows = [
        Row(
            f"{words.shortened(one.name, 22)}, n {one.found['n']:,}",
            one.found[key],
            metric.with_interval(one.found[key]),
        )
        for one in drawn_ones
    ]
    whole = words.value_of(overall)
    rule = Rule(whole, f"all videos {metric.value(whole)}") if whole is not None else None
    better = "Further right is better" if metric.higher_is_better else "Further left is better"
    reading = f"{better}. A group whose interval reaches the upright mark is not told apart from all videos."
    says = f"{metric.name} by group: {'; '.join(f'{row.name}, {row.said}' for row in rows) or words.UNKNOWN}."
    return picture(f"{metric.name} by group", charts.dots(metric, rows, rule), says, reading)


def _slice_table(slices: Sequence[Slice]) -> Table:
    keys = ("accuracy", "withinOne", "rps", "qwk", "logLoss")
    rows = [
        (
            one.name,
            words.count(one.found["n"]),
            *(METRICS[key].with_interval(one.found[key]) if key in one.found else "–" for key in keys),
        )
        for one in slices
    ]
    return Table("Groups of videos, with 95% intervals", ("Group", "n", *(METRICS[key].name for key in keys)), rows)


def _about(body: Body) -> list[tuple[str, str]]:
    label, periods, steps = body["label"], body["periods"], body.get("stepSeconds") or {}
    latest = label["labelAgeMaxHours"]
    age = label["labelAgeHours"]
    read = f"{label['quantity']} at {words.hours(age)} after posting or the first reading after it"
    read = read if age is not None else f"{label['quantity']} at the newest reading"
    return [
        ("Window", f"{body['window']}: what is known {words.WINDOWS.get(body['window'], 'in this window')}"),
        ("Outcome", f"{read}, at the latest {words.hours(latest)}" if latest is not None else read),
        ("Cut-points", words.tiers(label["cutPoints"])),
        ("Learned from", words.between(periods["train"])),
        ("Tuned on", words.between(periods["calibration"])),
        ("Judged on", words.between(periods["holdout"])),
        ("Nothing later than", words.moment(body["asOf"])),
        ("Source", body["source"]),
        ("Time taken", words.seconds(steps)),
    ]
