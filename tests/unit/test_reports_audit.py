"""The page of an audit: what it says in each state, whatever an older version left out; safe, the same each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from groundswell.reports import banded, courses
from groundswell.reports.audit import render
from groundswell.reports.audit_drift import MAX_FEATURES
from tests.made_up_backtest import estimate
from tests.unit.pages import (
    HOSTILE,
    Body,
    Page,
    check_draws_no_null,
    check_may_hold_anything,
    check_may_lack_anything,
    check_page,
    check_runs_nothing,
)

WHEN = "2025-04-02T00:00:00Z"
NO_RULE = {"falseAlarms": None, "power": None}


def bins(shift: float = 0.0) -> list[Body]:
    """Ten bins of which the first two are empty."""
    empty = dict.fromkeys(("actualLow", "actualHigh", "expectedLow", "expectedHigh"))
    told: list[Body] = []
    for place in range(10):
        said = place / 10 + 0.05
        full = {
            "avgPredicted": said,
            "avgActual": min(1.0, said + shift),
            "actualLow": max(0.0, said + shift - 0.03),
            "actualHigh": min(1.0, said + shift + 0.03),
            "expectedLow": said - 0.02,
            "expectedHigh": said + 0.02,
            "count": 100 + place,
        }
        blank = {"avgPredicted": 0.0, "avgActual": 0.0, "count": 0, **empty}
        ends = {"binStart": place / 10, "binEnd": (place + 1) / 10, "gap": abs(shift)}
        told.append({**ends, **(full if place > 1 else blank)})
    return told


def measures(ece: float) -> Body:
    return {
        "n": 840,
        "ece": estimate(ece, 0.01, 840),
        "debiasedEce": estimate(ece - 0.005, 0.01, 840),
        "adaptiveEce": estimate(ece + 0.002, 0.01, 840),
        "brier": {"score": 0.06, "reliability": 0.003, "resolution": 0.03, "uncertainty": 0.09, "withinBins": -0.0004},
        "slope": 1.02,
        "intercept": -0.17,
    }


def alarm(state: str) -> Body:
    ece = {"red": 0.21, "amber": 0.06}.get(state, 0.02)
    rule = {
        "ece": ece,
        "threshold": 0.15,
        "pValue": 0.001 if state in {"red", "amber"} else 0.4,
        "level": 0.025,
        "falseAlarms": estimate(0.005, 0.004, 400),
        "power": estimate(0.9, 0.03, 400),
        "powerAt": 0.17,
        "n": 840,
    }
    return {"alarm": state, "alarmReason": f"reason of {state}", "alarmRule": rule, "notify": state == "red"}


def shift_of(value: float, shifted: bool = False) -> Body:
    size = "none" if value < 0.1 else "moderate" if value < 0.25 else "large"
    return {
        "psi": estimate(value, value / 2, 351),
        "effectiveRows": 120.0,
        "pValue": 0.01,
        "adjustedPValue": 0.02,
        "size": size,
        "shifted": shifted,
    }


def feature(name: str, value: float | None, before: float | None = 0.05, **verdict: bool | None) -> Body:
    return {
        "name": name,
        "current": None if value is None else shift_of(value),
        "previous": None if before is None else shift_of(before),
        "drifted": verdict.get("drifted", False),
        "newly": verdict.get("newly", False),
        "explanation": f"explanation of {name}",
    }


def line(state: str = "green") -> Body:
    features = [
        feature("hour", 0.02),
        feature("followers", None, None, drifted=None, newly=None),
        feature("duration", 0.3, 0.28, drifted=True),
        feature("soundLift", 3.6, 0.04, newly=True),
        *[feature(f"feature {place}", 0.001 * place) for place in range(20)],
    ]
    points = [
        {
            "level": level,
            "trained": 1_000.0 * place,
            "expected": level,
            "now": estimate(900.0 * place, 50.0, 840),
            "atOrBelow": estimate(level + 0.1, 0.02, 840),
            "shifted": place == 1,
        }
        for place, level in enumerate((0.2, 0.4, 0.6, 0.8), start=1)
    ]
    return {
        "champion": 3,
        "n": 840,
        **alarm(state),
        "measures": measures(0.02),
        "classWiseEce": 0.04,
        "reliability": bins(),
        "logLoss": estimate(1.3, 0.1, 840),
        "ranges": {"promised": 0.8, "coverage": estimate(0.775, 0.015, 840)},
        "rps": {"matured": estimate(0.15, 0.01, 840), "promised": estimate(0.13, 0.01, 1500)},
        "accuracy": {"expected": estimate(0.47, 0.1, 351), "matured": estimate(0.44, 0.05, 840)},
        "drift": {"trainedN": 6056, "n": 351, "previousN": 600, "features": features},
        "tierDrift": feature("predicted tiers", 0.69, 0.46, drifted=True),
        "cutPointDrift": {
            "n": 840,
            "points": points,
            "tiers": [estimate(0.2, 0.02, 840)] * 5,
            "explanation": "p20 was 1,000 and is 900 (850–945) (n 840)",
        },
        "driftNote": None,
        "recommendation": {"action": "none", "why": "why of the line"},
    }


def check(code: str, outcome: str = "passed") -> Body:
    return {"code": code, "title": f"title of {code}", "outcome": outcome, "explanation": f"explanation of {code}"}


def audited(state: str = "green") -> Body:
    """A completed audit of one line, with two audits before it."""
    shift = {"red": -0.2, "amber": -0.05}.get(state, 0.0)
    matured = {"predictions": 1000, "matured": 840, "maturing": 100, "unread": 60, "nameless": 0, "maturesBy": WHEN}
    differs = {"score": estimate(-4.8, 2.0, 1000), "clearly": True, "sentence": "The matured ones were scored lower."}
    told = {**matured, "sentence": "840 of 1,000 predictions matured"}
    return {
        "status": "completed",
        "ece": 0.0486,
        "servedEce": 0.0132,
        "driftDetected": state == "red",
        "driftThreshold": 0.15,
        "bins": bins(shift),
        "totalSamples": 840,
        "plattRefitted": True,
        "plattParams": {"a": -4.45, "b": 2.4},
        "plattActive": False,
        "plattReason": "reason of Platt",
        "calibrationVersion": 2,
        "scoreCalibration": {
            "kind": "isotonic",
            "active": True,
            "reason": "reason of isotonic",
            "candidates": [
                {"kind": "identity", "logLoss": 0.63, "lead": None, "eligible": True, "reason": "the simplest"},
                {"kind": "isotonic", "logLoss": 0.61, "lead": estimate(-0.02, 0.01), "eligible": True, "reason": "won"},
                {"kind": "beta", "logLoss": None, "lead": None, "eligible": False, "reason": "no finite maximum"},
            ],
            "segments": [{"name": "tiktok/under10k", "n": 534, "offset": -0.6391}],
        },
        **alarm(state),
        "measures": measures(0.0486),
        "reliability": bins(shift),
        "recommendation": {"action": "recalibrate", "why": "why of the audit"},
        "matured": {**told, "byWindow": {"publish": {**told, "differs": differs}}},
        "scrape": [check("S1"), check("S2"), check("S3"), check("S4", "not_applicable"), check("S5")],
        "lines": {"publish": line()},
        "leftOut": 7,
        "leftOutBy": {"deleted": 4, "missing_score": 3},
        "clipped": 2,
        "duplicates": 1,
        "auditedAt": WHEN,
        "history": [former(2, "insufficient"), former(3, "amber")],
        "runId": "80731ba0",
        "stepSeconds": {"query": 0.02, "audit": 0.1},
    }


def former(month: int, state: str) -> Body:
    ece = None if state == "insufficient" else estimate(0.05, 0.01, 800)
    told = {"alarm": state, "n": 0 if ece is None else 800, "ece": ece}
    when = f"{2023 + month // 12}-{month % 12 + 1:02}-02T00:00:00Z"
    return {"auditedAt": when, "runId": f"run {month}", **told, "lines": {"publish": told}}


def skipped() -> Body:
    body = audited()
    kept = ("matured", "scrape", "leftOut", "leftOutBy", "clipped", "duplicates", "auditedAt", "history", "runId")
    return {
        "status": "skipped",
        "reason": "Insufficient outcome data",
        "samples": 12,
        "required": 50,
        "alarm": "insufficient",
        "recommendation": {"action": "none", "why": "Only 12 outcomes of scores are known."},
        **{name: body[name] for name in kept},
        "lines": {"publish": bare_line()},
    }


def bare_line() -> Body:
    """A line that nothing has matured of, and that no model serves."""
    return {
        "champion": None,
        "n": 0,
        "alarm": "insufficient",
        "alarmReason": "no prediction of this line has matured",
        "rps": {"matured": None, "promised": None},
        "accuracy": {"expected": None, "matured": None},
        "drift": None,
        "tierDrift": None,
        "cutPointDrift": None,
        "driftNote": "No model serves this line.",
        "recommendation": {"action": "none", "why": "nothing"},
        "notify": False,
    }


def lineless() -> Body:
    return {**audited(), "lines": {}, "history": [], "matured": {"sentence": "0 of 0 predictions matured"}}


def rescraped() -> Body:
    body = audited("amber")
    body["scrape"][0] = check("S1", "failed")
    body["lines"]["publish"]["driftNote"] = "The scraper changed: what looks like drift may be its doing."
    return body


def long_lived() -> Body:
    states = ("green", "amber", "red", "insufficient")
    return {**audited("red"), "history": [former(month, states[month % 4]) for month in range(24)]}


BODIES: dict[str, Callable[[], Body]] = {
    "green": audited,
    "amber": lambda: audited("amber"),
    "red": lambda: audited("red"),
    "insufficient": lambda: audited("insufficient"),
    "skipped": skipped,
    "no line": lineless,
    "scraper changed": rescraped,
    "24 audits": long_lived,
    "failed": lambda: {"status": "failed", "error": "The database is away."},
    "bare": lambda: {"status": "completed"},
}


@pytest.mark.parametrize("name", BODIES)
def test_a_page_is_well_formed_and_asks_nobody(name: str) -> None:
    check_page(render, BODIES[name]())


@pytest.mark.parametrize(
    ("state", "badge", "verdict"),
    [
        ("green", "● green", "The scores can be believed: they came true within what chance allows."),
        ("amber", "▲ amber", "The scores are slightly off: the error is no accident"),
        ("red", "■ red", "The scores cannot be believed as they stand"),
        ("insufficient", "○ insufficient", "It cannot be told yet whether the scores come true."),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_the_verdict_comes_first_with_the_word_of_its_alarm(state: str, badge: str, verdict: str) -> None:
    text = render(audited(state))
    said = Page(text).said
    first = said.index(verdict)
    assert first < said.index(badge) < said.index("Recommended Recalibrate. why of the audit")
    assert said.index("why of the audit") < said.index("What was matured") < said.index("Do the scores come true?")
    assert f'class="verdict {state}"' in text
    assert f"reason of {state}" in said


@pytest.mark.usefixtures("undrawn")
def test_the_sections_stand_in_their_order() -> None:
    said = Page(render(audited())).said
    order = (
        "What was matured",
        "Do the scores come true?",
        "Audits, newest first",
        "Line publish ● green predicts",
        "What has moved",
        "Is it still the same scraper?",
        "features of publish, now against training",
        "Whether a tier still means the same",
        "About this audit",
    )
    places = [said.lower().index(title.lower()) for title in order]
    assert places == sorted(places)


@pytest.mark.usefixtures("undrawn")
def test_what_was_matured_and_left_out_is_told() -> None:
    said = Page(render(audited())).said
    assert "840 of 1,000 predictions matured." in said
    assert "publish The matured ones were scored lower." in said
    assert "publish 1,000 840 100 60 0 2025-04-02" in said
    assert "deleted by whom it belongs to 4 one of the two scores is missing 3" in said
    assert "clipped and kept 2 duplicates, one kept 1" in said


@pytest.mark.usefixtures("undrawn")
def test_the_rule_is_told_with_its_own_errors() -> None:
    said = Page(render(audited("red"))).said
    assert "of 400 simulated audits like this one (n 840) in which every chance was honest" in said
    assert "it cried red in 0.5% (0.1 to 0.9)" in said
    assert "truly off by 0.170, it would say so in 90.0% (87.0 to 92.7)" in said
    body = audited()
    body["alarmRule"] |= NO_RULE
    assert "How often the rule of the alarm errs at this n is not known." in Page(render(body)).said


@pytest.mark.usefixtures("undrawn")
def test_measures_calibrations_and_segments_are_told_with_intervals_and_n() -> None:
    said = Page(render(audited())).said
    assert "ECE 0.0486 0.039 to 0.058 840" in said
    assert "Calibration intercept −0.1700 – 840" in said
    assert "Serves from now on isotonic Why reason of isotonic" in said
    assert "isotonic, serves 0.6100 −0.0200 (−0.0300 to −0.0110) yes won" in said
    assert "beta not known – no no finite maximum" in said
    assert "tiktok/under10k 534 −0.639" in said


@pytest.mark.usefixtures("undrawn")
def test_every_audit_is_told_newest_first() -> None:
    said = Page(render(audited())).said
    now = said.index("2025-04-02 00:00 UTC ● green 0.049 (0.039 to 0.058) 840 ● green")
    amber = said.index("2023-04-02 00:00 UTC ▲ amber 0.050 (0.040 to 0.059) 800 ▲ amber")
    assert now < amber < said.index("2023-03-02 00:00 UTC ○ insufficient not known 0 ○ insufficient")
    assert Page(render(long_lived())).said.count("00:00 UTC ") >= 25


@pytest.mark.usefixtures("undrawn")
def test_a_line_tells_what_was_promised_and_what_was_held() -> None:
    said = Page(render(audited())).said
    assert "predicts at posting, champion is version 3, 840 of the line's predictions matured" in said
    assert "RPS that of the promotion 0.130 (0.120 to 0.139) 0.150 (0.140 to 0.159) 840" in said
    assert "Ranges that held what is promised 80.0% 77.5% (76.0 to 78.8) 840" in said
    assert "without labels 47.0% (37.0 to 56.0) 44.0% (39.0 to 48.5) 840" in said


@pytest.mark.usefixtures("undrawn")
def test_features_are_sorted_by_psi_and_the_rest_is_counted() -> None:
    text = render(audited())
    said = Page(text).said
    table = said[said.index("Feature PSI now") :]
    assert table.index("soundLift") < table.index("duration") < table.index("hour")
    assert "3.600 (1.800 to 5.220) 351 large 0.040 (0.020 to 0.058) new in this period" in table
    assert "yes: persisting" in table
    assert f"And {24 - MAX_FEATURES} more with a smaller PSI or none; none of them has moved." in table
    assert (
        "Of 24 features 1 moved in this period and in the one before, 1 only in this one; of 1 it cannot be told"
        in said
    )
    body = audited()
    body["lines"]["publish"]["drift"]["features"] = [feature("followers", None, None, drifted=None, newly=None)]
    assert "followers not known not known – – explanation of followers" in Page(render(body)).said


@pytest.mark.usefixtures("undrawn")
def test_cut_points_are_told_apart_from_the_model() -> None:
    said = Page(render(audited())).said
    assert "This is not drift of the model." in said
    assert "p20 1,000 900 (850 to 945) 30.0% (28.0 to 31.8) 20.0% yes" in said
    assert "publish: p20 was 1,000 and is 900" in said


@pytest.mark.usefixtures("undrawn")
def test_a_changed_scraper_is_told_before_any_drift() -> None:
    said = Page(render(rescraped())).said
    assert "What has moved: the scraper changed The scraper changed (S1)." in said
    assert said.index("S1 title of S1 ✗ failed") < said.index("The scraper changed: features of publish")
    assert "Scraper It changed: see the checks below." in said
    calm = Page(render(audited())).said
    assert "scraper changed" not in calm
    assert "Features of publish, now against training" in calm


@pytest.mark.usefixtures("undrawn")
def test_a_skipped_audit_claims_nothing_of_the_scores() -> None:
    said = Page(render(skipped())).said
    assert "Too few outcomes to judge the scores: 12 known, 50 needed." in said
    assert "○ insufficient" in said
    assert "Nothing is claimed of the scores" in said
    assert "How far the alarm can be trusted" not in said
    assert "No model serves this line." in said
    assert "no champion serves" in said


@pytest.mark.usefixtures("undrawn")
def test_a_line_that_nothing_has_matured_of_draws_nothing() -> None:
    said = Page(render({**audited(), "lines": {"6h": bare_line()}})).said
    assert "predicts six hours after posting, no champion serves, 0 of the line's predictions matured" in said
    assert "Nothing of this line can be drawn yet." in said
    assert "Promised against held, line 6h: nothing has matured." in said
    assert "No feature could be held against the training data." in said


@pytest.mark.usefixtures("undrawn")
def test_what_is_absent_is_said_to_be() -> None:
    assert "No line had a champion or predictions" in Page(render(lineless())).said
    failed = Page(render({"status": "failed", "error": "The database is away."})).said
    assert "This audit failed, so nothing was judged." in failed
    assert "The database is away." in failed
    assert "No alarm was kept with this audit" in Page(render({"status": "completed"})).said


@pytest.mark.usefixtures("undrawn")
def test_the_ledger_speaks_where_it_was_asked() -> None:
    assert "As the ledger says" not in render(audited())
    assert "As the ledger says verified" in Page(render({**audited(), "frozen": "verified"})).said


@pytest.mark.parametrize("name", ["amber", "skipped"])
@pytest.mark.usefixtures("undrawn")
def test_an_older_audit_may_lack_anything_but_its_status(name: str) -> None:
    check_may_lack_anything(render, BODIES[name]())


@pytest.mark.usefixtures("undrawn")
def test_anything_may_stand_where_something_else_is_expected() -> None:
    check_may_hold_anything(render, audited("red"))


@pytest.mark.parametrize(
    "keys",
    [
        {"low", "high", "actualLow", "actualHigh"},
        {"expectedLow", "expectedHigh"},
        {"value", "avgActual", "ece"},
        {"history", "binStart", "binEnd"},
    ],
    ids=["no intervals", "no bands", "no values", "no history"],
)
def test_what_is_null_is_not_drawn(keys: set[str]) -> None:
    check_draws_no_null(render, audited("red"), keys)


def hostile(value: Any) -> Any:
    """The same shape with every free text replaced by one that would like to run."""
    if isinstance(value, dict):
        return {name: inner if name == "status" else hostile(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner) for inner in value]
    return HOSTILE if isinstance(value, str) and value != WHEN and not value.startswith("2023") else value


def test_hostile_texts_are_shown_and_never_run() -> None:
    body = hostile(audited("red"))
    body["lines"][HOSTILE] = body["lines"].pop("publish")
    body["leftOutBy"] = {HOSTILE: 3}
    body["matured"]["byWindow"][HOSTILE] = {"sentence": HOSTILE}
    body["history"][0]["lines"] = {HOSTILE: {"alarm": HOSTILE}}
    check_runs_nothing(render, body, audited("red"))


def test_bands_leave_out_what_cannot_be_drawn() -> None:
    assert banded.banded([]) is None
    assert banded.banded(bins()[:2]) is None
    assert len(banded.filled(bins())) == 8
    alone = banded.filled([{"count": 3, "avgPredicted": 0.25, "avgActual": 0.5}])
    assert alone[0]["low"] == alone[0]["high"] == 0.5


def test_ticks_of_time_hold_to_days_and_to_months() -> None:
    assert courses.time_ticks(20_000, 20_000) == [(20_000.0, "4 Oct 2024")]
    for length in (1, 3, 40, 74, 76, 200, 400, 1_000, 9_000, 100_000):
        ticks = courses.time_ticks(10_000.5, 10_000.5 + length)
        assert 1 <= len(ticks) <= 4, length
        assert len({label for _, label in ticks}) == len(ticks)
        assert all(10_000 <= at <= 10_001 + length for at, _ in ticks)
