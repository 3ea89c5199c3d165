"""What a feature is: one declaration, from which training, serving, docs and pages are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import polars as pl

from groundswell.records import Window
from groundswell.stages.features.term import Known


@dataclasses.dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its name, how it is computed, the earliest window that knows it, its unit and a sentence.

    `expression` reads the canonical columns of a video, and in a forecast window the columns that history and early
    readings add beside them; `of_one` reads the same of one video alone (None: computed over frames only). Features of
    one `theme` tell of one thing and are explained together.
    """

    name: str
    expression: pl.Expr
    known_at: Window
    unit: str
    sentence: str
    theme: str
    of_one: Callable[[Known], float] | None = None
