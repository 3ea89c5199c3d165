"""What the past says of a video, against loops over dictionaries written from the words of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from groundswell.stages.features.history import MOST_HASHTAGS, add_history
from tests.made_up_posts import DAY, HOUR, LABEL_AGE, START, Post, follower_readings, history_of, posts, targets_of

Told = dict[str, Any]


def mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def quantile(values: Sequence[float], share: float) -> float | None:
    if not values:
        return None
    ordered, place = sorted(values), share * (len(values) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def spread(values: Sequence[float]) -> float | None:
    if len(values) < 3:
        return None
    middle = sum(values) / len(values)
    return math.sqrt(sum((value - middle) ** 2 for value in values) / (len(values) - 1))


def weighted(values: Sequence[float], half_life: float) -> float | None:
    """The newest value weighs 1, the one before 0.5^(1/half-life), and so on."""
    weights = [math.pow(0.5, age / half_life) for age in range(len(values))][::-1]
    if not values:
        return None
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)


def days_between(earlier: datetime | None, later: datetime) -> float | None:
    return None if earlier is None else (later - earlier).total_seconds() / 86_400


def hashtags_of(post: Post) -> list[str]:
    found: list[str] = []
    for tag in (post["hashtags"] or [])[:MOST_HASHTAGS]:
        if tag is not None and tag.lower() not in found:
            found.append(tag.lower())
    return found


def lift(values: Sequence[float], most: int, level: float | None) -> float | None:
    """The newest `most` above the level, as if ten more had stood at it."""
    newest = list(values)[-most:]
    return None if level is None else sum(value - level for value in newest) / (len(newest) + 10)


def slow_history(target: Post, age: timedelta, past: Sequence[Post], followers: Sequence[Post]) -> Told:
    moment = target["posted_at"] + age
    matured = sorted(
        (post for post in past if post["views"] is not None and post["posted_at"] + LABEL_AGE <= moment),
        key=lambda post: (post["posted_at"], post["key"]),
    )
    here = [post for post in matured if post["platform"] == target["platform"]]

    def logs(chosen: Callable[[Post], bool]) -> list[float]:
        return [math.log1p(post["views"]) for post in here if chosen(post)]

    everyone = logs(lambda post: True)
    level = mean(everyone[-1_000:])
    told = {
        "platform_level": level,
        "platform_level_lately": mean(everyone[-200:]),
        "platform_level_now": mean(everyone[-50:]),
    }
    sounds = logs(lambda post: target["sound_name"] is not None and post["sound_name"] == target["sound_name"])
    told["sound_videos"] = min(len(sounds), 200) or None
    told["sound_total"] = sum(sounds[-200:]) if sounds else None
    told["sound_lift"] = lift(sounds, 200, level)
    return (
        told
        | slow_creator(target, here)
        | slow_hashtags(target, logs, level)
        | slow_posting(target, moment, past, followers)
    )


def slow_creator(target: Post, here: Sequence[Post]) -> Told:
    own = [post for post in here if target["author"] is not None and post["author"] == target["author"]]
    values = [math.log1p(post["views"]) for post in own]
    known = [post["engagement"] for post in own if post["engagement"] is not None]
    last = own[-1] if own else None
    matured_at = last["posted_at"] if last else None
    return {
        "creator_videos": min(len(own), 500) or None,
        "creator_mean": mean(values[-500:]),
        "creator_median": quantile(values[-20:], 0.5),
        "creator_lower_quartile": quantile(values[-20:], 0.25),
        "creator_upper_quartile": quantile(values[-20:], 0.75),
        "creator_spread": spread(values[-20:]),
        "creator_last_few": mean(values[-5:]),
        "creator_last": values[-1] if values else None,
        "creator_second_last": values[-2] if len(values) > 1 else None,
        "creator_best": max(values[-500:], default=None),
        "creator_worst": min(values[-500:], default=None),
        "creator_weighted": weighted(values, 3),
        "creator_weighted_long": weighted(values, 10),
        "creator_engagement": weighted(known, 10),
        "creator_engagement_last": last["engagement"] if last else None,
        "creator_engagement_lately": mean([post["engagement"] for post in own[-5:] if post["engagement"] is not None]),
        "creator_low": quantile(values[-50:], 0.1),
        "creator_high": quantile(values[-50:], 0.9),
        "creator_median_long": quantile(values[-50:], 0.5),
        "creator_spread_long": spread(values[-50:]),
        "creator_best_lately": max(values[-5:], default=None),
        "creator_worst_lately": min(values[-5:], default=None),
        "creator_just_now": weighted(values, 1),
        "creator_long_run": weighted(values, 20),
        "creator_matured_at": matured_at,
        "days_since_matured": days_between(matured_at, target["posted_at"]),
    }


def slow_hashtags(target: Post, logs: Callable[[Callable[[Post], bool]], list[float]], level: float | None) -> Told:
    lifts, uses = [], []
    for tag in hashtags_of(target):
        values = logs(lambda post, tag=tag: tag in hashtags_of(post))  # type: ignore[misc]
        lifts.append(lift(values, 50, level))
        uses.append(math.log1p(min(len(values), 50)))
    known = [value for value in lifts if value is not None]
    return {
        "hashtag_lift": mean(known),
        "hashtag_lift_best": max(known, default=None),
        "hashtag_lift_worst": min(known, default=None),
        "hashtag_uses": mean(uses),
    }


def slow_posting(target: Post, moment: datetime, past: Sequence[Post], followers: Sequence[Post]) -> Told:
    own = (target["platform"], target["author"])
    times = [
        post["posted_at"]
        for post in past
        if own[1] is not None and (post["platform"], post["author"]) == own and post["posted_at"] < target["posted_at"]
    ]
    seen = [
        (row["observed_at"], row["author_followers"])
        for row in followers
        if own[1] is not None
        and (row["platform"], row["author"]) == own
        and row["observed_at"] is not None
        and row["observed_at"] <= moment
    ]
    return {
        "immature_posts": sum(at + LABEL_AGE > moment for at in times),
        "posts_lately": sum(at > target["posted_at"] - 30 * DAY for at in times),
        "creator_posts": min(len(times), 500),
        "days_since_post": days_between(max(times, default=None), target["posted_at"]),
        "followers": max(seen)[1] if seen else None,
    }


def compare(past: Sequence[Post], targets: Sequence[Post], age: timedelta, followers: Sequence[Post] = ()) -> None:
    frame = targets_of(targets, age)
    found = add_history(frame, history_of(past, followers, seed=1), LABEL_AGE)
    assert found["key"].to_list() == [target["key"] for target in targets]
    for row, target in zip(found.to_dicts(), targets, strict=True):
        slow = slow_history(target, age, past, followers)
        assert row.keys() == {*frame.columns, *slow}
        for name, value in slow.items():
            if isinstance(value, float):
                assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-9), (name, target)
            else:
                assert row[name] == value, (name, target)


@pytest.mark.parametrize("age", [timedelta(0), HOUR, 6 * HOUR, DAY], ids=["publish", "1h", "6h", "24h"])
@pytest.mark.parametrize("seed", range(6))
def test_the_past_equals_its_loops(seed: int, age: timedelta) -> None:
    past = posts(120, seed, days=20 + 10 * seed, authors=2 + seed)
    compare(past, past, age, follower_readings(40, seed))


@pytest.mark.parametrize("days", [0.2, 1, 400])
def test_posts_all_at_once_and_posts_far_apart_equal_the_loops(days: float) -> None:
    past = posts(60, 11, days=days, authors=2)
    later = [{**post, "key": f"later{post['key']}", "posted_at": post["posted_at"] + 5 * DAY} for post in past]
    compare(past, [*past, *later], HOUR)


def test_every_computation_stops_at_its_cap() -> None:
    past = posts(2_800, 3, days=90, authors=2, busiest=0.6)
    newest = sorted(past, key=lambda post: post["posted_at"])
    caps = slow_history(newest[-1], timedelta(0), past, ())
    assert caps["creator_videos"] == caps["creator_posts"] == 500
    assert caps["sound_videos"] == 200
    compare(past, newest[-40::3], timedelta(0))


def test_a_planned_video_that_was_never_stored_has_the_same_past() -> None:
    past = posts(150, 5)
    target = {**past[0], "key": "planned", "posted_at": START + 50 * DAY}
    compare(past, [target], timedelta(0), follower_readings(30, 5))


def test_without_any_past_nothing_is_known() -> None:
    target = posts(1, 1)[0] | {"author": "ann", "sound_name": "song", "hashtags": ["fyp"]}
    compare([], [target], timedelta(0))
    compare([target], [target], timedelta(0))


def test_a_post_speaks_from_the_moment_at_which_it_matures() -> None:
    target, other = posts(2, 2)
    for late, count in ((-1, 1), (0, 1), (1, 0)):
        other |= {"author": "ann", "platform": "tiktok", "views": 9, "posted_at": START + timedelta(microseconds=late)}
        target |= {"author": "ann", "platform": "tiktok", "posted_at": START + LABEL_AGE}
        found = add_history(targets_of([target]), history_of([other]), LABEL_AGE).row(0, named=True)
        assert (found["creator_videos"] or 0, found["immature_posts"]) == (count, 1 - count)


def test_a_hashtag_twice_in_a_caption_counts_once_whatever_its_letter_case() -> None:
    past = [post | {"platform": "tiktok", "hashtags": ["Fyp", "fyp", "FYP"], "views": 99} for post in posts(8, 4)]
    target = past[0] | {"hashtags": ["fYp", "fyp"], "posted_at": START + 80 * DAY}
    found = add_history(targets_of([target]), history_of(past), LABEL_AGE).row(0, named=True)
    assert found["hashtag_uses"] == pytest.approx(math.log1p(8), abs=1e-9)
    assert found["hashtag_lift"] == pytest.approx(0, abs=1e-9)


def test_hashtags_beyond_the_most_are_not_looked_at() -> None:
    tags = [f"tag{number}" for number in range(MOST_HASHTAGS)]
    past = [post | {"platform": "tiktok", "hashtags": [*tags, "rare"], "views": 99} for post in posts(8, 4)]
    target = past[0] | {"hashtags": ["rare"], "posted_at": START + 80 * DAY}
    assert add_history(targets_of([target]), history_of(past), LABEL_AGE)["hashtag_uses"].to_list() == [0]
    seen, unseen = ([*tags[:29], name, "rare"] for name in ("x", "rare"))
    for own, uses in ((seen, 29), (unseen, 29)):
        told = add_history(targets_of([target | {"hashtags": own}]), history_of(past), LABEL_AGE)
        assert told["hashtag_uses"].item() == pytest.approx(uses / 30 * math.log1p(8), abs=1e-9)


def test_of_two_readings_of_followers_at_one_moment_the_greater_stays_and_later_ones_are_unknown() -> None:
    target = posts(1, 1)[0] | {"author": "ann", "platform": "tiktok"}
    at = target["posted_at"]
    times = [(at - DAY, 9), (at, 5), (at, 7), (at, 6), (at + timedelta(microseconds=1), 99), (None, 99)]
    seen = [
        {"platform": "tiktok", "author": "ann", "observed_at": when, "author_followers": count} for when, count in times
    ]
    seen += [{**row, "platform": "youtube", "author_followers": 1_000} for row in seen]
    assert add_history(targets_of([target]), history_of([], seen), LABEL_AGE)["followers"].to_list() == [7]


@pytest.mark.parametrize("views", [1, 1_000, 10**12])
def test_equal_views_have_no_spread(views: int) -> None:
    wild = [post | {"platform": "tiktok", "author": "ann"} for post in posts(60, 9)]
    even = [
        post | {"key": f"even{number}", "views": views, "posted_at": START + 70 * DAY + number * HOUR}
        for number, post in enumerate(wild)
    ]
    target = wild[0] | {"posted_at": START + 90 * DAY}
    found = add_history(targets_of([target]), history_of([*wild, *even]), LABEL_AGE).row(0, named=True)
    assert found["creator_spread"] == pytest.approx(0, abs=1e-6)
    assert np.isfinite(found["creator_spread"])
    assert found["creator_median"] == pytest.approx(math.log1p(views), abs=1e-9)
