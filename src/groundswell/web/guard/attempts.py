"""Failed logins: how many an address had of late, in all processes, and how long it has to wait."""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress

from groundswell.errors import DatabaseError
from groundswell.store import logins
from groundswell.store.logins import MOST_FAILURES, WITHIN
from groundswell.web.state import State

#: Addresses that a process remembers at most; beyond it the one that was quiet longest is forgotten.
MOST_ADDRESSES = 10_000


class Attempts:
    """The attempts of the last five minutes by address; each counts as failed until it is said to be right.

    All workers and replicas count together, in the database, and each remembers what it saw itself. That is enough to
    refuse a guesser without asking, and all there is while the database is away: a login must not fail with it, nor may
    anybody guess without end.
    """

    def __init__(self, state: State, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._seen_here = SeenHere(clock)

    def begin(self, address: str | None) -> float:
        """Return 0 and note an attempt, or return how many seconds the address has to wait, and note nothing."""
        who = _who(address)
        wait = self._seen_here.begin(who)
        if wait > 0 or self._state.is_away():
            return wait
        try:
            wait = logins.begin(self._state.context().database, who)
        except DatabaseError:
            return 0.0
        if wait > 0:
            self._seen_here.refuse(who, wait)
        return wait

    def succeed(self, address: str | None) -> None:
        """Take back the last attempt of the address: it was right. What failed before it still counts."""
        who = _who(address)
        self._seen_here.take_back(who)
        if not self._state.is_away():
            with suppress(DatabaseError):
                logins.take_back(self._state.context().database, who)


@dataclasses.dataclass(slots=True)
class _Guesser:
    """When its attempts were made, and until when others have refused it."""

    times: deque[float] = dataclasses.field(default_factory=deque)
    refused_until: float = -math.inf


class SeenHere:
    """The attempts that came to this process, in memory, of a bounded number of guessers."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._guessers: OrderedDict[str, _Guesser] = OrderedDict()

    def begin(self, who: str) -> float:
        """Return 0 and note an attempt, or return how many seconds the guesser has to wait, and note nothing."""
        now, within = self._clock(), WITHIN.total_seconds()
        with self._lock:
            guesser = self._guessers.setdefault(who, _Guesser())
            self._guessers.move_to_end(who)
            times = guesser.times
            while times and now - times[0] >= within:
                times.popleft()
            until = max(guesser.refused_until, times[0] + within if len(times) >= MOST_FAILURES else -math.inf)
            if until > now:
                return until - now
            times.append(now)
            while len(self._guessers) > MOST_ADDRESSES:
                self._guessers.popitem(last=False)
        return 0.0

    def refuse(self, who: str, seconds: float) -> None:
        """Take back the last attempt, which was one too many for all processes, and refuse any other for so long."""
        self.take_back(who)
        with self._lock:
            if guesser := self._guessers.get(who):
                guesser.refused_until = self._clock() + seconds

    def take_back(self, who: str) -> None:
        """Forget the last attempt of the guesser."""
        with self._lock:
            guesser = self._guessers.get(who)
            if guesser is not None and guesser.times:
                guesser.times.pop()

    def __len__(self) -> int:
        """Return how many guessers are remembered."""
        return len(self._guessers)


def _who(address: str | None) -> str:
    """Return what one guesser has one of: of an IPv6 address only the network, of which it has all addresses.

    >>> _who("192.0.2.7"), _who("2001:db8::1"), _who("2001:db8::2"), _who(None)
    ('192.0.2.7', '2001:db8::/64', '2001:db8::/64', 'unknown')
    """
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return (address or "unknown")[:64]
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)
