"""How answers read on a terminal: JSON on stdout where asked for, else plain lines; progress and errors on stderr."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Body = Mapping[str, Any]
#: An ECE under this one is called well calibrated.
WELL_CALIBRATED = 0.10


def show(body: Body, as_json: bool, view: Callable[[Body], str]) -> None:
    """Print the body as one JSON object, or as the view puts it."""
    if as_json:
        print_json(body)
    else:
        sys.stdout.write(view(body).rstrip() + "\n")


def print_json(body: Body) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(json_text.dumps(body, ensure_ascii=False, allow_nan=False) + "\n")


def print_error(message: str, hint: str) -> None:
    """Print what happened and what to do next on stderr."""
    sys.stderr.write(f"error: {message}\nhint: {hint}\n")


@contextmanager
def progress(name: str) -> Iterator[Callable[[str], None]]:
    """Yield what to call as each step begins; shown only where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _step: None
        return
    from rich.console import Console

    with Console(stderr=True).status(name) as status:
        yield lambda step: status.update(f"{name}: {step}")


@contextmanager
def row_progress(name: str) -> Iterator[Callable[[int], None]]:
    """Yield what to call with the rows read since the last call; shown only where stderr is a terminal."""
    with progress(name) as step:
        total = 0

        def advance(rows: int) -> None:
            nonlocal total
            total += rows
            step(f"{total:,} rows")

        yield advance


def percent(estimate: Body | None) -> str:
    """Return an estimate as a percentage with its interval and n.

    >>> percent({"value": 0.712, "low": 0.688, "high": 0.73, "n": 2002})
    '71.2% (95% 68.8 to 73.0, n 2,002)'
    """
    if estimate is None or estimate["value"] is None:
        return "not known"
    if estimate["low"] is None:
        return f"{estimate['value']:.1%} (n {estimate['n']:,})"
    low, high = 100 * estimate["low"], 100 * estimate["high"]
    return f"{estimate['value']:.1%} (95% {low:.1f} to {high:.1f}, n {estimate['n']:,})"


def number(estimate: Body) -> str:
    """Return an estimate as a number with its interval.

    >>> number({"value": 0.0533, "low": 0.05, "high": 0.0571, "n": 2002})
    '0.053 (95% 0.050 to 0.057, n 2,002)'
    """
    if estimate["value"] is None or estimate["low"] is None:
        return "not known" if estimate["value"] is None else f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} (95% {estimate['low']:.3f} to {estimate['high']:.3f}, n {estimate['n']:,})"


