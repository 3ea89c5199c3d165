"""Failed logins: how many an address had of late, and how long it has to wait."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

MOST_FAILURES = 10
WITHIN_SECONDS = 300.0
#: Addresses remembered at most; beyond it the one that was quiet longest is forgotten.
MOST_ADDRESSES = 10_000


class Attempts:
    """The attempts of the last five minutes by address; each counts as failed until it is said to be right."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, address: str | None) -> float:
        """Return 0 and note an attempt, or return how many seconds the address has to wait, and note nothing."""
        who, now = _who(address), self._clock()
        with self._lock:
            times = self._times.setdefault(who, deque())
            self._times.move_to_end(who)
            while times and now - times[0] >= WITHIN_SECONDS:
                times.popleft()
            if len(times) >= MOST_FAILURES:
                return WITHIN_SECONDS - (now - times[0])
            times.append(now)
            while len(self._times) > MOST_ADDRESSES:
                self._times.popitem(last=False)
        return 0.0

    def succeed(self, address: str | None) -> None:
        """Forget the attempts of the address: the last one was right."""
        with self._lock:
            self._times.pop(_who(address), None)

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
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
