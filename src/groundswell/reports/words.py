"""What a report calls things, and how it writes figures: the same on a page and on a terminal."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Body = Mapping[str, Any]
UNKNOWN = "not known"


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """One measure of a forecast: its name, whether more of it is better, how it is written and what it means."""

    key: str
    name: str
    higher_is_better: bool
    is_share: bool
    meaning: str

    def value(self, number: float | None) -> str:
        """Return a value as this metric is written."""
        return share(number) if self.is_share else figure(number)

    def interval(self, estimate: Body | None) -> str:
        """Return the interval without a unit, or nothing where there is none."""
        if estimate is None or estimate["value"] is None or estimate["low"] is None or estimate["high"] is None:
            return ""
        low, high = estimate["low"], estimate["high"]
        return f"{100 * low:.1f} to {100 * high:.1f}" if self.is_share else f"{low:.3f} to {high:.3f}"

    def with_interval(self, estimate: Body | None) -> str:
        """Return value and interval."""
        between = self.interval(estimate)
        return f"{self.value(value_of(estimate))} ({between})" if between else self.value(value_of(estimate))


METRICS = {
    metric.key: metric
    for metric in (
        Metric("accuracy", "Accuracy", True, True, "how often the likeliest tier is the right one"),
        Metric("withinOne", "Within one tier", True, True, "how often the likeliest tier is at most one tier off"),
        Metric(
            "qwk", "QWK", True, False, "agreement where a miss counts by its distance squared; 0 is chance, 1 perfect"
        ),
        Metric(
            "rps", "RPS", False, False, "distance of the chances of all five tiers from what happened; 0 is perfect"
        ),
        Metric("logLoss", "Log loss", False, False, "the price of too small a chance for what happened; 0 is perfect"),
        Metric("brier", "Brier score", False, False, "squared error of the chances, tier by tier; 0 is perfect"),
        Metric("spearman", "Spearman", True, False, "rank correlation of the expected tier with the outcome"),
        Metric("ece", "ECE", False, False, "distance between the chances it names and how often they come true"),
        Metric(
            "debiasedEce", "Debiased ECE", False, False, "the ECE less what chance alone adds at this n; 0 is perfect"
        ),
        Metric("coverage", "Ranges that held", True, True, "how often the actual tier lay inside the range"),
        Metric("psi", "PSI", False, False, "distance between two distributions; under 0.1 small, from 0.25 large"),
        Metric("balancedAccuracy", "Balanced accuracy", True, True, "accuracy where every tier counts the same"),
        Metric("macroF1", "Macro F1", True, False, "precision and recall in one, averaged over the tiers"),
    )
}
#: Those that the baselines have too, and so are drawn.
DRAWN = ("accuracy", "withinOne", "qwk", "rps", "logLoss", "brier")

BASELINES = {
    "majority": "majority tier",
    "creatorMedian": "creator's median",
    "earlyRank": "rank of early views",
    "tierShares": "tier shares",
}
BASELINE_MEANINGS = {
    "majority": "always names the tier that was most frequent in training",
    "creatorMedian": "names the middle tier of the creator's earlier videos",
    "earlyRank": "names the tier by the rank of the views so far",
    "tierShares": "gives each tier its share in training as its chance",
}
WINDOWS = {
    "publish": "at posting",
    "1h": "one hour after posting",
    "6h": "six hours after posting",
    "24h": "one day after posting",
}
#: What a tier is called where somebody plans a video.
TIERS = {1: "far below usual", 2: "below usual", 3: "about usual", 4: "above usual", 5: "far above usual"}
LEARNERS = {
    "boostedClassifier": "boosted trees on tiers",
    "boostedRegression": "boosted trees on the outcome",
    "linear": "linear model",
}
CREATORS = {"seenCreators": "creators seen before", "unseenCreators": "creators never seen"}
CREATOR_SIZES = {
    "unknown": "followers not known",
    "under10k": "under 10k followers",
    "10kTo100k": "10k to 100k followers",
    "100kTo1M": "100k to 1M followers",
    "over1M": "over 1M followers",
}
#: An alarm never speaks by its colour alone.
ALARM_SIGNS = {"green": "●", "amber": "▲", "red": "■", "insufficient": "○"}
OUTCOMES = {"passed": "passed", "failed": "failed", "not_applicable": "does not apply"}


def value_of(estimate: Body | None) -> float | None:
    """Return an estimate's value, if there is one."""
    return None if estimate is None else estimate["value"]


