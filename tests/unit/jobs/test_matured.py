"""What is known of our own predictions by now: the sentence, and whether the matured ones differ from the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from groundswell.jobs.context import Context
from groundswell.jobs.matured import differs, sentence, tell_matured
from groundswell.records import MaturityCount
from groundswell.store import outcomes, predictions
from groundswell.store.database import Database
from groundswell.store.predictions import Moments
from tests.made_up import context_of
from tests.made_up_loop import AT, DAY, logged, outcome, predicted

UNTIL = AT + 10 * DAY
BY = UNTIL + DAY


def scored(database: Database, matured: list[float], rest: list[float]) -> None:
    ids = logged(database, [{"score": float(score)} for score in (*matured, *rest)])
    outcomes.record(database, [outcome(one) for one in ids[: len(matured)]], AT + 5 * DAY)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((0, 0, 0, 0, 0, None), "0 of 0 predictions matured"),
        ((5, 5, 0, 0, 0, None), "5 of 5 predictions matured"),
        ((3980, 1204, 2776, 0, 0, BY), "1,204 of 3,980 predictions matured; the rest by 12 Aug 2026"),
        (
            (3, 1, 1, 1, 0, BY),
            "1 of 3 predictions matured; 1 more by 12 Aug 2026; 1 is old enough but was not read since",
        ),
        ((3, 1, 2, 0, 0, None), "1 of 3 predictions matured; the rest once their posting time is known"),
        ((2, 0, 0, 0, 2, None), "0 of 2 predictions matured; 2 name no video, so their outcomes must be reported"),
    ],
)
def test_the_counts_are_told_in_a_sentence(counts: tuple[int, int, int, int, int, None], said: str) -> None:
    assert sentence(MaturityCount("publish", *counts)) == said


def test_windows_are_told_apart_and_together(tmp_path: Path, database: Database) -> None:
    context = context_of(tmp_path, database)
    outcomes.record(database, [outcome(predicted(database))], AT + 5 * DAY)
    predicted(database, matures_at=UNTIL + DAY)
    predicted(database, window="1h", matures_at=UNTIL + 2 * DAY)
    told = tell_matured(context, AT, UNTIL)
    assert (told["predictions"], told["matured"], told["maturing"], told["maturesBy"]) == (
        3,
        1,
        2,
        "2026-08-13T12:00:00Z",
    )
    assert told["sentence"] == "1 of 3 predictions matured; the rest by 13 Aug 2026"
    assert told["byWindow"]["publish"]["sentence"] == "1 of 2 predictions matured; the rest by 12 Aug 2026"
    assert list(told["byWindow"]) == ["1h", "publish"]
    assert told["byWindow"]["1h"]["differs"] is None


def test_with_nothing_predicted_nothing_is_told(context: Context) -> None:
    told = tell_matured(context, AT, UNTIL)
    assert (told["predictions"], told["byWindow"], told["maturesBy"]) == (0, {}, None)


@pytest.mark.parametrize(("matured", "rest"), [(0, 0), (9, 0), (0, 9), (1, 9), (9, 1)])
def test_of_too_few_nobody_can_say_whether_they_differ(context: Context, matured: int, rest: int) -> None:
    scored(context.database, [50.0] * matured, [40.0] * rest)
    assert differs(context, "publish", AT, UNTIL) is None


@pytest.mark.parametrize("shift", [8.0, -8.0])
def test_a_difference_is_told_with_its_sign_and_interval(context: Context, shift: float) -> None:
    generator = np.random.default_rng(1)
    matured, rest = generator.normal(50 + shift, 10, 200), generator.normal(50, 10, 300)
    scored(context.database, matured.tolist(), rest.tolist())
    found = differs(context, "publish", AT, UNTIL)
    assert found is not None
    score = found["score"]
    error = np.sqrt(matured.var() / 200 + rest.var() / 300)
    assert score["value"] == pytest.approx(matured.mean() - rest.mean(), abs=0.01)
    assert score["high"] - score["low"] == pytest.approx(2 * 1.96 * error, abs=0.02)
    assert (score["low"] > 0) == (shift > 0)
    assert (score["high"] > 0) == (shift > 0)
    assert (found["clearly"], score["n"]) == (True, 500)
    assert ("higher" if shift > 0 else "lower") in found["sentence"]
    assert "need not hold for all" in found["sentence"]


def test_a_sure_difference_that_is_too_small_to_matter_is_none_to_speak_of(context: Context) -> None:
    scored(context.database, [50.0, 60.0] * 4_000, [50.5, 60.5] * 4_000)
    found = differs(context, "publish", AT, UNTIL)
    assert found is not None
    assert found["score"]["high"] < 0
    assert not found["clearly"]
    assert "no difference to speak of" in found["sentence"]


def test_equal_scores_do_not_differ(context: Context) -> None:
    scored(context.database, [50.0] * 9, [50.0] * 9)
    found = differs(context, "publish", AT, UNTIL)
    assert found is not None
    assert (found["clearly"], found["score"]["value"]) == (False, 0)


def test_equal_groups_are_rarely_said_to_differ(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval leaves 0 out for one pair of groups in twenty."""
    outside = clearly = 0
    rounds = 1_000
    for seed in range(rounds):
        generator = np.random.default_rng(seed)
        groups = generator.normal(50, 10, 120), generator.normal(50, 10, 200)
        told = {bool(n): Moments(len(one), float(one.mean()), float(one.var())) for n, one in enumerate(groups)}
        monkeypatch.setattr(predictions, "scores", lambda *_, told=told: told)
        found = differs(context, "publish", AT, UNTIL)
        assert found is not None
        outside += found["score"]["low"] > 0 or found["score"]["high"] < 0
        clearly += found["clearly"]
    assert 0.03 < outside / rounds < 0.075
    assert clearly / rounds < 0.075
