"""One video without a frame, and many by frames: whatever is asked, both ways say the same."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from groundswell.predictor.inputs import observed_inputs
from groundswell.predictor.requested import REQUEST_FIELDS, Refusal, read_one, read_request
from groundswell.records import Window
from groundswell.stages.features.observed_single import observed_values
from groundswell.stages.segments import segment, segment_of

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def times(first: int, last: int) -> st.SearchStrategy[str]:
    """Moments of these years, as a request writes them: with no zone, which means UTC."""
    seconds = st.integers(
        0, int((datetime(last, 1, 1, tzinfo=UTC) - datetime(first, 1, 1, tzinfo=UTC)).total_seconds())
    )
    start = datetime(first, 1, 1, tzinfo=UTC)
    return seconds.map(lambda number: (start + timedelta(seconds=number)).isoformat().removesuffix("+00:00"))


TEXTS = st.one_of(
    st.none(), st.text(max_size=40), st.sampled_from(["", " ", " ", "é" * 2_001, "x" * 10_001, "\x00", "null"])
)
COUNTS = st.one_of(
    st.none(),
    st.integers(-2, 60_000),
    st.integers(0, 2**63 + 1),
    st.floats(),
    st.sampled_from(["", "12", "1.0", "many", "1e3", True, [], {}]),
)
TIMES = st.one_of(
    st.none(),
    times(2004, 2028),
    st.sampled_from(["soon", 0, 1_700_000_000, AT.isoformat(), (AT + timedelta(minutes=6)).isoformat()]),
)
TAGS = st.one_of(
    st.none(),
    st.lists(st.text(max_size=8), max_size=5),
    st.sampled_from(["#a #b", "a,b", {}, 7, ["x"] * 1_001, ["y" * 2_001], [{"name": "z"}], [None]]),
)
VIDEOS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("platform", "author", "description", "soundName"), TEXTS),
        **dict.fromkeys(("views", "likes", "shares", "comments", "saves", "authorFollowers"), COUNTS),
        "platformVideoId": st.one_of(TEXTS, st.integers(), st.floats(), st.booleans()),
        "durationSeconds": COUNTS,
        "hashtags": TAGS,
        "postedAt": TIMES,
        "scrapedAt": TIMES,
    },
)
#: Counters as they usually are, so that more than refusals are compared.
USUAL = st.fixed_dictionaries(
    {"views": st.integers(1, 10**7), "likes": st.integers(0, 10**5)},
    optional={
        **dict.fromkeys(("shares", "comments", "saves", "authorFollowers"), st.integers(0, 10**6)),
        "description": st.text(max_size=100),
        "soundName": st.text(max_size=9),
        "hashtags": st.lists(st.text(max_size=8), max_size=40),
        "durationSeconds": st.integers(0, 900),
        "postedAt": times(2006, 2026),
    },
)


@given(st.one_of(VIDEOS, USUAL, st.none(), st.integers(), st.just([])), st.sampled_from(list(Window)))
def test_one_video_is_read_as_many_are(video: Any, window: Window) -> None:
    alone = read_one(video, window, AT)
    together = read_request([video], window, AT)
    if isinstance(alone, Refusal):
        assert together.refusals == {0: alone}
        return
    assert not together.refusals
    (row,) = together.rows.select(REQUEST_FIELDS.values()).to_dicts()
    assert {name: alone[name] for name in row} == row


@given(USUAL)
def test_the_features_of_one_video_are_those_of_many(video: dict[str, Any]) -> None:
    alone = read_one(video, Window.OBSERVED, AT)
    inputs = observed_inputs(read_request([video], Window.OBSERVED, AT))
    if isinstance(alone, Refusal):
        assert inputs.requested.refusals == {0: alone}
        return
    np.testing.assert_array_equal(observed_values(alone), inputs.values)
    frame = inputs.requested.rows.select(segment("platform", "author_followers"))
    assert frame.item() == segment_of(alone["platform"], alone["author_followers"])


def test_a_refusal_reads_the_same_whoever_gives_it() -> None:
    assert dataclasses.asdict(Refusal("a", "b")) == Refusal("a", "b").body()


def test_a_platform_that_holds_a_colon_is_refused_with_what_to_write() -> None:
    for window in Window:
        refusal = read_one({"platform": "a:b", "views": 5, "likes": 1}, window, AT)
        assert isinstance(refusal, Refusal)
        assert refusal.error.startswith("platform=a:b: A platform's name holds no colon")
        assert "write a name like tiktok" in refusal.error