def share(value: float | None) -> str:
    """Return a share as a percentage.

    >>> share(0.4821), share(None)
    ('48.2%', 'not known')
    """
    return UNKNOWN if value is None else f"{value:.1%}"


def figure(value: float | None) -> str:
    """Return a number to three decimals.

    >>> figure(0.0534), figure(None)
    ('0.053', 'not known')
    """
    return UNKNOWN if value is None else f"{value:.3f}"


def signed(value: float | None, places: int = 3) -> str:
    """Return a difference with its sign.

    >>> signed(-0.0212), signed(0.00312, 4), signed(None)
    ('−0.021', '+0.0031', 'not known')
    """
    return UNKNOWN if value is None else f"{value:+.{places}f}".replace("-", "−")


def signed_interval(estimate: Body, places: int = 3) -> str:
    """Return a difference with its interval.

    >>> signed_interval({"value": -0.0230, "low": -0.0246, "high": -0.0214}), signed_interval({"value": 1.0})
    ('−0.023 (−0.025 to −0.021)', '+1.000')
    """
    low, high, value = estimate.get("low"), estimate.get("high"), signed(estimate["value"], places)
    return value if low is None or high is None else f"{value} ({signed(low, places)} to {signed(high, places)})"


def alarm(state: str) -> str:
    """Return an alarm's word after its sign.

    >>> alarm("red"), alarm("not known")
    ('■ red', 'not known')
    """
    return f"{ALARM_SIGNS[state]} {state}" if state in ALARM_SIGNS else state


def points(value: float) -> str:
    """Return percentage points with one decimal and their word.

    >>> points(1.0), points(6.14)
    ('1.0 point', '6.1 points')
    """
    text = f"{value:.1f}"
    return f"{text} point" if text == "1.0" else f"{text} points"


def count(value: int | None) -> str:
    """Return a count with its thousands apart.

    >>> count(12034), count(None)
    ('12,034', 'not known')
    """
    return UNKNOWN if value is None else f"{value:,}"


def amount(value: float | None) -> str:
    """Return a cut-point: whole where it counts something, four digits where it is a rate.

    >>> amount(12034.4), amount(0.023456), amount(None)
    ('12,034', '0.02346', 'not known')
    """
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"


def hours(value: float | None) -> str:
    """Return an age in hours.

    >>> hours(72.0), hours(1.5), hours(1), hours(None)
    ('72 hours', '1.5 hours', '1 hour', 'not known')
    """
    if value is None:
        return UNKNOWN
    return f"{value:g} hour" if value == 1 else f"{value:g} hours"


def moment(text: str | None) -> str:
    """Return a moment to the minute, in UTC.

    >>> moment("2025-06-01T14:30:00+02:00"), moment("2025-06-01"), moment(None)
    ('2025-06-01 12:30 UTC', '2025-06-01 00:00 UTC', 'not known')
    """
    if text is None:
        return UNKNOWN
    read = datetime.fromisoformat(text)
    read = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    return f"{read:%Y-%m-%d %H:%M} UTC"


def day(text: str | None) -> str:
    """Return the day of a moment, in UTC.

    >>> day("2025-06-01T23:30:00-02:00"), day(None)
    ('2025-06-02', 'not known')
    """
    return UNKNOWN if text is None else moment(text)[:10]


def between(period: Body | None) -> str:
    """Return the days of a period.

    >>> between({"from": "2025-01-01T00:00:00Z", "to": "2025-02-01T00:00:00Z"}), between(None)
    ('2025-01-01 to 2025-02-01', 'not known')
    """
    if period is None or (period["from"] is None and period["to"] is None):
        return UNKNOWN
    return f"{day(period['from'])} to {day(period['to'])}"


def tiers(cut_points: list[float]) -> str:
    """Return where each tier begins.

    >>> tiers([100, 1000.0, 20_000, 300_000])
    'tier 1 under 100, tier 2 from 100, tier 3 from 1,000, tier 4 from 20,000, tier 5 from 300,000'
    """
    if not cut_points:
        return UNKNOWN
    begun = [f"tier {tier} from {amount(cut)}" for tier, cut in enumerate(cut_points, start=2)]
    return ", ".join([f"tier 1 under {amount(cut_points[0])}", *begun])


