"""Failed logins: how many an address had of late, in all processes, and how long it has to wait."""

from __future__ import annotations

import ipaddress
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

    All workers and replicas count together, in the database. While it is away each process counts what it sees itself:
    a login must not fail with the database, nor may anybody guess without end.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._seen_here = SeenHere()

    def begin(self, address: str | None) -> float:
        """Return 0 and note an attempt, or return how many seconds the address has to wait, and note nothing."""
        who = _who(address)
        if not self._state.is_away():
            with suppress(DatabaseError):
                return logins.begin(self._state.context().database, who)
        return self._seen_here.begin(who)

    def succeed(self, address: str | None) -> None:
        """Forget the attempts of the address: the last one was right."""
        who = _who(address)
        self._seen_here.succeed(who)
        if not self._state.is_away():
            with suppress(DatabaseError):
                logins.forget(self._state.context().database, who)


class SeenHere:
    """The attempts that came to this process, in memory, of a bounded number of guessers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, who: str) -> float:
        """Return 0 and note an attempt, or return how many seconds the guesser has to wait, and note nothing."""
        now, within = self._clock(), WITHIN.total_seconds()
        with self._lock:
            times = self._times.setdefault(who, deque())
            self._times.move_to_end(who)
            while times and now - times[0] >= within:
                times.popleft()
            if len(times) >= MOST_FAILURES:
                return within - (now - times[0])
            times.append(now)
            while len(self._times) > MOST_ADDRESSES:
                self._times.popitem(last=False)
        return 0.0

    def succeed(self, who: str) -> None:
        """Forget the attempts of the guesser: the last one was right."""
        with self._lock:
            self._times.pop(who, None)

    def __len__(self) -> int:
        """Return how many guessers are remembered."""
        return len(self._times)


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
