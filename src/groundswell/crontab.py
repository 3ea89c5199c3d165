"""Moments as cron writes them: five fields, read once, in numbers that every scheduler understands."""

from __future__ import annotations

import dataclasses
import re

#: What is expected where a text is no moment of cron.
EXPECTED = (
    "minute, hour, day of the month, month and weekday as cron writes them, such as 0 3 * * 1 (Mondays at 03:00 UTC); "
    "either day or weekday is *"
)
_PART = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
#: The most days that a month has, January first.
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclasses.dataclass(frozen=True, slots=True)
class Cron:
    """The five fields; weekdays are *, or a list of numbers with Sunday as 0."""

    minute: str
    hour: str
    day: str
    month: str
    weekday: str

    def __str__(self) -> str:
        return " ".join((self.minute, self.hour, self.day, self.month, self.weekday))

    @property
    def weekday_names(self) -> str:
        """The weekdays by name: numbers mean other days to other schedulers."""
        if self.weekday == "*":
            return "*"
        return ",".join(_WEEKDAYS[int(day)] for day in self.weekday.split(","))


def read_cron(text: str) -> Cron:
    """Return the moments that the text names; raises ValueError saying what is expected.

    >>> str(read_cron("0 3 * jan FRI-7"))
    '0 3 * 1 0,5,6'
    """
    fields = text.lower().split()
    if len(fields) != 5:
        raise ValueError(EXPECTED)
    minute, hour, day, month, weekday = fields
    month = _numbered(month, _MONTHS, 1)
    days, months = _values(day, 1, 31), _values(month, 1, 12)
    weekdays = {value % 7 for value in _values(_numbered(weekday, _WEEKDAYS, 0), 0, 7)}
    # Where both are given cron takes either, other schedulers take both, and Vercel refuses.
    both = day != "*" and weekday != "*"
    if both or min(days) > max(_DAYS[one - 1] for one in months):
        raise ValueError(EXPECTED)
    _values(minute, 0, 59), _values(hour, 0, 23)
    return Cron(minute, hour, day, month, "*" if weekday == "*" else ",".join(map(str, sorted(weekdays))))


def _numbered(field: str, names: list[str], first: int) -> str:
    for number, name in enumerate(names, first):
        field = re.sub(rf"\b{name}\b", str(number), field)
    return field


def _values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(EXPECTED)
        start, end, step = match.groups()
        if start is not None and end is None and step is not None:
            raise ValueError(EXPECTED)  # 5/10 means one thing here and another there
        first = low if start is None else int(start)
        last = first if end is None and start is not None else high if end is None else int(end)
        if not low <= first <= last <= high or (step is not None and not 1 <= int(step) <= high):
            raise ValueError(EXPECTED)
        found |= set(range(first, last + 1, int(step or 1)))
    return found
