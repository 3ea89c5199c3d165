"""Moments as cron writes them: the weekdays of cron and no other's, and a clear word where a text is none."""

from __future__ import annotations

import pytest

from groundswell.crontab import EXPECTED, read_cron


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("0 3 * * 1", "0 3 * * 1"),
        ("*/15 0-6/2,12 1,15 jan-mar *", "*/15 0-6/2,12 1,15 1-3 *"),
        ("0 0 * * MON-FRI", "0 0 * * 1,2,3,4,5"),
        ("0 0 * * 0", "0 0 * * 0"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * */2", "0 0 * * 0,2,4,6"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("  30  2 * *  * ", "30 2 * * *"),
    ],
)
def test_fields_are_read_into_numbers(text: str, read: str) -> None:
    assert str(read_cron(text)) == read


def test_weekdays_have_names_since_schedulers_number_them_differently() -> None:
    assert read_cron("0 3 * * 1").weekday_names == "mon"
    assert read_cron("0 3 * * 7").weekday_names == "sun"
    assert read_cron("0 3 * * *").weekday_names == "*"


@pytest.mark.parametrize(
    "text",
    [
        *("", "0 3 * *", "0 3 * * 1 *", "@weekly", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8"),
        *("5/10 * * * *", "*/0 * * * *", "9-3 * * * *", "a * * * *", "0 0 * * funday", "-1 * * * *", "1, * * * *"),
        *("0 0 31 2 *", "0 0 30 feb *", "0 0 31 4,6 *"),
        "0 0 13 * 5",
        "0 3 * * 1; rm -rf /",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="minute, hour") as caught:
        read_cron(text)
    assert str(caught.value) == EXPECTED
