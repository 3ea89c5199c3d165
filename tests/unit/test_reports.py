"""The page of a backtest: well formed, asking nobody, safe with any text, readable, and the same every time."""

from __future__ import annotations

import importlib.resources
import re
from typing import Any

import pytest

from groundswell.reports import canvas, charts, words
from groundswell.reports.backtest import MAX_SLICES, render
from groundswell.reports.drawing import drawn
from tests.made_up_backtest import estimate, made_up_backtest, scanty_backtest
from tests.unit.pages import HOSTILE, Page, check_page, check_runs_nothing


def many_sources() -> dict[str, Any]:
    body = made_up_backtest()
    one = body["slices"]["source"]["research-api.json"]
    body["slices"]["source"] = {f"a rather long name of an export {place}.json": one for place in range(40)}
    return body


def one_tier() -> dict[str, Any]:
    body = made_up_backtest()
    body["confusionMatrix"] = [[0] * 5, [0] * 5, [3, 0, 997, 2, 0], [0] * 5, [0] * 5]
    return body


BODIES = {
    "full": made_up_backtest,
    "scanty": scanty_backtest,
    "publish": lambda: made_up_backtest("publish"),
    "one tier": one_tier,
    "many sources": many_sources,
}


@pytest.mark.parametrize("name", BODIES)
def test_a_page_is_well_formed_and_asks_nobody(name: str) -> None:
    check_page(render, BODIES[name]())


def test_the_verdict_comes_first_in_plain_words() -> None:
    said = Page(render(made_up_backtest())).said
    assert "This forecast, made six hours after posting, would be promoted. Of 2,002 later videos" in said
    assert "Its RPS is 0.021 lower, which is better, than that of the best baseline, the creator's median" in said
    assert "it is right 6.1 points more often" in said
    assert "It reaches 91% of the ceiling, about 53.0%" in said
    assert "A random split would have claimed an accuracy of 58.0%, 9.8 points more" in said
    assert "Enough would be" not in said


def test_what_is_not_known_is_said_to_be_not_known() -> None:
    page = Page(render(scanty_backtest()))
    assert "This forecast, made at posting, would be held back." in page.said
    assert "Enough would be 500 videos of known outcome" in page.said
    assert "Not known: there is nothing to draw." in page.said
    assert "Not told apart here: creators never seen, platforms, sizes of creator, sources." in page.said
    assert "rank of early views" not in page.said
    assert not page.all("svg")


def test_a_missing_slice_is_left_out_with_a_word() -> None:
    body = made_up_backtest()
    body["slices"] |= {"unseenCreators": None, "platform": {}}
    said = Page(render(body)).said
    assert "Not told apart here: creators never seen, platforms." in said
    assert "creators never seen, n" not in said


def test_a_slice_without_videos_keeps_its_row_and_has_no_dot() -> None:
    body = made_up_backtest()
    nothing = estimate(None, None, 0)
    body["slices"]["platform"]["instagram"] = {
        "n": 0,
        **dict.fromkeys(("accuracy", "rps", "logLoss", "withinOne", "qwk"), nothing),
    }
    assert "instagram, n 0, not known" in render(body)


def test_only_the_largest_groups_are_drawn_and_all_are_in_the_table() -> None:
    text = render(many_sources())
    assert f"The pictures have the {MAX_SLICES} largest groups, the table has all." in text
    assert text.count("a rather long name of an export 39.json") == 1


def hostile(value: Any) -> Any:
    """The same shape with every free text replaced by one that would like to run."""
    free = {
        "source",
        "sentence",
        "name",
        "unit",
        "title",
        "explanation",
        "reason",
        "enough",
        "kind",
        "code",
        "quantity",
    }
    if isinstance(value, dict):
        return {
            key: HOSTILE if key in free and isinstance(found, str) else hostile(found) for key, found in value.items()
        }
    return [hostile(found) for found in value] if isinstance(value, list) else value


