"""What holds of any past: nothing later speaks, a video says nothing of itself, and live is as training was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from groundswell.frames import MOMENT
from groundswell.records import Window
from groundswell.stages import features
from groundswell.stages.features.early import add_early
from groundswell.stages.features.history import History, add_history
from groundswell.store import posts as store_posts
from groundswell.store import posts_lookup
from groundswell.store.database import Database
from tests.made_up_posts import (
    DAY,
    HOUR,
    LABEL_AGE,
    READINGS,
    START,
    Post,
    follower_readings,
    framed,
    history_of,
    parts_of,
    posts,
    readings_of,
    targets_of,
)

law = limits(deadline=None, derandomize=True, max_examples=20)
forecast_windows = [window for window in Window if window.is_forecast]
each_window = pytest.mark.parametrize("window", forecast_windows, ids=[window.value for window in forecast_windows])
seeds = st.integers(0, 2**32 - 1)
LIMITS = posts_lookup.Limits()
MINUTE = timedelta(minutes=1)


def told(targets: Sequence[Post], history: History, window: Window, readings: pl.DataFrame) -> pl.DataFrame:
    """Return the features of a window, each target having been read at its posting at least."""
    frame = add_history(targets_of(targets, window.age), history, LABEL_AGE)
    if window.age:
        frame = add_early(frame, readings, window.age)
    assert frame["key"].to_list() == [target["key"] for target in targets]
    return features.compute(frame, features.of_window(window))


def read_at_posting(targets: Sequence[Post]) -> pl.DataFrame:
    rows = [{"key": target["key"], "observed_at": target["posted_at"], "views": 0} for target in targets]
    return framed(rows, READINGS)


def cut(history: History, moment: datetime, posted_at: datetime) -> History:
    """Return what could be known at the moment of other posts than those from `posted_at` on."""
    past, tags, followers = parts_of(history)
    known = pl.when(pl.col("posted_at") + LABEL_AGE <= pl.lit(moment, MOMENT))
    before = past.filter(pl.col("posted_at") < pl.lit(posted_at, MOMENT))
    return History(
        before.with_columns(known.then(name).alias(name) for name in ("views", "engagement")),
        tags.filter(pl.col("posted_at") + LABEL_AGE <= pl.lit(moment, MOMENT)),
        followers.filter(pl.col("observed_at") <= pl.lit(moment, MOMENT)),
    )


@each_window
@law
@given(seeds, st.integers(1, 60), st.integers(1, 40), st.data())
def test_nothing_later_than_the_moment_speaks(window: Window, seed: int, count: int, days: int, data: Any) -> None:
    past = posts(count, seed, days=days, authors=2)
    target = data.draw(st.sampled_from(past))
    moment = target["posted_at"] + window.age
    history = history_of(past, follower_readings(20, seed), seed=1)
    readings = pl.concat([readings_of(past, seed), read_at_posting([target])])
    in_time = readings.filter(pl.col("observed_at") <= pl.lit(moment, MOMENT))
    full = told([target], history, window, readings)
    assert full.equals(told([target], cut(history, moment, target["posted_at"]), window, in_time))


@each_window
@law
@given(seeds, st.integers(2, 60), st.integers(1, 40))
def test_the_order_of_rows_and_other_targets_change_nothing(window: Window, seed: int, count: int, days: int) -> None:
    past = posts(count, seed, days=days, authors=2)
    followers = follower_readings(20, seed)
    readings = pl.concat([readings_of(past, seed), read_at_posting(past)])
    order = np.random.default_rng(seed).permutation(count)
    whole = told(past, history_of(past, followers), window, readings)
    shuffled = readings.sample(fraction=1, shuffle=True, seed=seed % 1_000)
    turned = told([past[k] for k in order], history_of(past, followers, seed=seed % 1_000), window, shuffled)
    assert turned.equals(whole[order.tolist()])
    # One row is divided otherwise than many: the last bit may differ.
    assert_close(told(past[:1], history_of(past, followers), window, readings), whole[:1], 1e-12)


@each_window
@law
@given(seeds, st.integers(1, 40), st.data())
def test_a_video_never_speaks_in_its_own_history(window: Window, seed: int, count: int, data: Any) -> None:
    past = posts(count, seed, days=8, authors=2)
    row = data.draw(st.integers(0, count - 1))
    target = past[row]
    readings = read_at_posting(past)
    known = told([target], history_of(past), window, readings)
    for views in (None, 0, 10**15):
        changed = {**target, "views": views, "engagement": 1.0}
        assert told([target], history_of([*past[:row], changed, *past[row + 1 :]]), window, readings).equals(known)
    assert told([target], history_of([*past[:row], *past[row + 1 :]]), window, readings).equals(known)


@law
@given(seeds, st.integers(1, 40), st.integers(0, 10**6))
def test_the_other_platform_changes_nothing(seed: int, count: int, views: int) -> None:
    past = posts(count, seed, authors=2)
    target = {**past[0], "platform": "tiktok"}
    elsewhere = [{**post, "views": views} for post in past if post["platform"] == "youtube"]
    here = [post for post in past if post["platform"] == "tiktok"]
    followers = [row for row in follower_readings(20, seed) if row["platform"] == "tiktok"]
    known = told([target], history_of(here, followers), Window.PUBLISH, read_at_posting([target]))
    followers += [{**row, "platform": "youtube", "author_followers": views} for row in followers]
    both = history_of([*here, *elsewhere], followers)
    assert told([target], both, Window.PUBLISH, read_at_posting([target])).equals(known)


# --- live as in training ------------------------------------------------------------------------------------------


def newest(rows: pl.DataFrame, chosen: pl.Expr, most: int) -> pl.DataFrame:
    """Return the newest of the chosen, of those of one time the ones of the greater key."""
    return rows.filter(chosen).sort("posted_at", "key", descending=True).head(most)


def is_known(name: str, target: Post) -> pl.Expr:
    return pl.col(name) == pl.lit(target[name], pl.String)


def looked_up(history: History, target: Post, moment: datetime) -> History:
    """Return what `store.posts_lookup.look_up` finds for one target, said in the words of its docstring."""
    here = history.posts.filter(pl.col("platform") == target["platform"])
    posted, matured = pl.lit(moment, MOMENT), pl.lit(moment - LABEL_AGE, MOMENT)
    labelled = pl.col("views").is_not_null() & (pl.col("posted_at") <= matured)
    found = [
        newest(here, is_known("author", target) & (pl.col("posted_at") <= posted), LIMITS.author),
        newest(here, is_known("author", target) & labelled, LIMITS.matured),
        newest(here, is_known("sound_name", target) & labelled, LIMITS.sound),
        newest(here, labelled, LIMITS.platform),
    ]
    tags = history.tags.filter(pl.col("platform") == target["platform"])
    lower = {tag.lower() for tag in (target["hashtags"] or [])[:30] if tag}
    tagged = [newest(tags, (pl.col("hashtag") == tag) & labelled, LIMITS.tag) for tag in sorted(lower)]
    return History(pl.concat(found).unique("key"), pl.concat([tags[:0], *tagged]), history.followers)


def assert_close(found: pl.DataFrame, expected: pl.DataFrame, tolerance: float = 1e-6) -> None:
    assert found.columns == expected.columns
    for name in found.columns:
        for mine, theirs in zip(found[name].to_list(), expected[name].to_list(), strict=True):
            assert (mine is None) == (theirs is None), name
            assert mine is None or mine == pytest.approx(theirs, rel=tolerance, abs=tolerance), name


@law
@given(seeds, st.integers(1, 150), st.sampled_from([1, 20, 200]), st.data())
def test_live_equals_training_in_any_small_past(seed: int, count: int, days: int, data: Any) -> None:
    past = posts(count, seed, days=days, authors=2)
    window = data.draw(st.sampled_from(forecast_windows))
    target = {**data.draw(st.sampled_from(past)), "key": "planned"}
    readings, history = read_at_posting([target]), history_of(past)
    live = looked_up(history, target, target["posted_at"] + window.age)
    assert_close(told([target], live, window, readings), told([target], history, window, readings))


def busy_past(count: int, seed: int) -> Iterator[tuple[History, Post]]:
    """Yield a past beyond the caps of sounds, hashtags and platforms, and targets late in it."""
    past = posts(count, seed, days=90, authors=20)
    history = history_of(past)
    late = [post for post in past if post["posted_at"] > START + 80 * DAY and post["platform"] == "tiktok"]
    for target in late[:6]:
        yield history, {**target, "key": "planned"}


@pytest.mark.parametrize("window", [Window.PUBLISH, Window.HOUR_24], ids=["publish", "24h"])
@pytest.mark.parametrize("seed", [1, 2])
def test_live_equals_training_beyond_the_caps_of_sounds_hashtags_and_platforms(seed: int, window: Window) -> None:
    beyond = 0
    for history, target in busy_past(2_500, seed):
        readings = read_at_posting([target])
        found = looked_up(history, target, target["posted_at"] + window.age)
        beyond += found.posts.height < history.posts.height * 0.7 and found.tags.height < history.tags.height * 0.2
        assert_close(told([target], found, window, readings), told([target], history, window, readings))
    assert beyond == 6


def test_live_equals_training_by_the_database_itself(sqlite_database: Database) -> None:
    state = store_posts.State(int(LABEL_AGE.total_seconds()), None, 0)
    written = False
    for history, target in busy_past(2_500, 3):
        if not written:
            store_posts.write(sqlite_database, history.posts, history.tags, state, everything=True)
            written = True
        lower = [tag.lower() for tag in target["hashtags"] or [] if tag]
        frame = targets_of([{**target, "hashtags": lower}])
        past = posts_lookup.look_up(sqlite_database, frame, LIMITS, LABEL_AGE)
        slow = looked_up(history, target, target["posted_at"])
        assert sorted(past.posts["key"]) == sorted(slow.posts["key"])
        assert (
            past.tags.select("key", "hashtag")
            .sort("key", "hashtag")
            .equals(slow.tags.select("key", "hashtag").sort("key", "hashtag"))
        )
        found = History(past.posts, past.tags, history.followers)
        readings = read_at_posting([target])
        window = Window.PUBLISH
        assert_close(told([target], found, window, readings), told([target], history, window, readings))


def prolific(count: int, apart: timedelta, unread: int = 0) -> tuple[History, Post]:
    """Return a past with `count` posts of one creator, and a video of the creator planned after them.

    Of the posts one in `unread` has no outcome. Others posted so much of late that the platform tells of them alone.
    """
    end = START + count * apart
    ann = {"platform": "tiktok", "author": "ann", "sound_name": None, "engagement": 0.1}
    own = [
        {**post, **ann, "posted_at": START + number * apart, "views": number if not unread or number % unread else None}
        for number, post in enumerate(posts(count, 1))
    ]
    crowd = [
        {
            **post,
            "key": f"crowd{number}",
            "platform": "tiktok",
            "views": 5,
            "posted_at": end - LABEL_AGE - number * MINUTE,
        }
        for number, post in enumerate(posts(1_100, 2))
    ]
    return history_of([*own, *crowd]), {**own[-1], "key": "planned", "posted_at": end}


def assert_live_equals_training(history: History, target: Post) -> None:
    live, readings = looked_up(history, target, target["posted_at"]), read_at_posting([target])
    window = Window.PUBLISH
    assert_close(told([target], live, window, readings), told([target], history, window, readings))


@pytest.mark.parametrize("unread", [0, 3], ids=["all read", "a third unread"])
def test_live_equals_training_for_a_creator_of_no_more_posts_than_are_looked_up(unread: int) -> None:
    assert_live_equals_training(*prolific(500, DAY, unread))


def test_live_equals_training_for_a_creator_of_more_posts_than_are_looked_up() -> None:
    assert_live_equals_training(*prolific(700, DAY))


def test_live_equals_training_for_a_creator_a_third_of_whose_many_posts_have_no_outcome() -> None:
    assert_live_equals_training(*prolific(900, DAY, unread=3))


def test_live_equals_training_for_a_creator_of_more_posts_in_a_month_than_are_looked_up() -> None:
    assert_live_equals_training(*prolific(700, HOUR))


# --- the catalogue ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", list(Window), ids=[window.value for window in Window])
def test_no_feature_is_known_later_than_its_window(window: Window) -> None:
    chosen = features.of_window(window)
    order = list(Window)
    assert chosen
    assert all(order.index(feature.known_at) <= order.index(window) for feature in chosen)
    assert all(feature.known_at.age <= window.age for feature in chosen)


def test_windows_close_in_their_order_and_only_observed_never() -> None:
    ages = [window.age for window in Window]
    assert ages == sorted(set(ages))
    assert ages[0] == timedelta(0)
    assert [window for window in Window if window.age == timedelta.max] == [Window.OBSERVED]
    assert [f"{age // HOUR}h" for age in ages[1:4]] == [window.value for window in list(Window)[1:4]]
    assert [window for window in Window if not window.is_forecast] == [Window.OBSERVED]


def test_a_longer_forecast_window_knows_all_that_a_shorter_one_does() -> None:
    known = [features.names(features.of_window(window)) for window in forecast_windows]
    for shorter, longer in pairwise(known):
        assert longer[: len(shorter)] == shorter


@pytest.mark.parametrize("catalogue", [features.FORECAST, features.OBSERVED], ids=["forecast", "observed"])
def test_every_feature_says_what_it_is(catalogue: tuple[features.Feature, ...]) -> None:
    names = features.names(catalogue)
    assert len(set(names)) == len(names)
    for feature in catalogue:
        for words in (feature.name, feature.unit, feature.sentence, feature.theme):
            assert words
            assert words.strip() == words
        assert feature.sentence.endswith(".")
        assert feature.expression.meta.output_name() == feature.name


@law
@given(seeds, st.integers(1, 30))
def test_features_are_numbers_or_unknown_and_never_infinite(seed: int, count: int) -> None:
    past = posts(count, seed, days=20, authors=2)
    readings = pl.concat([readings_of(past, seed), read_at_posting(past)])
    for window in forecast_windows:
        frame = told(past, history_of(past, follower_readings(9, seed)), window, readings)
        assert frame.schema == dict.fromkeys(features.names(features.of_window(window)), pl.Float64)
        assert all(column.drop_nulls().is_finite().all() for column in frame)
    assert np.isnan(features.matrix(targets_of(past), (features.FORECAST[0],))).sum() == 0
