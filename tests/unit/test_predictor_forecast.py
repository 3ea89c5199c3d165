"""The answering loop of the forecast windows: what a plan says is enough, and nothing later than it may speak."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from groundswell.errors import NoChampionError, StaleModelError
from groundswell.jobs.collection import stored_collection
from groundswell.jobs.context import Context
from groundswell.jobs.forecast_material import mature_videos
from groundswell.jobs.ingest import ingest
from groundswell.jobs.retrain import retrain
from groundswell.predictor import Prediction, Predictor, Refusal, answer
from groundswell.records import Window
from groundswell.stages import features
from groundswell.stages.maturity import LabelAge
from groundswell.store import tables
from groundswell.store.database import Database
from tests.made_up import context_of
from tests.made_up_forecast import AS_OF, DAY, EASY, HOUR, iso, made_up, written

#: What a plan has.
PLAN: dict[str, Any] = {
    "platform": "tiktok",
    "author": "creator3",
    "description": "how to fold a paper crane #diy #cat",
    "hashtags": ["diy", "cat"],
    "soundName": "Paper Moon",
    "durationSeconds": 24,
    "postedAt": iso(AS_OF + 3 * HOUR),
}
POSTED = AS_OF - 2 * DAY
#: A video that was posted, which nobody stored.
POSTED_VIDEO = PLAN | {"postedAt": iso(POSTED), "platformVideoId": "new"}
SIX = Window.HOUR_6


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """A context with 500 stored videos and champions of `publish` and 6h: look, do not teach."""
    home = tmp_path_factory.mktemp("home")
    database = Database(f"sqlite:///{home / 'groundswell.db'}")
    database.prepare()
    made = context_of(home, database, **EASY)
    ingest(database, made.settings, made_up(500).write(home / "exports"), as_of=AS_OF)
    for window in (Window.PUBLISH, SIX):
        assert retrain(made, window, AS_OF).status == "completed"
    yield made
    database.dispose()


def ask(
    context: Context, *videos: Any, window: Window = Window.PUBLISH, at: datetime = AS_OF, reasons: bool = False
) -> list[Prediction | Refusal]:
    return Predictor(context.database, context.artifacts).predict(videos, window, at, reasons=reasons)


def predicted(
    context: Context, video: Any, window: Window = Window.PUBLISH, at: datetime = AS_OF, *, reasons: bool = False
) -> Prediction:
    (found,) = ask(context, video, window=window, at=at, reasons=reasons)
    assert isinstance(found, Prediction), found
    return found


def refused(context: Context, video: Any, window: Window = Window.PUBLISH, at: datetime = AS_OF) -> Refusal:
    (found,) = ask(context, video, window=window, at=at)
    assert isinstance(found, Refusal), found
    assert found.hint
    return found


def values(context: Context, prediction: Prediction, window: Window = Window.PUBLISH) -> dict[str, Any]:
    """Return the features that were logged with the prediction, by name."""
    with context.database.read() as connection:
        statement = sa.select(tables.predictions.c.features).where(tables.predictions.c.id == prediction.prediction_id)
        logged = connection.execute(statement).scalar_one()
    return dict(zip(features.names(features.of_window(window)), logged, strict=True))


def known(value: Any) -> bool:
    return value is not None and not math.isnan(value)


# --- publish ------------------------------------------------------------------------------------------------------


def test_a_plan_is_enough_and_the_history_is_looked_up(context: Context) -> None:
    found = predicted(context, PLAN)
    assert (found.window, found.model_version) == (Window.PUBLISH, 1)
    assert sum(found.probabilities) == pytest.approx(1)
    assert found.range.low <= found.tier <= found.range.high
    assert found.range.probability == pytest.approx(
        sum(found.probabilities[found.range.low - 1 : found.range.high]), abs=1e-5
    )
    assert found.reasons is None
    seen = values(context, found)
    assert seen["creatorVideos"] > 0
    assert all(
        known(seen[name]) for name in ("creatorMedian", "soundLift", "hashtagLift", "platformLevel", "followers")
    )


@pytest.mark.parametrize(
    ("changed", "unknown"),
    [
        ({}, []),
        ({"author": "nobody"}, ["creatorMedian", "followers", "daysSincePost"]),
        ({"author": None}, ["creatorMedian", "followers", "daysSincePost"]),
        ({"soundName": None}, []),
        ({"soundName": "never heard"}, []),
        ({"description": None}, []),
        ({"description": ""}, []),
        ({"hashtags": None}, ["hashtagLift"]),
        ({"hashtags": []}, ["hashtagLift"]),
        ({"hashtags": [f"tag{number}" for number in range(500)]}, []),
        ({"durationSeconds": None}, ["duration"]),
        ({"platform": "elsewhere"}, ["platformLevel", "creatorMedian"]),
        ({"postedAt": iso(AS_OF)}, []),
        ({"postedAt": None}, []),
        ({"postedAt": iso(AS_OF + 30 * DAY)}, []),
        ({"postedAt": "2025-06-10T12:00:00"}, []),
        ({"postedAt": iso(AS_OF - 60 * DAY)}, []),
        ({"views": 5, "likes": 1}, []),
    ],
    ids=lambda given: (
        ",".join(f"{name}={str(value)[:12]}" for name, value in given.items()) if isinstance(given, dict) else ""
    ),
)
def test_what_a_plan_leaves_out_is_unknown(context: Context, changed: dict[str, Any], unknown: list[str]) -> None:
    found = predicted(context, PLAN | changed)
    assert sum(found.probabilities) == pytest.approx(1)
    assert found.range.low <= found.tier <= found.range.high
    seen = values(context, found)
    assert [name for name in unknown if known(seen[name])] == []


def test_nothing_at_all_is_a_plan(context: Context) -> None:
    found = predicted(context, {})
    assert values(context, found)["hour"] == AS_OF.hour


def test_counters_do_not_move_a_forecast_at_publish(context: Context) -> None:
    bare, counted = predicted(context, PLAN), predicted(context, PLAN | {"views": 10**9, "likes": 10**8})
    assert bare.probabilities == counted.probabilities


def test_500_hashtags_are_looked_at_up_to_30(context: Context) -> None:
    tags = ["diy", "cat", *(f"tag{number}" for number in range(498))]
    many, some = (values(context, predicted(context, PLAN | {"hashtags": tags[:count]})) for count in (500, 30))
    assert (many.pop("hashtagCount"), some.pop("hashtagCount")) == (500, 30)
    assert many == some


@pytest.mark.parametrize("ahead", [367 * DAY, 730 * DAY])
def test_a_plan_in_the_far_future_is_refused(context: Context, ahead: timedelta) -> None:
    found = refused(context, PLAN | {"postedAt": iso(AS_OF + ahead)})
    assert "The time lies more than 366 days ahead" in found.error
    assert "postedAt=" in found.error


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"postedAt": "tomorrow"}, "postedAt=tomorrow"),
        ({"postedAt": "1999-01-01T00:00:00Z"}, "before 2005"),
        ({"durationSeconds": -3}, "below zero"),
        ({"description": "x" * 10_001}, "10,000 characters"),
        ({"hashtags": ["x"] * 1_001}, "1,000 hashtags"),
        ({"hashtags": 5}, "hashtags=5"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_what_cannot_be_read_is_refused_by_name(context: Context, changed: dict[str, Any], said: str) -> None:
    assert said in refused(context, PLAN | changed).error


def test_a_time_without_a_zone_is_utc(context: Context) -> None:
    times = ("2025-06-10T12:00:00", "2025-06-10T12:00:00Z", "2025-06-10T14:00:00+02:00")
    first, *others = (predicted(context, PLAN | {"postedAt": time}) for time in times)
    assert [one.probabilities for one in others] == [first.probabilities] * 2
    assert values(context, first)["hour"] == 12


def test_a_plan_in_the_past_knows_nothing_that_came_later(context: Context) -> None:
    early, late = (
        values(context, predicted(context, PLAN | {"postedAt": iso(AS_OF - days * DAY)})) for days in (100, 1)
    )
    assert 0 < early["creatorVideos"] < late["creatorVideos"]


def test_a_stored_video_is_not_its_own_past(context: Context) -> None:
    _, learnt, _ = mature_videos(stored_collection(context.database), Window.PUBLISH, context.settings, AS_OF)
    row = learnt.row(learnt.height // 2, named=True)
    video = {
        "platform": row["platform"],
        "platformVideoId": row["key"].partition(":")[2],
        "author": row["author"],
        "description": row["description"],
        "hashtags": row["hashtags"],
        "soundName": row["sound_name"],
        "durationSeconds": row["duration_seconds"],
        "postedAt": iso(row["posted_at"]),
    }
    seen = values(context, predicted(context, video))
    catalogue = features.of_window(Window.PUBLISH)
    trained = features.compute(learnt[learnt.height // 2 : learnt.height // 2 + 1], catalogue).row(0, named=True)
    wrong = {
        name: (seen[name], value)
        for name, value in trained.items()
        if (seen[name] is None) != (value is None)
        or (value is not None and seen[name] != pytest.approx(value, rel=1e-6, abs=1e-6))
    }
    assert wrong == {}


def test_stated_followers_count_where_they_were_known_by_then(context: Context) -> None:
    def followers(**changed: Any) -> float:
        found = predicted(context, PLAN | changed)
        return float(values(context, found)["followers"])

    stored = followers()
    stated = followers(authorFollowers=10**9)
    assert stated > 20 > stored
    old = {"postedAt": iso(AS_OF - 60 * DAY)}
    assert followers(**old, authorFollowers=10**9) == followers(**old), "they are today's, not those of then"
    then = {"authorFollowers": 10**9, "scrapedAt": iso(AS_OF - 61 * DAY)}
    assert followers(**old, **then) > 20


# --- reasons ------------------------------------------------------------------------------------------------------


def test_reasons_are_words_and_numbers_largest_first(context: Context) -> None:
    told = predicted(context, PLAN, reasons=True).reasons
    assert told
    assert len(told) <= 3
    sizes = [abs(reason.points) for reason in told]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= 0.5
    names = features.names(features.of_window(Window.PUBLISH))
    for reason in told:
        assert reason.feature in names
        points, _, words = reason.text.partition(" points by ")
        assert float(points) == pytest.approx(reason.points, abs=0.06)
        assert points[0] in "+-"
        assert words.startswith(f"{reason.theme}: ")
        assert ", typical " in reason.text
    assert len({reason.theme for reason in told}) == len(told)
    body = answer([predicted(context, PLAN, reasons=True)])["predictions"][0]
    assert set(body["reasons"][0]) == {"theme", "points", "feature", "value", "typical", "text"}


def test_reasons_do_not_change_the_forecast_and_are_left_out_unasked(context: Context) -> None:
    plain, told = predicted(context, PLAN), predicted(context, PLAN, reasons=True)
    assert (plain.reasons, plain.probabilities) == (None, told.probabilities)
    early = predicted(context, POSTED_VIDEO | {"views": 10**7, "scrapedAt": iso(POSTED + HOUR)}, SIX, reasons=True)
    assert early.reasons
    assert early.reasons[0].theme == "reception"
    assert early.reasons[0].points > 0


# --- early windows ------------------------------------------------------------------------------------------------


def test_a_reading_in_the_request_counts(context: Context) -> None:
    low, high = (
        predicted(context, POSTED_VIDEO | {"views": views, "scrapedAt": iso(POSTED + 5 * HOUR)}, SIX)
        for views in (10, 10**7)
    )
    assert low.score < high.score
    seen = values(context, high, SIX)
    assert (seen["earlyReadings"], seen["earlyViews"]) == (1, pytest.approx(16.118, abs=1e-3))
    assert not known(seen["earlyLikes"])


def test_without_a_reading_it_is_refused_and_not_taken_for_zero(context: Context) -> None:
    found = refused(context, POSTED_VIDEO, SIX)
    assert found.error == "There is no reading of this video within 6h of its posting."
    assert "scrapedAt" in found.hint
    zero = predicted(context, POSTED_VIDEO | {"views": 0, "scrapedAt": iso(POSTED + HOUR)}, SIX)
    assert values(context, zero, SIX)["earlyViews"] == 0


@pytest.mark.parametrize(
    ("age", "views"),
    [(-1.0, 500), (6.5, 500), (90.0, 500), (5.0, None)],
    ids=["before the posting", "after the window", "as an outcome", "no views"],
)
def test_a_reading_that_does_not_count_is_none(context: Context, age: float, views: int | None) -> None:
    video = POSTED_VIDEO | {"views": views, "scrapedAt": iso(POSTED + age * HOUR)}
    # A reading at 90 h lies in the future of AS_OF − 2 days: ask later.
    found = refused(context, video, SIX, AS_OF + 5 * DAY)
    assert "no reading of this video within 6h" in found.error


def test_a_reading_of_now_counts_while_the_window_is_open(context: Context) -> None:
    video = POSTED_VIDEO | {"views": 500, "postedAt": iso(AS_OF - 2 * HOUR)}
    seen = values(context, predicted(context, video, SIX), SIX)
    assert seen["earlyAge"] == pytest.approx(1.0986, abs=1e-3)  # log(1 + 2)
    assert "no reading" in refused(context, POSTED_VIDEO | {"views": 500}, SIX).error


def test_an_unposted_or_undated_video_is_refused_by_an_early_window(context: Context) -> None:
    assert refused(context, {**PLAN, "postedAt": None, "views": 5}, SIX).error == "postedAt is missing."
    ahead = refused(context, PLAN | {"postedAt": iso(AS_OF + HOUR), "views": 5}, SIX)
    assert "ahead" in ahead.error


def test_stored_readings_are_found_by_the_id(context: Context) -> None:
    _, learnt, _ = mature_videos(stored_collection(context.database), SIX, context.settings, AS_OF)
    row = learnt.row(learnt.height // 2, named=True)
    video = {"platform": row["platform"], "platformVideoId": row["key"].partition(":")[2]}
    found = predicted(context, video | {"postedAt": iso(row["posted_at"])}, SIX)
    seen = values(context, found, SIX)
    assert seen["earlyReadings"] == row["early_readings"]
    assert seen["earlyViews"] == pytest.approx(math.log1p(row["early_views"]))


def test_readings_that_fall_or_fall_together_have_a_defined_answer(context: Context) -> None:
    bare = {"platform": "tiktok", "platform_video_id": "falling"}
    counters = {"likes": None, "comments": None, "shares": None, "saves": None}
    with context.database.begin() as connection:
        for age, views in ((1, 900), (2, 400), (4, 300), (4, 800)):
            row = {"observed_at": POSTED + age * HOUR, "views": views, "recorded_at": AS_OF}
            if (age, views) != (4, 800):
                connection.execute(sa.insert(tables.snapshots), bare | counters | row)
    video = POSTED_VIDEO | {"platformVideoId": "falling"}
    alone = values(context, predicted(context, video, SIX), SIX)
    assert (alone["earlyReadings"], alone["earlyViews"]) == (3, pytest.approx(5.7071, abs=1e-3))
    assert alone["earlyGrowth"] < 0
    # A second reading at the same moment, in the request: the one of more views stays.
    twice = predicted(context, video | {"views": 800, "scrapedAt": iso(POSTED + 4 * HOUR)}, SIX)
    seen = values(context, twice, SIX)
    assert (seen["earlyReadings"], seen["earlyViews"]) == (3, pytest.approx(6.6859, abs=1e-3))


def test_good_and_bad_are_answered_in_order(context: Context) -> None:
    read = POSTED_VIDEO | {"views": 700, "scrapedAt": iso(POSTED + HOUR)}
    unread = POSTED_VIDEO | {"platformVideoId": "unread"}
    found = ask(context, read, unread, None, read | {"likes": -1}, read, 7, {}, window=SIX)
    expected = [Prediction, Refusal, Refusal, Refusal, Prediction, Refusal, Refusal]
    assert [type(one) for one in found] == expected
    first, fifth = found[0], found[4]
    assert isinstance(first, Prediction)
    assert isinstance(fifth, Prediction)
    assert first.probabilities == fifth.probabilities
    alone = predicted(context, read, SIX)
    assert alone.probabilities == pytest.approx(first.probabilities)


def test_two_readings_of_one_video_in_a_request_are_answered_each_for_itself(context: Context) -> None:
    read = [POSTED_VIDEO | {"views": views, "scrapedAt": iso(POSTED + HOUR)} for views in (10, 10**6)]
    both = ask(context, *read, window=SIX)
    alone = [predicted(context, video, SIX) for video in read]
    assert [one.probabilities for one in both if isinstance(one, Prediction)] == [
        pytest.approx(one.probabilities) for one in alone
    ]


def test_two_plans_in_one_request_do_not_see_each_other(context: Context) -> None:
    later = PLAN | {"postedAt": iso(AS_OF + 10 * DAY)}
    both = ask(context, PLAN, later)
    alone = [predicted(context, PLAN), predicted(context, later)]
    assert [one.probabilities for one in both if isinstance(one, Prediction)] == [
        pytest.approx(one.probabilities) for one in alone
    ]


def test_lines_without_a_champion_say_what_to_run(context: Context) -> None:
    with pytest.raises(NoChampionError) as caught:
        ask(context, PLAN, window=Window.HOUR_24)
    assert "groundswell retrain --window 24h" in caught.value.hint


def test_another_label_age_makes_the_champion_stale(context: Context) -> None:
    other = Predictor(context.database, context.artifacts, LabelAge(timedelta(hours=100)))
    with pytest.raises(StaleModelError, match="age of 72 h, GROUNDSWELL_LABEL_AGE says 100 h"):
        other.predict([PLAN], Window.PUBLISH, AS_OF)


def test_what_was_ingested_since_the_retrain_is_looked_up(context: Context) -> None:
    before = values(context, predicted(context, PLAN | {"author": "fresh"}))
    row = {
        "platform": "tiktok",
        "platform_video_id": "fresh1",
        "author": "fresh",
        "views": 5_000,
        "likes": 50,
        "posted_at": iso(AS_OF - 6 * DAY),
        "scraped_at": iso(AS_OF - 2 * DAY),
    }
    path = written(context.settings.home / "fresh.jsonl", [row])
    ingest(context.database, context.settings, [path], as_of=AS_OF)
    after = values(context, predicted(context, PLAN | {"author": "fresh"}))
    assert (before["creatorVideos"], after["creatorVideos"]) == (0, 1)
    assert after["creatorMedian"] == pytest.approx(8.5174, abs=1e-3)


def test_what_is_stored_of_a_video_need_not_be_said_again(context: Context) -> None:
    posts = stored_collection(context.database).posts.sort("posted_at")
    known = posts.filter(
        posts["author"].is_not_null() & posts["description"].is_not_null() & posts["duration_seconds"].is_not_null()
    ).to_dicts()[-1]
    platform, video = known["key"].split(":", maxsplit=1)
    named = {"platform": platform, "platformVideoId": video}
    told = named | {
        "author": known["author"],
        "description": known["description"],
        "hashtags": known["hashtags"],
        "soundName": known["sound_name"],
        "durationSeconds": known["duration_seconds"],
        "postedAt": known["posted_at"].isoformat(),
    }
    assert predicted(context, named).probabilities == predicted(context, told).probabilities
    # What is said counts, all the same.
    assert predicted(context, named | {"author": "nobody"}).probabilities != predicted(context, named).probabilities
