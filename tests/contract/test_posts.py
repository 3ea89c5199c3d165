"""What was posted, every reading of it, and the looking up of the past, the same on both databases."""

from __future__ import annotations

import json
import random
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from groundswell.frames import MOMENT, STORED_VIDEO_SCHEMA
from groundswell.store import corpus, posts, posts_lookup, tables
from groundswell.store.database import Columns, Database
from groundswell.store.posts import POSTS_SCHEMA, TAGS_SCHEMA, State
from groundswell.store.posts_lookup import Limits, Past
from groundswell.store.readings import READINGS_SCHEMA, readings

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS_3 = timedelta(days=3)
STATE = State(259_200, None, 7)
LIMITS = Limits(author=6, matured=5, sound=4, tag=3, platform=9)


# --- what is stored -----------------------------------------------------------------------------------------------


def add_video(database: Database, video_id: str | None, **values: Any) -> str:
    row_id = str(uuid.uuid4())
    row = {"id": row_id, "platform": "tiktok", "platform_video_id": video_id, "created_at": NOON, **values}
    with database.begin() as connection:
        connection.execute(sa.insert(tables.scraped_videos), row)
    return row_id


def add_snapshot(database: Database, video_id: str, at: datetime | None, views: int | None, **values: Any) -> None:
    row = {"platform": "tiktok", "platform_video_id": video_id, "observed_at": at, "views": views, "recorded_at": NOON}
    with database.begin() as connection:
        connection.execute(sa.insert(tables.snapshots), row | values)


def lay_raw(database: Database, column: str, value: str, video_id: str) -> None:
    """Write what SQLite, which knows no types, lets somebody else write."""
    with database.begin() as connection:
        statement = f"update scraped_videos set {column} = ? where platform_video_id = ?"
        connection.exec_driver_sql(statement, (value, video_id))


def test_posted_gives_every_video_and_what_can_be_read_of_it(database: Database) -> None:
    metadata = {"uploaded_at": "2025-05-30T10:00:00Z", "source": "apify", "followers": 5}
    add_video(
        database,
        "1",
        author="ann",
        description="né",
        sound_name="song",
        hashtags=["fyp", "#dänce ", "a b", '"'] * 2,
        duration_seconds=15,
        metadata=metadata,
        archived_at=NOON,
    )
    row_id = add_video(database, None, platform=None, hashtags=[], duration_seconds=-1, metadata={"uploaded_at": "?"})
    found = corpus.posted(database).sort("platform_video_id", nulls_last=True)
    assert found.columns == [
        *("key", "platform", "platform_video_id", "author", "description", "sound_name", "hashtags"),
        *("duration_seconds", "posted_at", "source", "created_at"),
    ]
    assert all(found.schema[name] == STORED_VIDEO_SCHEMA[name] for name in found.columns)
    tags = ["fyp", "dänce", "a b", '"'] * 2
    posted_at = datetime(2025, 5, 30, 10, tzinfo=UTC)
    assert found.rows() == [
        ("tiktok:1", "tiktok", "1", "ann", "né", "song", tags, 15, posted_at, "apify", NOON),
        (row_id, "tiktok", None, None, None, None, [], None, None, None, NOON),
    ]
    newest = corpus.newest(database, 10, NOON)
    assert newest.is_empty()  # neither has views


def test_posted_of_an_empty_table(database: Database) -> None:
    assert corpus.posted(database).is_empty()
    assert corpus.posted(database, []).is_empty()
    assert readings(database).schema == pl.Schema(READINGS_SCHEMA)
    assert readings(database, ["tiktok:1"]).is_empty()


def test_posted_and_readings_of_some_keys(database: Database) -> None:
    for video_id in ("1", "2", "a:b", 'it\'s 100% \\ "odd"'):
        add_video(database, video_id, views=1)
        add_snapshot(database, video_id, NOON, 2)
    add_video(database, "1", platform="youtube")
    add_video(database, "8", platform=None)
    add_video(database, "9", platform="a:b")
    own = add_video(database, None)
    keys = ["tiktok:1", "tiktok:a:b", "tiktok:8", "a:b:9", own, 'tiktok:it\'s 100% \\ "odd"', "tiktok:nobody", "none"]
    every = corpus.posted(database)
    assert every.height == 8
    assert corpus.posted(database, keys).sort("key").equals(every.filter(pl.col("key").is_in(keys)).sort("key"))
    all_readings = readings(database)
    assert readings(database, keys).equals(all_readings.filter(pl.col("key").is_in(keys)))
    assert set(readings(database, keys)["key"]) == set(keys[:6])
    assert corpus.posted(database, []).is_empty()


