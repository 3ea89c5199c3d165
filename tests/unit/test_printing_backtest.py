"""What `groundswell backtest` prints on a terminal."""

from __future__ import annotations

import pytest

from groundswell.printing_backtest import backtest
from tests.made_up_backtest import made_up_backtest, scanty_backtest


def test_verdict_figures_and_reasons_are_printed_in_this_order() -> None:
    text = backtest(made_up_backtest())
    told = [
        "This forecast, made six hours after posting, would be promoted.",
        "Its RPS is 0.021 lower",
        "It reaches 91% of the ceiling",
        "videos              14,310 from exports/clockworks-2025.json",
        "judged on           2,002, posted 2025-03-14 to 2025-05-28",
        "left out            3,918",
        "  too young         611",
        "  not read since    2,105",
        "Accuracy               48.2% (95% 46.2 to 50.0, n 2,002)",
        "  creator's median     42.1% (95% 40.1 to 43.9, n 2,002)",
        "  tier shares          0.201 (95% 0.198 to 0.204, n 2,002)",
        "accuracy, creators never seen   42.4%",
        "accuracy, instagram             46.1%",
        "  +0.0412  Views at the last reading within the window",
        "why: RPS is lower than the creator's median",
        "  G5 not_applicable Not worse than the champion. Nothing serves",
    ]
    places = [text.find(line) for line in told]
    assert -1 not in places
    assert places == sorted(places)
    assert "enough would be" not in text


def test_what_is_not_known_is_printed_as_not_known() -> None:
    text = backtest(scanty_backtest())
    assert "would be held back" in text
    assert "Accuracy            not known" in text
    assert "left out      0" in text
    assert "enough would be: 500 videos of known outcome" in text
    assert "rank of early views" not in text
    assert "what matters most" not in text
    assert "None" not in text


@pytest.mark.parametrize("slices", [{}, {"seenCreators": None, "platform": {"tiktok": None}, "source": None}])
def test_slices_may_be_absent(slices: dict[str, object]) -> None:
    assert "accuracy, " not in backtest(made_up_backtest() | {"slices": slices})


def test_a_single_platform_is_not_told_twice() -> None:
    body = made_up_backtest()
    del body["slices"]["platform"]["instagram"]
    assert "accuracy, tiktok" not in backtest(body)
