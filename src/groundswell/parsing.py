"""One untrusted value in, one clean value or the reason why not: shared by ingest and by the store's reader.

A scraper writes `"12"`, `12.0`, `""`, `null`, `true` or `"n/a"` where a count belongs. Ingest turns the
failures into rejections; the reader of a table that somebody else wrote turns them into "unknown".
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

#: Postgres bigint and polars Int64 both end here.
LARGEST_COUNT = 2**63 - 1
#: No video of these platforms is older; a time before it is a scraper's zero.
EARLIEST_MOMENT = datetime(2005, 1, 1, tzinfo=UTC)
_MOST_DIGITS = len(str(LARGEST_COUNT))
#: A duration is an integer column in PostgreSQL.
_LONGEST_SECONDS = 2**31 - 1
_LATEST_EPOCH_SECONDS = 32_503_680_000  # the year 3000: above it an epoch is in milliseconds
_EPOCH = re.compile(r"\d{9,}(\.\d*)?")
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGER = re.compile(r"[+-]?\d+(\.0*)?")
_QUOTED = re.compile(r"""'([^'\\]*)'|"([^"\\]*)\"""")
_PRINTED_LIST = re.compile(r"""\[(\s*,?\s*('[^'\\]*'|"[^"\\]*"))*\s*\]""")
_BLANK = frozenset({"", "null", "none"})


class InvalidValueError(ValueError):
    """A value cannot be read; the first argument is the reason's code."""


def count(value: Any) -> int | None:
    """Return a whole number of at least 0, or None for an absent one.

    Raises InvalidValueError: `not_a_number`, `not_finite`, `not_whole`, `negative`, `out_of_range`.

    >>> count("1200"), count(35.0), count(""), count(None)
    (1200, 35, None, None)
    """
    if type(value) is int:
        return _in_range(value)
    if value is None:
        return None
    if isinstance(value, float):
        return _in_range(_whole(value))
    if isinstance(value, str):
        return _count_from_text(value.strip())
    raise InvalidValueError("not_a_number")


def _count_from_text(text: str) -> int | None:
    if text.lower() in _BLANK:
        return None
    if _INTEGER.fullmatch(text):
        digits = text.split(".", maxsplit=1)[0]
        if len(digits.lstrip("+-0")) > _MOST_DIGITS:  # Python refuses to read thousands of digits
            raise InvalidValueError("negative" if digits.startswith("-") else "out_of_range")
        return _in_range(int(digits))
    return _in_range(_whole(_float(text)))


def _float(text: str) -> float:
    if "_" in text:  # Python's float reads 1_000; no export writes it
        raise InvalidValueError("not_a_number")
    try:
        return float(text)
    except ValueError:
        raise InvalidValueError("not_a_number") from None


def _whole(number: float) -> int:
    if not math.isfinite(number):
        raise InvalidValueError("not_finite")
    if number != int(number):
        raise InvalidValueError("not_whole")
    return int(number)


def _in_range(number: int) -> int:
    if number < 0:
        raise InvalidValueError("negative")
    if number > LARGEST_COUNT:
        raise InvalidValueError("out_of_range")
    return number


def seconds(value: Any) -> int | None:
    """Return a duration in whole seconds (rounded), or None for an absent one; errors as `count`.

    -1 is what listings give for a live video, so it is absent.

    >>> seconds("14.6"), seconds(30), seconds(-1.0)
    (15, 30, None)
    """
    if isinstance(value, str) and value.strip().lower() not in _BLANK:
        value = _float(value.strip())
    if isinstance(value, float) and math.isfinite(value):
        value = float(math.floor(value + 0.5))
    if value == -1:
        return None
    whole = count(value)
    if whole is not None and whole > _LONGEST_SECONDS:
        raise InvalidValueError("out_of_range")
    return whole


def moment(value: Any) -> datetime | None:
    """Return an aware UTC time from ISO 8601 text or an epoch in seconds or milliseconds, None for an absent one.

    A time without a zone is taken as UTC. Raises InvalidValueError: `not_a_date`, `implausible_date`.

    >>> moment(1690605974).isoformat(), moment("2023-07-29T04:46:14.000Z").isoformat()
    ('2023-07-29T04:46:14+00:00', '2023-07-29T04:46:14+00:00')
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in _BLANK):
        return None
    parsed = _moment(value)
    if parsed < EARLIEST_MOMENT:
        raise InvalidValueError("implausible_date")
    return parsed


def _moment(value: Any) -> datetime:
    try:
        if isinstance(value, str):
            text = value.strip()
            if text[4:5] != "-" and _EPOCH.fullmatch(text):
                return _from_epoch(float(text))
            return _in_utc(datetime.fromisoformat(text))
        if isinstance(value, datetime):
            return _in_utc(value)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _from_epoch(float(value))
    except (ValueError, OverflowError):
        raise InvalidValueError("not_a_date") from None
    raise InvalidValueError("not_a_date")


def _in_utc(parsed: datetime) -> datetime:
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _from_epoch(number: float) -> datetime:
    if number > _LATEST_EPOCH_SECONDS:
        number /= 1000
    return _EPOCH_START + timedelta(seconds=number)


_DURATION = re.compile(
    r"\+?(\d+(?:\.\d+)?)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?|)", re.IGNORECASE
)
_SECONDS_OF = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "": 3_600}


def duration(value: Any) -> timedelta | None:
    """Return a length of time: `72h`, `8d`, `90 minutes`, ISO 8601 (`PT72H`, `P8D`), or a bare number of hours.

    Raises ValueError.

    >>> duration("8d"), duration(72), duration("PT1H30M"), duration("")
    (datetime.timedelta(days=8), datetime.timedelta(days=3), datetime.timedelta(seconds=5400), None)
    """
    if value is None or isinstance(value, timedelta):
        return value
    written = str(value).strip()
    if not written:
        return None
    try:
        if match := _DURATION.fullmatch(written):
            return timedelta(seconds=float(match[1]) * _SECONDS_OF[match[2][:1].lower()])
        if match := _ISO_DURATION.fullmatch(written):
            days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
            return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        pass
    raise ValueError(f"{written!r} is no length of time")


_ISO_DURATION = re.compile(r"P(?=.)(?:([\d.]+)D)?(?:T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?")


def text(value: Any) -> str | None:
    """Return text, or None for an absent one; raises InvalidValueError `not_text` for a list, an object or a number.

    NUL characters, which PostgreSQL cannot hold, and lone surrogates are replaced.

    >>> text("  a caption "), text(None)
    ('  a caption ', None)
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidValueError("not_text")
    return value if _clean(value) else value.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")