def test_readings_are_one_a_moment_the_one_with_most_views(database: Database) -> None:
    at = NOON.isoformat()
    add_video(database, "1", views=50, likes=5, metadata={"scraped_at": at, "bookmarks": "7", "followers": 9.0})
    add_snapshot(database, "1", NOON, 40)
    add_snapshot(database, "1", NOON - HOUR, 60, likes=1, comments=2, shares=3, saves=4, author_followers=5)
    add_video(database, "2", views=10)
    for views in (30, None, 20):
        add_snapshot(database, "2", None, views)
    add_snapshot(database, "2", NOON, None)
    found = readings(database)
    assert found.schema == pl.Schema(READINGS_SCHEMA)
    assert found.rows() == [
        ("tiktok:1", NOON - HOUR, 60, 1, 2, 3, 4, 5),
        ("tiktok:1", NOON, 50, 5, None, None, 7, 9),
        ("tiktok:2", None, 30, None, None, None, None, None),
        ("tiktok:2", NOON, None, None, None, None, None, None),
    ]


@pytest.mark.parametrize("garbage", ["many", True, False, -1, 2.5, [1], {"a": 1}, "", None, 10**25], ids=str)
def test_garbage_in_metadata_is_unknown(database: Database, garbage: Any) -> None:
    entries = ("bookmarks", "followers", "uploaded_at", "scraped_at")
    # As text: a driver may refuse what somebody else's program wrote.
    add_video(database, "1", views=-3, likes=4)
    text = json.dumps(dict.fromkeys(entries, garbage))
    statement = "update scraped_videos set metadata = " + ("%s::jsonb" if database.is_postgres else "?")
    with database.begin() as connection:
        connection.exec_driver_sql(statement, (text,))
    assert readings(database).rows() == [("tiktok:1", None, None, 4, None, None, None, None)]
    assert corpus.posted(database)["posted_at"].to_list() == [None]


@pytest.mark.parametrize("metadata", ["null", '"text"', "[1, 2]", "3", "{}"])
def test_metadata_that_is_no_object_is_unknown(database: Database, metadata: str) -> None:
    add_video(database, "1", views=3)
    statement = "update scraped_videos set metadata = " + ("%s::jsonb" if database.is_postgres else "?")
    with database.begin() as connection:
        connection.exec_driver_sql(statement, (metadata,))
    assert readings(database).rows() == [("tiktok:1", None, 3, None, None, None, None, None)]
    assert corpus.posted(database)["source"].to_list() == [None]


def test_garbage_in_columns_without_types_is_unknown(sqlite_database: Database) -> None:
    add_video(sqlite_database, "1", views=3)
    add_video(sqlite_database, "2", views=4, hashtags=["kept"])
    for column in ("views", "duration_seconds", "metadata", "hashtags", "created_at"):
        lay_raw(sqlite_database, column, '{"broken', "1")
    lay_raw(sqlite_database, "likes", "2.5", "1")
    assert readings(sqlite_database)["views"].to_list() == [None, 4]
    assert readings(sqlite_database)["likes"].to_list() == [None, None]
    found = corpus.posted(sqlite_database).sort("key")
    assert found["hashtags"].to_list() == [None, ["kept"]]
    assert found.row(0)[-4:] == (None, None, None, None)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('["a", "b"]', ["a", "b"]),
        ('["é","b"]', ["é", "b"]),
        ('["\\u00e9", "#b", " "]', ["é", "b"]),
        ('[{"name": "a"}]', ["a"]),
        ("#a #b", ["a", "b"]),
        ("[1]", None),
        ("[]", []),
        ("", []),
    ],
    ids=range(8),
)
def test_hashtags_in_any_form(sqlite_database: Database, text: str, tags: list[str] | None) -> None:
    add_video(sqlite_database, "1", hashtags=["plain"], views=1, likes=1)
    add_video(sqlite_database, "2", views=1, likes=1)
    lay_raw(sqlite_database, "hashtags", text, "2")
    for found in (corpus.posted(sqlite_database), corpus.newest(sqlite_database, 9, NOON)):
        assert found.sort("key")["hashtags"].to_list() == [["plain"], tags]