def verdict(body: Body) -> str:
    """Return whether this line would be promoted, in one sentence."""
    if body["window"] == "observed":
        served = "would be promoted" if body["decision"]["decision"] == "promote" else "would be held back"
        return f"This model, which describes videos after the fact and forecasts nothing, {served}."
    when = WINDOWS.get(body["window"], f"in the window {body['window']}")
    if body["decision"]["decision"] == "promote":
        return f"This forecast, made {when}, would be promoted."
    return f"This forecast, made {when}, would be held back."


def skill(body: Body) -> str:
    """Return how often it is right, on what, in one sentence."""
    accuracy = body["metrics"]["accuracy"]
    if value_of(accuracy) is None:
        return "How often it is right is not known: no video was left to judge it on."
    span = METRICS["accuracy"].interval(accuracy)
    interval = f" (95% interval {span})" if span else ""
    return (
        f"Of {count(accuracy['n'])} {'other' if body['window'] == 'observed' else 'later'} videos "
        f"that it never learned from, it puts "
        f"{share(accuracy['value'])}{interval} in the right one of five tiers."
    )


def lift(body: Body) -> str:
    """Return how it compares with the best baseline, in one sentence."""
    found = body.get("lift")
    if found is None or value_of(found["rps"]) is None:
        return "How it compares with the baselines is not known."
    against = BASELINES.get(found["baseline"], found["baseline"])
    by = found["rps"]["value"]
    more = "lower, which is better," if by < 0 else "higher, which is worse,"
    than = f"than that of the best baseline, the {against}"
    return f"Its RPS is {abs(by):.3f} {more} {than}{_sureness(found['rps'])}{_points(found)}."


def _sureness(difference: Body) -> str:
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return ""
    span = f" (95% interval of the difference {signed(low)} to {signed(high)})"
    return span if low > 0 or high < 0 else f"{span}; they may be equally good"


def _points(found: Body) -> str:
    gained = found.get("accuracyPoints")
    if gained is None:
        return ""
    if round(abs(gained), 1) == 0:
        return "; it is right as often"
    return f"; it is right {points(abs(gained))} {'more' if gained > 0 else 'less'} often"


def ceiling(body: Body) -> str:
    """Return how much of what can be reached it reaches, in one sentence."""
    found = body.get("ceiling") or {}
    best, reached = found.get("accuracy"), found.get("reached")
    if best is None or reached is None:
        return "How much could be reached at best is not known."
    return (
        f"It reaches {reached:.0%} of the ceiling, about {share(best)}: a guide to what such videos allow, not a bound."
    )


def random_split(body: Body) -> str:
    """Return what a random split would have claimed, in one sentence."""
    found = body.get("randomSplit")
    if found is None or found["accuracy"] is None:
        return ""
    claimed = f"A random split would have claimed an accuracy of {share(found['accuracy'])}"
    gap = found["gap"]
    if gap is None or round(abs(100 * gap), 1) == 0:
        return f"{claimed}."
    return f"{claimed}, {points(abs(100 * gap))} {'more' if gap > 0 else 'less'} than what later videos show."


def promised_range(body: Body) -> str:
    """Return how often the promised range held, in one sentence."""
    found = body.get("range")
    if found is None or value_of(found["coverage"]) is None:
        return "How often the range of tiers holds is not known."
    width = "" if found["meanTiers"] is None else f"; it is {found['meanTiers']:.1f} tiers wide on average"
    held = METRICS["accuracy"].with_interval(found["coverage"])
    return f"The range of tiers that is to hold for {found['promised']:.0%} of the videos held for {held}{width}."


def learner(kind: str) -> str:
    """Return a learner's name in words."""
    return LEARNERS.get(kind, kind)


def shortened(text: str, limit: int) -> str:
    """Return a text on one line that a picture has room for.

    >>> shortened("a long name", 6), shortened("two\\nlines", 20)
    ('a lon…', 'two lines')
    """
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def is_number(value: float | None) -> bool:
    """Return whether a value can be drawn."""
    return value is not None and math.isfinite(value)


def seconds(steps: Mapping[str, float]) -> str:
    """Return how long all steps took together, and each.

    >>> seconds({"read": 4.12, "train": 31.4}), seconds({})
    ('36 s (read 4 s, train 31 s)', 'not known')
    """
    if not steps:
        return UNKNOWN
    each = ", ".join(f"{name} {taken:.0f} s" for name, taken in steps.items())
    return f"{sum(steps.values()):.0f} s ({each})"