def _clean(value: str) -> bool:
    """Return whether the text can be stored as it is: no NUL, no half of a surrogate pair."""
    if "\x00" in value:
        return False
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def name(value: Any) -> str | None:
    """Return a name without surrounding blanks, None for an absent or blank one; a whole number is a name too.

    Raises InvalidValueError `not_text`.

    >>> name(" ann "), name(7), name("")
    ('ann', '7', None)
    """
    if type(value) is int:
        return str(value)
    cleaned = text(value)
    return None if cleaned is None else cleaned.strip() or None


def platform(value: Any) -> str:
    """Return a platform's name in lower case, TikTok's for an absent one.

    Raises InvalidValueError: `not_text`; `colon_in_platform`, as `a:b` and `c` would share the key of `a` and `b:c`.

    >>> platform("YouTube"), platform(None)
    ('youtube', 'tiktok')
    """
    if value == "tiktok":
        return "tiktok"
    cleaned = (name(value) or "tiktok").lower()
    if ":" in cleaned:
        raise InvalidValueError("colon_in_platform")
    return cleaned


def video_id(value: Any) -> str:
    """Return a platform's id of a video as text.

    Raises InvalidValueError: `missing_id`; `damaged_id` for a number that lost its digits in a spreadsheet.

    >>> video_id(4464792840921294548), video_id(" 7e ")
    ('4464792840921294548', '7e')
    """
    if value is None or value == "" or isinstance(value, bool):
        raise InvalidValueError("missing_id")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) or not isinstance(value, str):
        raise InvalidValueError("damaged_id")
    cleaned = (text(value) or "").strip()
    if not cleaned or cleaned.lower() in _BLANK:
        raise InvalidValueError("missing_id")
    if re.fullmatch(r"\d(\.\d+)?[eE]\+?\d+", cleaned):
        raise InvalidValueError("damaged_id")
    return cleaned


def tags(value: Any) -> list[str] | None:
    """Return a list of hashtags without `#`, or None for an absent one.

    Reads a list of texts, a list of objects with `name` or `title`, JSON text, or text split by commas or blanks.
    Raises InvalidValueError `not_a_list`.

    >>> tags([{"name": "fyp"}, "#dance"]), tags("a, b"), tags("#a #b"), tags("['a', 'b']"), tags("")
    (['fyp', 'dance'], ['a', 'b'], ['a', 'b'], ['a', 'b'], [])
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = _tags_from_text(value.strip())
    if not isinstance(value, (list, tuple)):
        raise InvalidValueError("not_a_list")
    texts = [item if type(item) is str else _tag(item) for item in value]
    if not _clean("".join(texts)):
        texts = [text(item) or "" for item in texts]
    return [tag for item in texts if (tag := item.strip().removeprefix("#"))]


def _tags_from_text(raw: str) -> Any:
    if raw.startswith("["):
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            return _quoted(raw)
    if raw.lower() in {"null", "none"}:
        return []
    if raw.startswith("{"):
        raise InvalidValueError("not_a_list")
    return raw.split(",") if "," in raw else raw.split()


def _quoted(raw: str) -> list[str]:
    """Return the texts of a list as Python prints it, which is what pandas writes into a CSV."""
    if not _PRINTED_LIST.fullmatch(raw):
        raise InvalidValueError("not_a_list")
    return [single or double for single, double in _QUOTED.findall(raw)]


def _tag(item: Any) -> str:
    if isinstance(item, dict):
        item = item.get("name") or item.get("title") or ""
    if item is None:
        return ""
    if not isinstance(item, str):
        raise InvalidValueError("not_a_list")
    return item


def lenient(parser: Any, value: Any) -> Any:
    """Return what the parser makes of the value, or None where it cannot: for tables that somebody else wrote.

    >>> lenient(count, "many") is None
    True
    """
    try:
        return parser(value)
    except InvalidValueError:
        return None