def test_a_products_tables_are_read_and_stay_as_they_are(product_database: Database) -> None:
    add_video(product_database, "1", views=5, hashtags=["a"], metadata={"uploaded_at": "2025-05-30"})
    add_snapshot(product_database, "1", NOON, 6)
    assert corpus.posted(product_database)["key"].to_list() == ["tiktok:1"]
    assert readings(product_database, ["tiktok:1"])["views"].to_list() == [5, 6]
    some = made_up(20)
    posts.write(product_database, *some, STATE, everything=True)
    assert stored(product_database) == expected(*some)


# --- writing ------------------------------------------------------------------------------------------------------


def made_up(count: int, seed: int = 0, first: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Posts and tags with few authors, sounds and tags, many ties in time, and gaps."""
    draw = random.Random(seed)
    rows, tags = [], []
    for number in range(first, first + count):
        platform = draw.choice(["tiktok", "tiktok", "youtube"])
        posted_at = NOON - timedelta(hours=draw.randrange(0, 240, 6), microseconds=draw.choice([0, 0, 0, 1]))
        views = draw.choice([None, draw.randrange(10**12)])
        rows.append(
            (
                f"{platform}:{number}",
                platform,
                draw.choice([None, "ann", "bob", "cÿd", ""]),
                draw.choice([None, "song", 'so"ng, 2', "original\nsound"]),
                posted_at,
                views,
                draw.choice([None, draw.random()]) if views else None,
            )
        )
        drawn = draw.sample(["fyp", "a,b", "tänz", 'q"', "rare"], draw.randrange(4))
        tags += [(platform, tag, posted_at, f"{platform}:{number}") for tag in drawn]
    return (
        pl.DataFrame(rows, schema=POSTS_SCHEMA, orient="row"),
        pl.DataFrame(tags, schema=TAGS_SCHEMA, orient="row"),
    )


def stored(database: Database) -> tuple[set[Any], set[Any]]:
    with database.read() as connection:
        return (
            {tuple(row) for row in connection.execute(sa.select(*(tables.posts.c[name] for name in POSTS_SCHEMA)))},
            {tuple(row) for row in connection.execute(sa.select(*(tables.post_tags.c[name] for name in TAGS_SCHEMA)))},
        )


def expected(some: pl.DataFrame, tags: pl.DataFrame) -> tuple[set[Any], set[Any]]:
    with_outcome = some.filter(pl.col("views").is_not_null())["key"]
    return set(some.rows()), set(tags.filter(pl.col("key").is_in(with_outcome.implode())).rows())


def test_what_is_written_is_there(database: Database) -> None:
    assert posts.state(database) is None
    some = made_up(200)
    for _ in range(2):
        assert posts.write(database, *some, STATE, everything=True)
        assert stored(database) == expected(*some)
        assert posts.state(database) == STATE
    other = made_up(150, seed=1, first=100)
    longer = State(1, 2, 2**40)
    assert posts.write(database, *other, longer, everything=True)
    assert stored(database) == expected(*other)
    assert posts.state(database) == longer
    assert posts.write(database, other[0].clear(), other[1].clear(), STATE, everything=True)
    assert stored(database) == (set(), set())


def test_many_rows_are_written_with_the_same_indexes_as_few(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = indexes(database)
    monkeypatch.setattr(posts, "_MANY_ROWS", 10)
    some = made_up(200)
    posts.write(database, *some, STATE, everything=True)
    assert stored(database) == expected(*some)
    assert indexes(database) == before
    assert len(before) == 4


def indexes(database: Database) -> set[str]:
    statement = (
        "select indexdef from pg_indexes where tablename like 'post%' and indexname like '%\\_by\\_%'"
        if database.is_postgres
        else "select sql from sqlite_master where type = 'index' and sql is not null and tbl_name like 'post%'"
    )
    with database.read() as connection:
        return set(connection.exec_driver_sql(statement.replace("%", "%%" if database.is_postgres else "%")).scalars())


def test_some_posts_take_the_place_of_theirs(database: Database) -> None:
    some = made_up(100)
    posts.write(database, *some, STATE, everything=True)
    part = made_up(60, seed=2, first=70)
    later = State(259_200, None, 9)
    for _ in range(2):
        assert posts.write(database, *part, later, everything=False)
        kept = [frame.join(part[0], on="key", how="anti") for frame in some]
        assert stored(database) == expected(pl.concat([kept[0], part[0]]), pl.concat([kept[1], part[1]]))
        assert posts.state(database) == later


def test_a_post_that_lost_its_tags_and_outcome(database: Database) -> None:
    one, _ = made_up(1)
    one = one.with_columns(views=pl.lit(5, pl.Int64), engagement=pl.lit(float("nan")))
    tag = one.select("platform", pl.lit("fyp").alias("hashtag"), "posted_at", "key")
    posts.write(database, one, pl.concat([tag, tag]), STATE, everything=False)
    assert stored(database)[1] == set(tag.rows())
    assert [row[-1] for row in stored(database)[0]] == [None]
    posts.write(database, one.with_columns(views=pl.lit(None, pl.Int64)), tag, STATE, everything=False)
    assert stored(database)[1] == set()


def test_a_post_without_a_time_has_no_place(database: Database) -> None:
    some, tags = made_up(5)
    posts.write(database, some.with_columns(posted_at=pl.lit(None, MOMENT)), tags.clear(), STATE, everything=True)
    assert stored(database) == (set(), set())


def test_names_too_long_for_an_index_are_unknown(database: Database) -> None:
    some, _ = made_up(4)
    draw = random.Random(1)
    long = "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(4_000))
    some = some.with_columns(views=pl.lit(1, pl.Int64), author=pl.lit(long), sound_name=pl.lit(long[:160]))
    some = some.with_columns(key=pl.when(pl.int_range(4) == 0).then(pl.lit("tiktok:" + long)).otherwise("key"))
    tags = some.select("platform", pl.lit(long).alias("hashtag"), "posted_at", "key")
    posts.write(database, some, tags, STATE, everything=True)
    assert stored(database) == (set(some[1:].with_columns(author=pl.lit(None, pl.String)).rows()), set())


def test_a_part_of_another_label_age_is_left_out(database: Database) -> None:
    some = made_up(10)
    posts.write(database, *some, STATE, everything=True)
    for other in (State(1, None, 8), State(259_200, 5, 8)):
        assert not posts.write(database, *made_up(5, seed=3), other, everything=False)
    assert stored(database) == expected(*some)
    assert posts.state(database) == STATE


def test_several_may_write_at_once(database: Database) -> None:
    parts = [made_up(50, seed=seed, first=seed * 20) for seed in range(4)]
    failures: list[BaseException] = []

    def add(part: tuple[pl.DataFrame, pl.DataFrame], everything: bool) -> None:
        try:
            posts.write(database, *part, STATE, everything=everything)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(part, at == 0)) for at, part in enumerate(parts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    rows, tags = stored(database)
    known, all_tags = zip(*(expected(*part) for part in parts), strict=True)
    assert rows <= set().union(*known)
    assert len({row[0] for row in rows}) == len(rows)
    assert tags <= set().union(*all_tags)
    with_outcome = {row[0]: row[4] for row in rows if row[5] is not None}
    assert all(with_outcome[key] == posted_at for _, _, posted_at, key in tags)


def test_changed_since_names_each_video_once(database: Database) -> None:
    assert posts.changed_since(database, 0) == ([], 0)
    for video_id in ("b", "a", "b"):
        add_snapshot(database, video_id, None, 1)
    keys, newest = posts.changed_since(database, 0)
    assert keys == ["tiktok:a", "tiktok:b"]
    assert posts.changed_since(database, newest) == ([], newest)
    assert posts.changed_since(database, newest - 1) == (["tiktok:b"], newest)
    add_snapshot(database, "c", NOON, 1)
    assert posts.changed_since(database, newest) == (["tiktok:c"], newest + 1)


def test_a_snapshot_that_is_still_being_written_is_not_passed_over(postgres_database: Database) -> None:
    add_snapshot(postgres_database, "a", NOON, 1)
    row = {"platform": "tiktok", "platform_video_id": "slow", "recorded_at": NOON}
    with postgres_database.begin() as slow:
        slow.execute(sa.insert(tables.snapshots), row)
        add_snapshot(postgres_database, "quick", NOON, 1)
        assert posts.changed_since(postgres_database, 1) == (["tiktok:quick"], 1)
    assert posts.changed_since(postgres_database, 1) == (["tiktok:quick", "tiktok:slow"], 3)


# --- looking up ---------------------------------------------------------------------------------------------------


def target(moment: datetime = NOON, **values: Any) -> dict[str, Any]:
    return {"platform": "tiktok", "author": "ann", "sound_name": "song", "hashtags": ["fyp"], "moment": moment} | values


def targets_of(*rows: dict[str, Any]) -> pl.DataFrame:
    texts: Columns = dict.fromkeys(("platform", "author", "sound_name"), pl.String)
    return pl.DataFrame(list(rows), schema=texts | {"hashtags": pl.List(pl.String), "moment": MOMENT})


def slowly(some: pl.DataFrame, tags: pl.DataFrame, wanted: pl.DataFrame, limits: Limits) -> tuple[set[Any], set[Any]]:
    """The definition, one row at a time."""
    rows = sorted(some.to_dicts(), key=lambda row: (row["posted_at"], row["key"].encode()), reverse=True)
    tags_of: dict[str, set[str]] = {}
    for row in tags.to_dicts():
        tags_of.setdefault(row["key"], set()).add(row["hashtag"])
    found: set[str] = set()
    found_tags: set[Any] = set()
    for want in wanted.to_dicts():
        mine = [row for row in rows if row["platform"] == want["platform"]]
        matured = [row for row in mine if row["views"] is not None and row["posted_at"] <= want["moment"] - DAYS_3]
        known = [row for row in mine if row["posted_at"] <= want["moment"]]
        by_author = [row for row in known if want["author"] is not None and row["author"] == want["author"]]
        by_sound = [
            row for row in matured if want["sound_name"] is not None and row["sound_name"] == want["sound_name"]
        ]
        own = [row for row in by_author if row in matured]
        chosen = by_author[: limits.author] + own[: limits.matured]
        chosen += by_sound[: limits.sound] + matured[: limits.platform]
        found |= {row["key"] for row in chosen}
        for tag in want["hashtags"] or ():
            tagged = [row for row in matured if tag in tags_of.get(row["key"], ())][: limits.tag]
            found_tags |= {(row["platform"], tag, row["posted_at"], row["key"], row["views"]) for row in tagged}
    return {tuple(row.values()) for row in rows if row["key"] in found}, found_tags


def is_found(past: Past, oracle: tuple[set[Any], set[Any]]) -> None:
    assert past.posts.schema == pl.Schema(POSTS_SCHEMA)
    assert past.tags.schema == pl.Schema({**TAGS_SCHEMA, "views": pl.Int64})
    assert past.posts.height == past.posts["key"].n_unique()
    assert set(past.posts.rows()) == oracle[0]
    assert sorted(past.tags.rows()) == sorted(oracle[1])


def test_nothing_is_found_where_nothing_is(database: Database) -> None:
    for wanted in (targets_of(), targets_of(target())):
        is_found(posts_lookup.look_up(database, wanted, LIMITS, DAYS_3), (set(), set()))
        assert posts_lookup.followers(database, wanted).is_empty()


@pytest.mark.parametrize("limits", [LIMITS, Limits()], ids=["few", "usual"])
def test_look_up_finds_what_the_definition_says(database: Database, limits: Limits) -> None:
    some, tags = made_up(400)
    posts.write(database, some, tags, STATE, everything=True)
    draw = random.Random(5)
    choices: dict[str, list[Any]] = {
        "platform": ["tiktok", "youtube", "nowhere"],
        "author": ["ann", "cÿd", "", None, "nobody"],
        "sound_name": ["song", 'so"ng, 2', "original\nsound", None],
        "hashtags": [None, [], ["fyp", "fyp"], ["a,b", "tänz", 'q"', "rare", "none"]],
        "moment": [NOON - timedelta(hours=hours) for hours in (-100, 0, 30, 72, 150, 151)],
    }
    for count in (1, 1, 1, 1, 5, 40):
        wanted = targets_of(*({name: draw.choice(of) for name, of in choices.items()} for _ in range(count)))
        is_found(posts_lookup.look_up(database, wanted, limits, DAYS_3), slowly(some, tags, wanted, limits))


def test_limits_take_the_newest_and_then_the_greatest_key(database: Database) -> None:
    rows = [(f"tiktok:{key}", "tiktok", "ann", "song", NOON - DAYS_3, 1, 0.5) for key in "zBaAZ"]
    some = pl.DataFrame(rows, schema=POSTS_SCHEMA, orient="row")
    tags = some.select("platform", pl.lit("fyp").alias("hashtag"), "posted_at", "key")
    posts.write(database, some, tags, STATE, everything=True)
    past = posts_lookup.look_up(database, targets_of(target()), Limits(2, 2, 2, 2, 2), DAYS_3)
    assert past.posts["key"].to_list() == past.tags["key"].to_list() == ["tiktok:z", "tiktok:a"]
    early = targets_of(target(NOON - timedelta(microseconds=1)))
    past = posts_lookup.look_up(database, early, Limits(2, 2, 2, 2, 2), DAYS_3)
    assert past.posts["key"].to_list() == ["tiktok:z", "tiktok:a"]  # the author's, which need not have matured
    assert past.tags.is_empty()


def test_followers_are_the_newest_that_were_known(database: Database) -> None:
    rows = [
        (key, "tiktok", author, None, NOON - age * HOUR, None, None)
        for key, author, age in (
            ("tiktok:1", "ann", 9),
            ("tiktok:2", "ann", 5),
            ("tiktok:3", "bob", 5),
            ("x", "ann", 1),
        )
    ]
    some = pl.DataFrame(rows, schema=POSTS_SCHEMA, orient="row")
    posts.write(database, some, pl.DataFrame(schema=TAGS_SCHEMA), STATE, everything=True)
    for video_id, age, count in (("1", 4, 100), ("1", 2, None), ("2", 3, 110), ("2", 1, 130), ("3", 1, 7)):
        add_snapshot(database, video_id, NOON - age * HOUR, 1, author_followers=count)
    add_snapshot(database, "2", None, 1, author_followers=999)
    add_snapshot(database, "1", NOON - HOUR, 1, author_followers=120)

    def at(age: float, posts_looked_at: int = 50, author: str | None = "ann") -> list[Any]:
        wanted = targets_of(target(NOON - age * HOUR, author=author)).select("platform", "author", "moment")
        return posts_lookup.followers(database, wanted, posts_looked_at).rows()

    assert at(0) == [("tiktok", "ann", NOON - HOUR, 130)]
    assert at(1.5) == [("tiktok", "ann", NOON - 3 * HOUR, 110)]
    assert at(3.5) == [("tiktok", "ann", NOON - 4 * HOUR, 100)]
    assert at(3.5, 1) == []  # the newest post then had no reading yet
    assert at(6) == []
    assert at(0, author=None) == at(0, author="eve") == []
    wanted = targets_of(target(), target(NOON - 2 * HOUR), target(author="bob"), target())
    found = posts_lookup.followers(database, wanted)
    assert found.schema == pl.Schema(posts_lookup.FOLLOWERS_SCHEMA)
    assert found.sort("author", "observed_at").rows() == [
        ("tiktok", "ann", NOON - 3 * HOUR, 110),
        ("tiktok", "ann", NOON - HOUR, 130),
        ("tiktok", "bob", NOON - HOUR, 7),
    ]


def test_every_look_up_goes_by_an_index(postgres_database: Database) -> None:
    asked: list[tuple[str, Any]] = []

    def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    sa.event.listen(postgres_database.engine, "before_cursor_execute", remember)
    posts_lookup.look_up(postgres_database, targets_of(target()), LIMITS, DAYS_3)
    posts_lookup.followers(postgres_database, targets_of(target()))
    sa.event.remove(postgres_database.engine, "before_cursor_execute", remember)
    assert len(asked) == 6
    with postgres_database.read() as connection:
        connection.exec_driver_sql("set local enable_seqscan = off")
        for statement, parameters in asked:
            plan = "\n".join(connection.exec_driver_sql(f"explain {statement}", parameters).scalars())
            # Conditions too: an index gone through from end to end is no better than the table.
            assert "Seq Scan" not in plan
            assert plan.count("Index Cond") == plan.count("Scan") - 1 - plan.count("Bitmap Heap")  # one unnests
