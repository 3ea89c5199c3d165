"""How the loop reads on a terminal: harvests, recalibrations, calibrations of the score, and replays."""

from __future__ import annotations

from groundswell.printing import Body, lines, number, percent


def harvest(body: Body) -> str:
    """Return the outcome of a harvest."""
    if body["status"] != "completed":
        return str(body["status"])
    waiting = {f"  {_words(state)}": f"{count:,}" for state, count in body["withoutOutcome"].items()}
    return lines(
        {
            "predictions followed": f"{body['followed']:,}",
            "new outcomes": f"{body['harvested']:,}",
            "corrected": f"{body['corrected']:,}",
            "unchanged": f"{body['unchanged']:,}",
            "reported by hand": f"{body['leftAsReported']:,}",
            **({"without an outcome": "", **waiting} if waiting else {}),
            "matured": body["matured"]["sentence"],
        }
    )


def recalibrate(body: Body) -> str:
    """Return the outcome of a recalibration."""
    if body["status"] in {"failed", "already_running"}:
        return str(body["status"])
    if body["status"] == "skipped":
        head = f"skipped: {body['reason']}"
    else:
        head = f"completed: version {body['modelVersion']} serves window {body['window']}. {body['reason']}"
    found = body.get("reach")
    reach = [f"  reach of the ranges {found['before']:.3f}, now {found['after']:.3f}"] if found else []
    checks = [f"  {one['code']} {one['outcome']}: {one['explanation']}" for one in body["decision"]["findings"]]
    rows = f"{body['rows']:,} {body['source']} that champion {body['champion']} never learnt from"
    return "\n".join([head, rows, *reach, *checks])


def calibrations(body: Body) -> str:
    """Return the calibrations of the score, newest first."""
    rows = [
        f"{'*' if one['serves'] else ' '} {one['version']:>4}  {one['createdAt'][:19]}  {one['kind']:<10} "
        f"{one['pairs']:>9,} pairs  {one['reason']}"
        for one in body["calibrations"]
    ]
    return "\n".join(rows or ["no calibrations yet: `groundswell audit` fits one from 50 outcomes on"])


def calibration(body: Body) -> str:
    """Return which calibration speaks after one was restored."""
    serves = f"serves ({body['kind']})" if body["serves"] else "leaves the scores alone"
    return f"calibration {body['version']} {serves}: {body['reason']}"


def _months(body: Body) -> str:
    """Return the months of a replay as a table, and what it comes to."""
    head = "month        videos  RPS living  static   log loss living  static   ECE living  static   in the range"
    rows = [
        f"{month['from'][:10]} {month['n']:>8,}  {_four(month, 'rps', 10)}   {_four(month, 'logLoss', 15)}   "
        f"{_four(month, 'debiasedEce', 10)}   {percent(month['ranges']['coverage'])}"
        for month in body["months"]
    ]
    return "\n".join([head, *rows])


def replay(body: Body) -> str:
    """Return what a replay came to."""
    end, difference = body["end"], body["end"]["difference"]["rps"]
    verdict = "not worse" if (difference["low"] or 0) <= 0 else "WORSE"
    facts = lines(
        {
            "window": body["window"],
            "videos predicted": f"{body['n']['predicted']:,}, posted {body['from'][:10]} to {body['to'][:10]}",
            "first model": f"{body['start']['videos']:,} videos" + _shortened(body),
            "RPS, whole": f"{number(body['whole']['living']['rps'])}, static {number(body['whole']['static']['rps'])}, "
            f"tier shares {number(body['whole']['tierShares']['rps'])}",
            f"RPS from {end['from'][:10]} on": f"{number(end['living']['rps'])}, static "
            f"{number(end['static']['rps'])}: {verdict} at the end",
            "ECE at the end": f"{number(end['living']['debiasedEce'])}, static {number(end['static']['debiasedEce'])} "
            "(15 bins, noise taken off)",
            "in the 80% range": percent(body["ranges"]["coverage"]),
        }
    )
    return f"{_months(body)}\n\n{facts}"


def _shortened(body: Body) -> str:
    if not body["start"]["shortened"]:
        return ""
    return f"; fewer than {body['monthsAsked']} months, since too little had matured before"


def _four(month: Body, metric: str, width: int) -> str:
    living, static = (month[who][metric]["value"] for who in ("living", "static"))
    return f"{living:>{width}.4f}  {static:.4f}"


def _words(state: str) -> str:
    """Return a state in words.

    >>> _words("notReadSince")
    'not read since'
    """
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in state)
