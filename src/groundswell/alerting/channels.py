"""The channels: where apprise sends a message, one thread each, and not for long."""

from __future__ import annotations

import dataclasses
import threading
import time
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apprise import NotifyBase

#: All channels together are waited for so long; one that hangs is left behind.
PATIENCE_SECONDS = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """Whether a message arrived; the channel is named by its kind and place in the setting, never by its URL."""

    channel: str
    arrived: bool
    said: str


def send(urls: str, title: str, text: str, is_good: bool = False) -> list[Delivery]:
    """Return for each channel, in order, whether the message arrived; whatever goes wrong there, this returns."""
    posts = [_Post(place, channel, title, text, is_good) for place, channel in enumerate(_channels(urls), 1)]
    for post in posts:
        post.start()
    end = time.monotonic() + PATIENCE_SECONDS
    for post in posts:
        post.join(max(0.0, end - time.monotonic()))
    return [post.delivery() for post in posts]


def _channels(urls: str) -> list[NotifyBase | None]:
    """Return the channels of the setting, None where an URL is none of apprise's."""
    with warnings.catch_warnings():
        # Its plugins import modules that Python warns of, which no setting of ours can help.
        warnings.simplefilter("ignore", DeprecationWarning)
        from apprise import Apprise
        from apprise.utils.parse import parse_urls

        each: list[str] = parse_urls(urls)  # type: ignore[no-untyped-call]
        return [Apprise.instantiate(url) for url in each]


class _Post(threading.Thread):
    """One message on its way through one channel."""

    def __init__(self, place: int, channel: NotifyBase | None, title: str, text: str, is_good: bool) -> None:
        name = "unknown" if channel is None else str(channel.service_name or "unnamed")
        self._named = f"{place}: {name}"
        super().__init__(name=f"alert through {self._named}", daemon=True)
        self._channel, self._title, self._text, self._is_good = channel, title, text, is_good
        self._ended: tuple[bool, str] | None = None

    def run(self) -> None:
        """Send it."""
        from apprise import NotifyType

        if self._channel is None:
            self._ended = False, "this is no URL that apprise knows"
            return
        kind = NotifyType.SUCCESS if self._is_good else NotifyType.WARNING
        try:
            arrived = bool(self._channel.notify(body=self._text, title=self._title, notify_type=kind))
            self._ended = arrived, "arrived" if arrived else "the channel did not take it"
        except Exception as error:  # plugins of many hands; the message of an error may hold the URL
            self._ended = False, f"the channel failed with {type(error).__name__}"

    def delivery(self) -> Delivery:
        """Return how it ended, or that it has not."""
        arrived, said = self._ended or (False, f"no answer within {PATIENCE_SECONDS:g} s")
        return Delivery(self._named, arrived, said)
