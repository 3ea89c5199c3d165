"""The page of a replay: whether the living line is better, month by month; safe, total, and the same each time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from groundswell.reports import courses
from groundswell.reports.replay import render
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

BEGUN = datetime(2024, 6, 12, 23, 44, tzinfo=UTC)


def moment(week: int) -> str:
    return (BEGUN + timedelta(weeks=week)).isoformat().replace("+00:00", "Z")


def figures(rps: float) -> Body:
    return {
        "rps": estimate(rps, 0.01, 900),
        "logLoss": estimate(10 * rps, 0.1, 900),
        "accuracy": estimate(0.5, 0.03, 900),
        "ece": estimate(0.02, 0.01, 900),
        "debiasedEce": {"value": -0.006, "low": 0.0, "high": 0.013, "n": 900},
    }


def compared(difference: float) -> Body:
    return {
        "n": 900,
        "living": figures(0.12 + difference),
        "static": figures(0.12),
        "difference": {"rps": estimate(difference, 0.002, 900), "logLoss": estimate(10 * difference, 0.02, 900)},
    }


def held(share: float = 0.783) -> Body:
    return {"promised": 0.8, "coverage": estimate(share, 0.01, 900), "meanTiers": 2.107}


def replayed(difference: float = -0.02, months: int = 12) -> Body:
    kinds = ("trained", "recalibrated", "promoted", "held", "amber", "red")
    return {
        "status": "completed",
        "window": "publish",
        "source": "videos.parquet",
        "asOf": moment(60),
        "from": moment(0),
        "to": moment(4 * months),
        "label": {"quantity": "views", "cutPoints": [100.0, 1000.0, 20_000.0, 300_000.0]},
        "n": {
            "videos": 9_003,
            "mature": 8_000,
            "predicted": 5_000,
            "immature": 1_000,
            "immatureBy": {"tooYoung": 0, "notReadSince": 990, "readTooLate": 10},
            "rejected": 3,
            "rejectedBy": {"no_id": 3},
        },
        "months": [
            {
                "from": moment(4 * place),
                "to": moment(4 * place + 4),
                "versions": [place + 1, place + 2],
                **compared(difference * place / 12),
                "ranges": held(0.8 - 0.002 * place),
            }
            for place in range(months)
        ],
        "whole": compared(difference / 2),
        "end": {"from": moment(36), **compared(difference)},
        "ranges": held(),
        "events": [{"at": moment(place), "kind": kind, "said": f"said of {kind}"} for place, kind in enumerate(kinds)],
        "stepSeconds": 455.0,
    }


def unread() -> Body:
    """A replay of videos of which some had no early reading."""
    body = replayed()
    body["n"] |= {"videos": body["n"]["videos"] + 40, "withoutReading": 40}
    return body


BODIES: dict[str, Callable[[], Body]] = {
    "better": replayed,
    "worse": lambda: replayed(0.02),
    "alike": lambda: replayed(0.001),
    "one month": lambda: replayed(months=1),
    "nothing happened": lambda: {**replayed(), "events": []},
    "no month": lambda: {**replayed(months=0), "end": None},
    "bare": lambda: {"status": "completed"},
}


@pytest.mark.parametrize("name", BODIES)
def test_a_page_is_well_formed_and_asks_nobody(name: str) -> None:
    page = check_page(render, BODIES[name]())
    assert len(page.all("svg")) == (0 if name in {"bare", "no month"} else 4)


@pytest.mark.parametrize(
    ("difference", "badge", "verdict"),
    [
        (-0.02, "✓ better", "At the end the living line is better than the model that was trained once and left."),
        (0.02, "✗ worse", "At the end the living line is worse than the model that was trained once and left."),
        (0.001, "= no clear difference", "cannot be told apart."),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_the_verdict_comes_first_with_difference_and_interval(difference: float, badge: str, verdict: str) -> None:
    said = Page(render(replayed(difference))).said
    assert said.index(verdict) < said.index(badge) < said.index("What was asked")
    assert "lower is better." in said


@pytest.mark.usefixtures("undrawn")
def test_a_verdict_that_the_whole_contradicts_says_so() -> None:
    body = {**replayed(), "whole": compared(0.02)}
    assert "trained once and left. Over the whole replay it was worse." in Page(render(body)).said
    assert "Over the whole replay it was" not in Page(render(replayed())).said


@pytest.mark.usefixtures("undrawn")
def test_the_sentences_carry_n_and_intervals() -> None:
    said = Page(render(replayed())).said
    assert "n 900: RPS 0.100 of the living line against 0.120 of the static model" in said
    assert "difference −0.020 (−0.022 to −0.018); lower is better." in said
    assert "The stated ranges held for 78.3% (77.3 to 79.2) of a promised 80%, n 900; a range is 2.1 tiers wide" in said


@pytest.mark.usefixtures("undrawn")
def test_the_question_and_what_was_left_out_are_told() -> None:
    said = Page(render(replayed())).said
    assert "Both answer the same question: tiers by the cut-points of the first version." in said
    assert "Predicted at posting Outcome views Tiers tier 1 under 100, tier 2 from 100" in said
    assert "predicted 5,000 posted in the months that were lived through" in said
    assert "– of these 990 not read again once they were old enough" in said
    assert "– of these 3 no_id" in said
    assert "no early reading" not in said
    assert "left out: no early reading 40 nothing was read inside the window" in Page(render(unread())).said


@pytest.mark.usefixtures("undrawn")
def test_every_month_and_every_event_is_told() -> None:
    said = Page(render(replayed())).said
    assert "2024-06-12 900 1, 2 0.120 (0.110 to 0.129) 0.120 (0.110 to 0.129) −0.000" in said
    assert "2024-06-19 recalibrated said of recalibrated" in said
    assert "2024-07-10 ▲ amber said of amber" in said
    assert "2024-07-17 ■ red said of red" in said
    quiet = Page(render({**replayed(), "events": []})).said
    assert "Nothing happened to the living line on the way." in quiet


def test_events_are_marked_on_the_axis_of_every_picture() -> None:
    page = Page(render(replayed()))
    for kind in ("promoted", "held", "recalibrated", "amber", "red"):
        assert page.texts.count(kind) >= 4
    assert page.texts.count("promised 80%") >= 1


@pytest.mark.usefixtures("undrawn")
def test_a_body_may_lack_anything_but_its_status() -> None:
    check_may_lack_anything(render, replayed())


@pytest.mark.usefixtures("undrawn")
def test_anything_may_stand_where_something_else_is_expected() -> None:
    check_may_hold_anything(render, replayed())


@pytest.mark.parametrize("keys", [{"low", "high"}, {"value"}], ids=["no intervals", "no values"])
def test_what_is_null_is_not_drawn(keys: set[str]) -> None:
    page = check_draws_no_null(render, replayed(), keys)
    assert "How the living line compares with a model that was left is not known." in page.said


def test_hostile_texts_are_shown_and_never_run() -> None:
    body = replayed()
    body |= {"window": HOSTILE, "source": HOSTILE}
    body["label"]["quantity"] = HOSTILE
    body["n"]["rejectedBy"] = {HOSTILE: 3}
    body["n"]["immatureBy"] = {HOSTILE: 3}
    body["events"] += [{"at": moment(7), "kind": HOSTILE, "said": HOSTILE}]
    check_runs_nothing(render, body, replayed())


def test_a_course_is_drawn_in_the_order_of_its_moments() -> None:
    late, early = BEGUN + timedelta(days=9), BEGUN
    course = courses.Course("both", [(late, estimate(0.2)), (early, estimate(0.1)), (early, estimate(None))])
    assert courses.summary(course, lambda one: f"{one['value']:.1f}") == "both: 0.1 on 2024-06-12 and 0.2 on 2024-06-21"
    assert courses.courses([courses.Course("nothing", [])], courses.Look()) is None


def test_no_line_is_drawn_where_nothing_is_known() -> None:
    near = [(BEGUN + timedelta(days=days), estimate(0.1)) for days in (0, 28, 56)]
    far = (BEGUN + timedelta(days=300), estimate(0.2))

    def runs(gap: float) -> tuple[list[int], int]:
        spec = courses.courses([courses.Course("one", [*near, far])], courses.Look(gap=gap))
        assert spec is not None
        marks = {layer["mark"]["type"]: layer["data"]["values"] for layer in spec["layer"] if "low" in str(layer)}
        return [one["run"] for one in marks["area"]], len(marks.get("rule", []))

    assert runs(45.0) == ([0, 0, 0, 1], 1)
    assert runs(400.0) == ([0, 0, 0, 0], 0)
