"""The answering loop: what serves right now, applied to videos as they come, each answer logged."""

from __future__ import annotations

from groundswell.predictor.logbook import Logbook, Rows
from groundswell.predictor.predictor import Prediction, Predictor, TierRange, Write, answer
from groundswell.predictor.requested import REQUEST_FIELDS, Refusal, unknown_fields

__all__ = [
    "REQUEST_FIELDS",
    "Logbook",
    "Prediction",
    "Predictor",
    "Refusal",
    "Rows",
    "TierRange",
    "Write",
    "answer",
    "unknown_fields",
]
