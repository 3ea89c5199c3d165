"""Records as JSON."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.records import Decision, Estimate, Finding, Outcome, Verdict, Window, as_json, camel, rounded, utc
from tests.made_up import law


@dataclasses.dataclass(frozen=True, slots=True)
class Nest:
    inner_part: Any
    by_tier: Any = None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
        ("text", "text"),
        (Window.OBSERVED, "observed"),
        (Outcome.NOT_APPLICABLE, "not_applicable"),
        (Path("a/b"), "a/b"),
        (datetime(2025, 1, 2, 3, tzinfo=UTC), "2025-01-02T03:00:00Z"),
        (datetime(2025, 1, 2, 3, 4, 5, 678), "2025-01-02T03:04:05.000678Z"),  # noqa: DTZ001 - as a driver may hand it
        (datetime(2025, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))), "2025-01-02T01:00:00Z"),
        ((1, [2, (3,)]), [1, [2, [3]]]),
        ({1: 0.5, "a_b": None}, {"1": 0.5, "a_b": None}),
        (
            Nest(Nest(float("nan")), {"shareRate": 1}),
            {"innerPart": {"innerPart": None, "byTier": None}, "byTier": {"shareRate": 1}},
        ),
    ],
)
def test_values_become_plain_json(value: Any, expected: Any) -> None:
    assert as_json(value) == expected
    assert type(as_json(value)) is type(expected)


def test_a_decision_reads_as_the_interface_says() -> None:
    finding = Finding("G4", "Accuracy floor", Outcome.FAILED, "Too low")
    decision = as_json(Decision(Verdict.HOLD, "Too low", "More", (finding,)))
    assert decision == {
        "decision": "hold",
        "reason": "Too low",
        "enough": "More",
        "findings": [{"code": "G4", "title": "Accuracy floor", "outcome": "failed", "explanation": "Too low"}],
    }
    assert as_json(Estimate(float("nan"), None, None, 0))["value"] is None


nested = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.builds(Nest, inner, inner)
    ),
    max_leaves=12,
)


@law
@given(nested)
def test_whatever_a_record_holds_its_json_survives_writing_and_reading(value: Any) -> None:
    plain = as_json(value)
    assert orjson.loads(orjson.dumps(plain)) == plain
    assert as_json(plain) == plain
    assert rounded(rounded(plain, 3), 3) == rounded(plain, 3)


@pytest.mark.parametrize(
    ("name", "expected"), [("a", "a"), ("test_accuracy", "testAccuracy"), ("p_25_low", "p25Low"), ("aB", "aB")]
)
def test_camel(name: str, expected: str) -> None:
    assert camel(name) == expected


def test_a_moment_without_a_zone_is_utc() -> None:
    assert utc(datetime(2025, 1, 1)) == datetime(2025, 1, 1, tzinfo=UTC)  # noqa: DTZ001 - the case in question