def lines(rows: Mapping[str, Any]) -> str:
    """Return names and values in two columns.

    >>> print(lines({"read": 10, "rejected": 2}))
    read      10
    rejected  2
    """
    width = max((len(name) for name in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def ingest(body: Body) -> str:
    """Return the summary of an ingest."""
    names = ("read", "inserted", "updated", "unchanged", "rejected")
    reasons = {f"  {reason}": count for reason, count in body["rejectedBy"].items()}
    return lines({**{name: f"{body[name]:,}" for name in names}, **reasons})


def baseline(body: Body) -> str:
    """Return the tiers of a calibration baseline."""
    stats = body["dataset_stats"]
    tiers = [
        f"tier {tier['tier']}  WES from {tier['weighted_score_threshold']['min']:.6f}  {tier['video_count']:,} videos"
        for tier in body["virality_tiers"]
    ]
    left_out = ", ".join(f"{name} {count:,}" for name, count in stats["outliers_breakdown"].items() if count)
    return "\n".join(
        [
            f"{stats['analyzed_count']:,} of {stats['total_fetched']:,} videos (left out: {left_out or 'none'})",
            *tiers,
            f"written to {body['path']}",
        ]
    )


def extract(body: Body) -> str:
    """Return what was extracted."""
    tiers = " ".join(f"T{tier}={count:,}" for tier, count in body["labelDistribution"].items())
    return f"{body['trainCount']:,} rows to train, {body['testCount']:,} to test, {tiers}\nwritten to {body['path']}"


def retrain(body: Body) -> str:
    """Return the outcome of a retrain: what serves, how good it is beside the baselines, and why."""
    if body["status"] in {"failed", "already_running"}:
        return str(body["status"])
    said = [_outcome(body)]
    if body.get("notice"):
        said.append(body["notice"])
    if body["evaluation"]:
        said.append(_evaluation(body))
    said.append(f"why: {body['decision']['reason']}")
    if body["status"] == "skipped":
        said.append(f"enough would have been: {body['decision']['enough']}")
    said += [
        f"  {finding['code']} {finding['outcome']:<14} {finding['title']}. {finding['explanation']}"
        for finding in body["decision"]["findings"]
    ]
    return "\n".join(said)


def _outcome(body: Body) -> str:
    dry = " (dry run: nothing was published)" if body.get("dryRun") else ""
    if body["status"] == "completed":
        served = f"version {body['modelVersion']} serves" if body["modelVersion"] else "would serve"
        return f"completed{dry}: {body['estimator']} model, {served} window {body['window']}"
    champion = f"champion {body['champion']} keeps serving" if body["champion"] else "nothing serves yet"
    return f"skipped{dry}: the challenger was held, {champion}"


def _evaluation(body: Body) -> str:
    metrics, baselines = body["evaluation"]["metrics"], body["evaluation"]["baselines"]
    return lines(
        {
            "videos": f"{body['videoCount']:,} from {body['source']}",
            "accuracy": percent(metrics["accuracy"]),
            "  majority tier": percent(baselines["majority"]["accuracy"]),
            "  creator's median": percent(baselines["creatorMedian"]["accuracy"]),
            "within one tier": percent(metrics["withinOne"]),
            "QWK": number(metrics["qwk"]),
            "RPS": number(metrics["rps"]),
            "  tier shares": number(baselines["tierShares"]["rps"]),
            "log loss": number(metrics["logLoss"]),
            "  tier shares ": number(baselines["tierShares"]["logLoss"]),
            **_forecast(body["evaluation"]),
        }
    )


def _forecast(evaluation: Body) -> dict[str, str]:
    """Return what only a forecast tells of itself."""
    if "lift" not in evaluation:
        return {}
    ceiling, found = evaluation["ceiling"], evaluation["range"]
    return {
        "in the 80% range": f"{percent(found['coverage'])}, {found['meanTiers']:.1f} tiers wide",
        "ceiling, a guide": f"{ceiling['accuracy']:.1%} for R² {ceiling['r2']:.2f}",
    }


def audit(body: Body) -> str:
    """Return the outcome of an audit."""
    if body["status"] in {"failed", "already_running"}:
        return str(body["status"])
    if body["status"] == "skipped":
        head = f"skipped: {body['reason']} ({body['samples']} pairs, {body['required']} are needed)"
        return "\n".join([head, *_around(body)])
    params = body["plattParams"]
    platt = f"a {params['a']:.4f}, b {params['b']:.4f}" if params else "none"
    serving = "serves from now on" if body["plattActive"] else "does not serve"
    chosen = body["scoreCalibration"]
    figures = lines(
        {
            "alarm": f"{body['alarm'].upper()}: {body['alarmReason']}",
            "  this rule": _rule(body["alarmRule"]),
            "pairs": f"{body['totalSamples']:,}",
            "ECE": f"{body['ece']:.4f}, {_verdict(body)} (10 bins)",
            "  of what serves now": f"{body['servedEce']:.4f} on the same pairs",
            "Platt": f"{platt}; {serving}",
            "  why": body["plattReason"],
            "score calibration": chosen["reason"],
        }
    )
    return "\n".join([figures, *_around(body)])


def _rule(rule: Body) -> str:
    if not rule["power"]:
        return "not known: too few pairs"
    return (
        f"says red of calibrated scores in {rule['falseAlarms']['value']:.1%} of audits of this n, and of a true ECE "
        f"of {rule['powerAt']:g} in {rule['power']['value']:.0%}"
    )


def _around(body: Body) -> list[str]:
    """Return what an audit tells beside the scores: what matured, the scraper, the lines, and what to do."""
    left = ", ".join(f"{number:,} {reason.replace('_', ' ')}" for reason, number in body["leftOutBy"].items())
    changed = [f"  {one['explanation']}" for one in body["scrape"] if one["outcome"] == "failed"]
    told = [
        f"left out: {left}" if left else "",
        f"of the last {body['days']} days: {body['matured']['sentence']}",
        *(["The scraper changed:", *changed] if changed else []),
        *(
            f"{window}: alarm {line['alarm']}, {line['n']:,} matured. {line['recommendation']['why']}"
            for window, line in body["lines"].items()
        ),
    ]
    advice = body["recommendation"]
    return [line for line in [*told, f"recommended: {advice['action']}. {advice['why']}"] if line]


def _verdict(body: Body) -> str:
    if body["driftDetected"]:
        return f"DRIFT: above {body['driftThreshold']:g}"
    return "well calibrated" if body["ece"] < WELL_CALIBRATED else "acceptable"


def predictions(body: Body) -> str:
    """Return a table with one line for each prediction, by the video's place in the input, and a count."""
    answers = body["predictions"]
    if not answers:
        return "none: no model serves yet"
    made = sum("error" not in entry for entry in answers)
    rows = [
        line
        for place, entry in enumerate(answers, start=1)
        for line in (f"{place:>5}  {_prediction(entry)}", *_reasons(entry))
    ]
    head = "video  tier    range  score  calibrated  chances of tiers 1 to 5"
    served = next((entry for entry in answers if "error" not in entry), None)
    by = f" by model {served['modelVersion']}, calibration {served['calibrationVersion'] or 'none'}" if served else ""
    notices = [f"video {one['index'] + 1}: {one['notice']}" for one in body.get("notices") or ()]
    return "\n".join([head, *rows, *notices, f"{made:,} predicted{by}; {len(answers) - made:,} not"])


def _prediction(entry: Body) -> str:
    if "error" in entry:
        return f"error: {entry['error']} {entry['hint']}"
    chances = " ".join(f"{chance:>4.0%}" for chance in entry["probabilities"])
    found = entry["range"]
    spread = f"{found['low']}" if found["low"] == found["high"] else f"{found['low']}-{found['high']}"
    return f"{entry['tier']:>4}  {spread:>7}  {entry['score']:>5.1f}  {entry['calibratedScore']:>10.1f}  {chances}"


def _reasons(entry: Body) -> list[str]:
    return [f"       {reason['text']}" for reason in entry.get("reasons") or ()]


def models(body: Body) -> str:
    """Return the versions, newest first."""
    rows = [
        f"{'*' if entry['champion'] else ' '} {entry['version']:>4}  {entry['window']:<9} {entry['createdAt'][:19]}  "
        f"{_origin_of(entry):<20} accuracy {percent(entry['testAccuracy'])}"
        for entry in body["versions"]
    ]
    return "\n".join(
        [
            *(rows or ["no versions yet: run `groundswell retrain`, with --window for a forecast"]),
            f"ledger: {body['ledger']}",
        ]
    )


def _origin_of(entry: Body) -> str:
    of = entry.get("recalibratedFrom")
    return entry["source"] if of is None else f"recalibration of {of}"


def model(body: Body) -> str:
    """Return one version in full."""
    return json_text.dumps(body, indent=2, ensure_ascii=False)


def moved(body: Body) -> str:
    """Return which version serves after a move."""
    return f"version {body['champion']} {'now' if body['moved'] else 'already'} serves window {body['window']}"


def database(body: Body) -> str:
    """Return the state of the database."""
    rows = {"database": body["database"], "status": body["status"], "revision": body["revision"] or "none"}
    if "created" in body:
        rows["created"] = ", ".join(body["created"]) or "nothing: all tables were there"
    for table, columns in body["missingColumns"].items():
        rows[f"missing in {table}"] = ", ".join(columns)
    return lines({**rows, "hint": body["hint"]} if body["hint"] else rows)


def demo(body: Body) -> str:
    """Return the report of a demo."""
    parts = [
        ("Made-up videos into the embedded database", ingest(body["ingest"])),
        ("Tiers by weighted engagement score", baseline(body["baseline"])),
        ("Training data for the fallback", extract(body["extract"])),
        ("Retrain, window observed", retrain(body["retrain"])),
        ("Audit of the made-up product's outcomes", audit(body["audit"])),
        ("Prediction of three of the videos", predictions(body["predict"])),
    ]
    told = "\n\n".join(f"{title}\n{'-' * len(title)}\n{text}" for title, text in parts)
    return f"{told}\n\n{body['note']}\n\nNext\n----\n" + "\n".join(body["next"])
