"""How a backtest reads on a terminal: the verdict in plain words, the figures beside the baselines, the checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from groundswell.printing import Body, lines, number, percent
from groundswell.reports import words

#: So many features are named; the report has more.
FEATURES = 5
#: The metrics that are shown beside those of the baselines.
METRICS = ("accuracy", "withinOne", "qwk", "rps", "logLoss")


def backtest(body: Body) -> str:
    """Return the outcome of a backtest: whether its line would be promoted, how good it is by the baselines, why."""
    told = (words.verdict, words.skill, words.lift, words.ceiling, words.promised_range, words.random_split)
    parts = [
        "\n".join(sentence for sentence in (tell(body) for tell in told) if sentence),
        lines(_counts(body)),
        _two_columns(list(_metrics(body))),
        _two_columns(list(_groups(body))),
        _features(body["topFeatures"]),
        _decision(body),
    ]
    return "\n\n".join(part for part in parts if part)


def _counts(body: Body) -> dict[str, str]:
    n, periods = body["n"], body["periods"]
    left = {
        "  embargo": n["embargo"],
        "  too young": n["immatureBy"]["tooYoung"],
        "  not read since": n["immatureBy"]["notReadSince"],
        "  read too late": n["immatureBy"]["readTooLate"],
        "  no early reading": n["withoutReading"],
        "  older": n["olderLeftOut"],
        "  rejected": n["rejected"],
    }
    return {
        "videos": f"{words.count(n['videos'])} from {words.shortened(body['source'], 80)}",
        "learned from": f"{words.count(n['train'])}, posted {words.between(periods['train'])}",
        "tuned on": f"{words.count(n['calibration'])}, posted {words.between(periods['calibration'])}",
        "judged on": f"{words.count(n['holdout'])}, posted {words.between(periods['holdout'])}",
        "left out": words.count(sum(left.values())),
        **{name: words.count(found) for name, found in left.items() if found},
    }


def _metrics(body: Body) -> Iterator[tuple[str, str]]:
    for key in METRICS:
        metric = words.METRICS[key]
        write = percent if metric.is_share else number
        yield metric.name, write(body["metrics"][key])
        for name, found in body["baselines"].items():
            if key in found:
                yield f"  {words.BASELINES.get(name, name)}", write(found[key])
    yield "ECE", number(body["metrics"]["ece"])


def _groups(body: Body) -> Iterator[tuple[str, str]]:
    slices = body["slices"]
    for key, name in words.CREATORS.items():
        if slices.get(key) is not None:
            yield f"accuracy, {name}", percent(slices[key]["accuracy"])
    for key in ("platform", "source"):
        groups = slices.get(key) or {}
        # A single group is all videos once more.
        for name, found in groups.items() if len(groups) > 1 else ():
            yield f"accuracy, {words.shortened(name, 40)}", percent(found["accuracy"])


def _features(features: Sequence[Body]) -> str:
    rows = [(words.signed(found["importance"], 4), found["sentence"]) for found in features[:FEATURES]]
    told = "\n".join(f"  {lost}  {sentence}" for lost, sentence in rows)
    return f"what matters most (RPS lost without it)\n{told}" if rows else ""


def _decision(body: Body) -> str:
    decision = body["decision"]
    said = [f"why: {decision['reason']}"]
    if decision["decision"] != "promote":
        said.append(f"enough would be: {decision['enough']}")
    said += [
        f"  {finding['code']} {finding['outcome']:<14} {finding['title']}. {finding['explanation']}"
        for finding in body["findings"]
    ]
    return "\n".join(said)


def _two_columns(rows: Sequence[tuple[str, str]]) -> str:
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
