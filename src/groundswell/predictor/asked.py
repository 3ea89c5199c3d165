"""What can be answered of a request, with its features: one video without a frame, many by frames, the same numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from groundswell.calibration.scores import Floats
from groundswell.predictor.inputs import Inputs, forecast_inputs, forecast_inputs_of_one, observed_inputs
from groundswell.predictor.requested import REQUEST_FIELDS, Refusal, read_one, read_request
from groundswell.records import Window
from groundswell.stages.features.observed_single import observed_values
from groundswell.stages.maturity import LabelAge
from groundswell.stages.segments import segment_of
from groundswell.store.database import Database
from groundswell.telemetry import stage


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """The usable videos by their canonical columns, each with its position in the request, its features and segment.

    `values` is (videos, features); `refusals` has every other position.
    """

    lines: list[int]
    videos: list[dict[str, Any]]
    values: Floats
    segments: list[str]
    refusals: Mapping[int, Refusal]


def ask(database: Database, videos: Sequence[Any], window: Window, label: LabelAge, at: datetime) -> Asked:
    """Return what can be answered of the videos; raises DatabaseError where a past cannot be looked up."""
    if len(videos) == 1:
        return _one(database, videos[0], window, label, at)
    with stage("read"):
        requested = read_request(videos, window, at)
    with stage("features"):
        if not requested.rows.height or window is Window.OBSERVED:
            return _of_frame(observed_inputs(requested))
        return _of_frame(forecast_inputs(database, requested, window, label, at))


def _one(database: Database, video: Any, window: Window, label: LabelAge, at: datetime) -> Asked:
    with stage("read"):
        read = read_one(video, window, at)
    if isinstance(read, Refusal):
        return _refused(read)
    with stage("features"):
        if window is Window.OBSERVED:
            return _of_one(read, observed_values(read), read["author_followers"])
        found = forecast_inputs_of_one(database, read, window, label, at)
    if isinstance(found, Refusal):
        return _refused(found)
    return _of_one(found.video, np.asarray(found.values, np.float64).reshape(1, -1), found.followers)


def _refused(refusal: Refusal) -> Asked:
    return Asked([], [], np.empty((0, 0)), [], {0: refusal})


def _of_one(video: dict[str, Any], values: Floats, followers: int | None) -> Asked:
    return Asked([0], [video], values, [segment_of(video["platform"], followers)], {})


def _of_frame(inputs: Inputs) -> Asked:
    rows = inputs.requested.rows
    videos = rows.select(REQUEST_FIELDS.values()).to_dicts()
    followers = inputs.followers.to_list()
    segments = [segment_of(video["platform"], known) for video, known in zip(videos, followers, strict=True)]
    return Asked(rows["line"].to_list(), videos, inputs.values, segments, inputs.requested.refusals)
