"""How long the stages of an answer take, told to whoever listens: nobody, unless a server counts them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

#: Where the workers of one server keep their metrics, so that each can tell those of all; prometheus-client's name.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
#: Called with the name of a stage and how many seconds it took.
Listener = Callable[[str, float], None]

_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Tell the listener of every stage from now on."""
    if listener not in _listeners:
        _listeners.append(listener)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time the block as a stage of an answer, however it ends."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        for listener in _listeners:
            listener(name, time.perf_counter() - begun)


#: Called with a window and the tiers of its predictions.
Counter = Callable[[str, Iterable[int]], None]

_counters: list[Counter] = []


def count(counter: Counter) -> None:
    """Tell the counter of every prediction from now on."""
    if counter not in _counters:
        _counters.append(counter)


def predicted(window: str, tiers: Iterable[int]) -> None:
    """Say that predictions of these tiers were made."""
    for counter in _counters:
        counter(window, tiers)