def test_hostile_texts_are_shown_and_never_run() -> None:
    body = hostile(made_up_backtest())
    body["slices"] |= {"source": {HOSTILE: body["slices"]["source"]["research-api.json"]}}
    body["slices"]["platform"] = {HOSTILE * 9: body["slices"]["unseenCreators"]}
    body["n"]["rejectedBy"] = {HOSTILE: 3}
    body["baselines"][HOSTILE] = body["baselines"]["majority"]
    check_runs_nothing(render, body, made_up_backtest())
    assert "{{ 7 * 7 }}" in Page(render(body)).said


def test_a_lift_that_may_be_none_is_not_called_one() -> None:
    body = made_up_backtest()
    body["lift"] |= {"rps": {"value": -0.002, "low": -0.006, "high": 0.003, "n": 2_002}, "accuracyPoints": 0.01}
    assert "they may be equally good; it is right as often." in words.lift(body)
    body["lift"] |= {"rps": {"value": 0.02, "low": None, "high": None, "n": 9}, "accuracyPoints": -1.0}
    assert words.lift(body) == (
        "Its RPS is 0.020 higher, which is worse, than that of the best baseline, the creator's median; "
        "it is right 1.0 point less often."
    )
    assert words.lift({"lift": None}) == "How it compares with the baselines is not known."


def test_random_split_says_how_much_more_or_less() -> None:
    assert words.random_split({"randomSplit": {"accuracy": 0.4, "gap": -0.02}}).endswith(
        "40.0%, 2.0 points less than what later videos show."
    )
    assert words.random_split({"randomSplit": {"accuracy": 0.4, "gap": None}}).endswith("of 40.0%.")


def test_a_single_dot_without_an_interval_can_be_drawn() -> None:
    row = charts.Row("alone", estimate(0.0, None, 3), "0.0%")
    spec = charts.dots(words.METRICS["accuracy"], [row], charts.Rule(1.0, "ceiling 100%"))
    assert spec is not None
    svg = drawn(spec, 'says "this" & <that>')
    assert svg.startswith('<svg class="chart" role="img" aria-label="says &#34;this&#34; &amp; &lt;that&gt;" viewBox=')
    assert Page(svg).said.startswith("0% 25% 50% 75% 100%")


def test_a_drawing_has_no_identifier_that_another_could_have() -> None:
    text = render(made_up_backtest())
    assert "url(#" not in text
    assert "clip-path" not in text


def test_ticks_hold_both_ends_and_tell_themselves_apart() -> None:
    for low, high in ((0.0, 0.05), (0.1, 0.1), (0.471, 0.482), (-0.2, 1.0), (0.9, 3.2), (0.0, 1e-7)):
        ticks = canvas.nice_ticks(low, high)
        assert ticks[0] <= low
        assert ticks[-1] >= high
        assert 2 <= len(ticks) <= 5
        assert len(set(ticks)) == len(ticks)


def palettes() -> list[dict[str, tuple[float, ...]]]:
    css = importlib.resources.files("groundswell.reports").joinpath("templates/style.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    return [
        {
            name: tuple(int(code[place : place + 2], 16) / 255 for place in (0, 2, 4))
            for name, code in re.findall(r"--([a-z-]+): #([0-9a-f]{6});", block)
        }
        for block in (light, dark)
    ]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Contrast as WCAG 2 defines it."""

    def luminance(colour: tuple[float, ...]) -> float:
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
def test_colours_can_be_told_apart(palette: dict[str, tuple[float, ...]]) -> None:
    for text in ("ink", "muted", "accent", "limit"):
        assert contrast(palette[text], palette["paper"]) >= 4.5, text
        assert contrast(palette[text], palette["card"]) >= 4.5, text
    for mark in ("other", "accent", "limit"):
        assert contrast(palette[mark], palette["paper"]) >= 3, mark
    for badge in ("good", "warn", "bad", "plain"):
        assert contrast(palette[badge], palette[f"{badge}-paper"]) >= 4.5, badge
        assert contrast(palette[badge], palette["paper"]) >= 3, badge
    for opacity in (0.07, 0.25, 0.5, 0.75, 1.0):
        cell = tuple(
            opacity * heat + (1 - opacity) * paper
            for heat, paper in zip(palette["heat"], palette["paper"], strict=True)
        )
        assert contrast(palette["ink"], cell) >= 4.5, opacity
