"""How a figure is taken: median seconds of several calls, and the memory a call needs at its peak."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, what is asked for, what was reached."""

    what: str
    asked: str
    reached: str
    met: bool


def seconds(call: Callable[[], object], runs: int = 3) -> float:
    """Return the median seconds of the call."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def resident_megabytes() -> float:
    """Return the memory of this process now."""
    return _status("VmRSS")


def peak_megabytes(call: Callable[[], object]) -> float:
    """Return the most memory this process had while the call ran."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    call()
    return _status("VmHWM")


def _status(field: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024
