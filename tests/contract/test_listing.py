"""Parts of long lists and counts of whole tables: the same on both databases, and what a slow count would say."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from groundswell.records import Window
from groundswell.store import entries, listing, registry, tables, tallies
from groundswell.store.database import Database
from groundswell.store.listing import Part
from tests.made_up_loop import predicted

AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def add_run(database: Database, number: int, **changed: Any) -> str:
    row = {
        "id": str(uuid.UUID(int=number)),
        "kind": "retrain",
        "window": "publish",
        "status": "completed",
        "started_at": AT + number * HOUR,
        "finished_at": AT + number * HOUR + timedelta(minutes=5),
        "report": {"number": number},
    } | changed
    with database.begin() as connection:
        connection.execute(sa.insert(tables.runs), row)
    return str(row["id"])


def test_runs_come_in_parts_newest_first(database: Database) -> None:
    ids = [add_run(database, number, kind=("retrain", "audit")[number % 2]) for number in range(7)]
    parts = [[str(run["id"]) for run in listing.runs_of(database, Part(3, start))] for start in (0, 3, 6, 9)]
    assert parts == [ids[:3:-1], ids[3:0:-1], ids[:1], []]
    assert [run["report"]["number"] for run in listing.runs_of(database, Part(2), "audit")] == [5, 3]
    assert listing.runs_of(database, Part(), "audit", ["failed"]) == []
    assert listing.runs_of(database, Part(), window="24h") == []


def test_runs_of_one_moment_keep_their_order(database: Database) -> None:
    ids = [add_run(database, number, started_at=AT) for number in range(5)]
    pages = [str(run["id"]) for start in range(0, 5, 2) for run in listing.runs_of(database, Part(2, start))]
    assert pages == ids


def test_runs_are_counted_and_the_last_of_each_kind_is_known(database: Database) -> None:
    made = [
        ("audit", None, "completed"),
        ("retrain", "publish", "failed"),
        ("retrain", "observed", "skipped"),
        ("retrain", "publish", "completed"),
    ]
    for number, (kind, window, status) in enumerate(made):
        add_run(database, number, kind=kind, window=window, status=status)
    slow = Counter((kind, status) for kind, _, status in made)
    assert {(one.kind, one.status): one.n for one in listing.count_runs(database)} == slow
    last = listing.last_runs(database)
    assert [(run["kind"], run["window"], run["status"]) for run in last] == [made[3], made[2], made[0]]
    assert "report" not in last[0]


def test_the_run_that_made_a_version_is_the_one_under_way_then(database: Database) -> None:
    first, second = add_run(database, 1), add_run(database, 2)
    third = add_run(database, 3, finished_at=None, status="running")
    add_run(database, 4, window="observed")
    kinds = ("retrain", "recalibrate")

    def at(moment: datetime) -> str | None:
        return listing.run_at(database, kinds, Window.PUBLISH, moment)

    minute = timedelta(minutes=1)
    assert at(AT + HOUR + minute) == first
    assert at(AT + 2 * HOUR) == second
    assert at(AT + 2 * HOUR + 30 * minute) is None
    assert at(AT + 9 * HOUR) == third
    assert at(AT) is None


def test_the_last_lines_of_a_log_come_in_their_order(database: Database) -> None:
    run = add_run(database, 1)
    rows = [{"run_id": run, "number": n, "at": AT, "level": "info", "said": f"line {n}"} for n in range(9)]
    with database.begin() as connection:
        connection.execute(sa.insert(tables.run_lines), rows[::-1])
    assert [line["said"] for line in listing.lines_of(database, run, 3)] == ["line 6", "line 7", "line 8"]
    assert listing.lines_of(database, str(uuid.uuid4()), 3) == []


def promote(database: Database, window: str, expected: int | None) -> int:
    made = registry.promote(
        database,
        window=window,
        artifact="a" * 64,
        training_rows="b" * 64,
        source="scraped_videos",
        lineage={"said": f'"window":"{window}"'},
        evaluation={},
        decision={"reason": f"better than {expected}"},
        expected=expected,
        at=AT,
    )
    return made.version


def test_versions_and_moves_are_of_one_window(database: Database) -> None:
    promote(database, "publish", None)
    promote(database, "observed", None)
    promote(database, "publish", 1)
    registry.rollback(database, "publish", AT)
    assert listing.count_versions(database) == {"observed": 1, "publish": 2}
    assert [one.version for one in listing.versions_of(database, Part(2))] == [3, 2]
    assert [one.version for one in listing.versions_of(database, Part(2, 1), "publish")] == [1]
    moves = listing.moves_of(database, "publish")
    assert [(move["kind"], move["version"], move["previous"]) for move in moves] == [
        ("rollback", 1, 3),
        ("promote", 3, 1),
        ("promote", 1, None),
    ]
    assert len(listing.moves_of(database, "publish", limit=1)) == 1
    assert listing.moves_of(database, "24h") == []


def test_what_was_taken_in_is_noted_as_a_run(database: Database) -> None:
    begun = entries.now(database)
    run = entries.note_run(database, "ingest", "completed", {"read": 5}, begun)
    (found,) = listing.runs_of(database, Part())
    assert (str(found["id"]), found["kind"], found["window"]) == (run, "ingest", None)
    assert (found["status"], found["report"], found["started_at"]) == ("completed", {"read": 5}, begun)
    assert found["finished_at"] >= begun


def test_rows_are_counted_as_one_would_by_hand(database: Database) -> None:
    assert not tallies.any_video(database)
    assert tallies.count_videos(database).is_empty()
    made: list[dict[str, Any]] = []
    for number in range(40):
        source = (None, "feed", 'it\'s "odd"')[number % 3]
        row = {
            "platform": ("tiktok", "youtube", None)[number % 3 - number % 2],
            "platform_video_id": str(number),
            "created_at": AT + number * HOUR if number % 5 else None,
            "archived_at": AT if number % 7 == 0 else None,
            "metadata": {"source": source} if number % 4 else None,
        }
        made.append(row)
    with database.begin() as connection:
        connection.execute(sa.insert(tables.scraped_videos), made)
    slow = Counter(
        (
            row["created_at"] and f"{row['created_at']:%Y-%m-%d}",
            row["platform"] or "tiktok",
            (row["metadata"] or {}).get("source"),
            int(row["archived_at"] is not None),
        )
        for row in made
    )
    assert {row[:-1]: row[-1] for row in tallies.count_videos(database).rows()} == slow
    assert tallies.any_video(database)


def test_predictions_and_readings_are_counted_by_their_day(database: Database) -> None:
    for hours, window in ((0, "publish"), (1, "publish"), (1, "observed"), (-48, "publish")):
        predicted(database, predicted_at=AT + hours * HOUR, window=window)
    found = tallies.count_predictions(database, AT - 24 * HOUR).rows()
    assert found == [("2026-03-01", "publish", 1), ("2026-03-02", "observed", 1), ("2026-03-02", "publish", 1)]
    reading = {"platform": "tiktok", "platform_video_id": "1", "views": 3}
    moments = [AT, AT + HOUR, AT + 2 * HOUR]
    with database.begin() as connection:
        rows = [{**reading, "observed_at": at, "recorded_at": at} for at in moments]
        connection.execute(sa.insert(tables.snapshots), rows)
    assert tallies.count_readings(database).rows() == [("2026-03-01", 1), ("2026-03-02", 2)]
