"""The form of a planned video: what was typed, the video it means, and which field a refusal is about."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from groundswell.records import Window

#: The fields of the form: the name of the request's field, and what the page calls it.
FIELDS = {
    "platform": "Platform",
    "postedAt": "Posting time (UTC)",
    "author": "Creator",
    "authorFollowers": "Followers",
    "description": "Caption",
    "hashtags": "Hashtags",
    "soundName": "Sound",
    "durationSeconds": "Duration in seconds",
    "views": "Views",
    "likes": "Likes",
    "comments": "Comments",
    "shares": "Shares",
    "saves": "Saves",
    "scrapedAt": "Read at (UTC)",
}
_TIMES = {"postedAt", "scrapedAt"}
_WHOLE = {"authorFollowers", "durationSeconds", "views", "likes", "comments", "shares", "saves"}
_HASHTAG = re.compile(r"#(\w+)")
_NAMED = re.compile(r"^(\w+)(?:=| is missing)")
#: What a field must be, where what was typed cannot be read at all.
_WHOLE_NUMBER = "Type a whole number, 0 or more."


@dataclasses.dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into the form, by field; `asked` says whether it was sent at all."""

    window: Window
    values: Mapping[str, str]
    asked: bool

    def problems(self) -> dict[str, str]:
        """Return what cannot be read, by field."""
        numbers = {name: self.values[name].replace(",", "").replace(" ", "") for name in _WHOLE if self.values[name]}
        return {name: _WHOLE_NUMBER for name, text in numbers.items() if not (text.isascii() and text.isdigit())}

    def video(self) -> dict[str, Any]:
        """Return the video as a request has it; what was left blank is left out."""
        return {name: _read(name, text) for name, text in self.values.items() if text} | self._tags()

    def _tags(self) -> dict[str, Any]:
        """Return the hashtags: those of the field, else those of the caption."""
        named = self.values["hashtags"] or " ".join(f"#{tag}" for tag in _HASHTAG.findall(self.values["description"]))
        found = [tag.lstrip("#") for tag in re.split(r"[\s,]+", named)]
        return {"hashtags": [tag for tag in found if tag]}


def read_typed(query: Mapping[str, str], usual: Window) -> Typed:
    """Return what an address says of the form; a window that there is not is the usual one."""
    named = query.get("window", "")
    window = Window(named) if named in list(Window) else usual
    values = {name: query.get(name, "").strip() for name in FIELDS}
    return Typed(window, values, asked="window" in query)


def field_of(error: str) -> str | None:
    """Return the field of the form that a refusal is about; None where it is about the whole video.

    >>> field_of("durationSeconds=-4: A count or a duration is below zero."), field_of("There is no reading of it.")
    ('durationSeconds', None)
    """
    found = _NAMED.match(error)
    return found.group(1) if found and found.group(1) in FIELDS else None


def _read(name: str, text: str) -> Any:
    if name in _WHOLE:
        return int(text.replace(",", "").replace(" ", ""))
    # A browser's local time has no zone; the page says that it is UTC.
    return f"{text}Z" if name in _TIMES and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", text) else text
