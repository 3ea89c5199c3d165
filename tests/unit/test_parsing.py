"""One untrusted value in, one clean value or a reason out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from groundswell import parsing


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (12, 12),
        (12.0, 12),
        ("12", 12),
        (" 12 ", 12),
        ("12.0", 12),
        ("1e3", 1000),
        ("+7", 7),
        (2**63 - 1, 2**63 - 1),
        ("9223372036854775807", 2**63 - 1),
        (None, None),
        ("", None),
        ("null", None),
        ("None", None),
    ],
)
def test_count_reads(value: Any, expected: int | None) -> None:
    assert parsing.count(value) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("many", "not_a_number"),
        ("1,200", "not_a_number"),
        ("1_200", "not_a_number"),
        (True, "not_a_number"),
        ([1], "not_a_number"),
        ({}, "not_a_number"),
        (float("nan"), "not_finite"),
        ("inf", "not_finite"),
        (1.5, "not_whole"),
        ("1.5", "not_whole"),
        (-1, "negative"),
        ("-1", "negative"),
        (2**63, "out_of_range"),
        ("9" * 5000, "out_of_range"),
        ("-" + "9" * 5000, "negative"),
        (1e300, "out_of_range"),
    ],
)
def test_count_refuses(value: Any, reason: str) -> None:
    with pytest.raises(parsing.InvalidValueError, match=f"^{reason}$"):
        parsing.count(value)


@pytest.mark.parametrize(
    ("value", "expected"), [(14.6, 15), ("14.4", 14), (30, 30), (-1, None), (-1.0, None), ("-1", None), (None, None)]
)
def test_seconds_reads(value: Any, expected: int | None) -> None:
    assert parsing.seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [(-2, "negative"), (2**31, "out_of_range"), ("long", "not_a_number"), (float("inf"), "not_finite")],
)
def test_seconds_refuses(value: Any, reason: str) -> None:
    with pytest.raises(parsing.InvalidValueError, match=f"^{reason}$"):
        parsing.seconds(value)


NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        NEW_YEAR,
        NEW_YEAR.replace(tzinfo=None),
        NEW_YEAR.astimezone(timezone(timedelta(hours=7))),
        date(2025, 1, 1),
        1735689600,
        1735689600.0,
        1735689600000,
        "1735689600",
        "1735689600000",
        "2025-01-01",
        "20250101",
        "2025-01-01T00:00:00Z",
        "2025-01-01 00:00:00.000",
        "2025-01-01T07:00:00+07:00",
    ],
)
def test_moment_reads(value: Any) -> None:
    assert parsing.moment(value) == NEW_YEAR


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("yesterday", "not_a_date"),
        (True, "not_a_date"),
        ([], "not_a_date"),
        (float("nan"), "not_a_date"),
        (float("inf"), "not_a_date"),
        (10**400, "not_a_date"),
        ("9" * 400, "not_a_date"),
        ("9999-12-31T23:59:59-23:00", "not_a_date"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-23))), "not_a_date"),
        (0, "implausible_date"),
        ("1970-01-01", "implausible_date"),
    ],
)
def test_moment_refuses(value: Any, reason: str) -> None:
    with pytest.raises(parsing.InvalidValueError, match=f"^{reason}$"):
        parsing.moment(value)


def test_text_replaces_what_postgres_cannot_hold() -> None:
    assert parsing.text("a\x00b") == "a�b"
    assert parsing.text("é\ud800") == "é?"
    assert parsing.text("é 🔥") == "é 🔥"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["fyp", " #dance ", "", "#"], ["fyp", "dance"]),
        ([{"name": "fyp"}, {"title": "dance"}, {}, None], ["fyp", "dance"]),
        ('["fyp", "dance"]', ["fyp", "dance"]),
        ("['fyp', 'dance']", ["fyp", "dance"]),
        ("['fyp' 'dance']", ["fyp", "dance"]),
        ("fyp,dance", ["fyp", "dance"]),
        ("#fyp #dance", ["fyp", "dance"]),
        ("", []),
        ("null", []),
        (["a\x00", "\ud800é"], ["a�", "?é"]),
        (None, None),
    ],
)
def test_tags_reads(value: Any, expected: list[str] | None) -> None:
    assert parsing.tags(value) == expected


@pytest.mark.parametrize("value", [7, {"name": "fyp"}, [["fyp"]], [7], "[1, x]", '{"a": 1}', [{"name": 7}]])
def test_tags_refuses(value: Any) -> None:
    with pytest.raises(parsing.InvalidValueError, match=r"^not_a_list$"):
        parsing.tags(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "missing_id"),
        ("", "missing_id"),
        ("  ", "missing_id"),
        ("null", "missing_id"),
        (True, "missing_id"),
        (4.46e18, "damaged_id"),
        ("4.46479E+18", "damaged_id"),
        (["7"], "damaged_id"),
    ],
)
def test_video_id_refuses(value: Any, reason: str) -> None:
    with pytest.raises(parsing.InvalidValueError, match=f"^{reason}$"):
        parsing.video_id(value)


@pytest.mark.parametrize("value", ["a:b", ":", " YouTube: ", "https://www.tiktok.com"])
def test_a_platform_holds_no_colon(value: str) -> None:
    with pytest.raises(parsing.InvalidValueError, match=r"^colon_in_platform$"):
        parsing.platform(value)


@pytest.mark.parametrize("parser", [parsing.text, parsing.name, parsing.platform])
@pytest.mark.parametrize("value", [["a"], {"a": 1}, 1.5, True])
def test_text_refuses(parser: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(parsing.InvalidValueError, match=r"^not_text$"):
        parser(value)
