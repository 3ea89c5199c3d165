"""How long until the first paint of each page, with a thousand runs and a million predictions in the database."""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson

from bench.measure import Row
from bench.serving import OBSERVED, furnished, served
from groundswell.jobs.audit import audit
from groundswell.jobs.context import Context
from groundswell.predictor import Predictor
from groundswell.records import Window

PREDICTIONS, RUNS = 1_000_000, 1_000
PAGES = (
    "/",
    "/lines",
    "/lines/publish",
    "/lines/observed",
    "/models",
    "/models/1",
    "/audits",
    "/runs",
    "/runs?offset=900",
    "/data",
    "/try",
    "/try?window=publish&platform=tiktok&author=author0&description=how+to+fold&durationSeconds=24",
)
_CHROMIUM = "/usr/bin/chromium"
_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


def first_paint() -> list[Row]:
    """The worst page of a server that has just started, and of one that has shown them all."""
    if not Path(_CHROMIUM).exists():
        return [Row("first paint of every page", "< 1 s", "not measured: there is no chromium", False)]
    with tempfile.TemporaryDirectory() as folder:
        context = furnished(Path(folder))
        _fill(context)
        context.database.dispose()
        with served(Path(folder)) as (url, _):
            cold, warm = _painted(url), _painted(url)
    slowest = max(cold, key=lambda path: cold[path])
    return [
        Row(
            f"first paint of {len(PAGES)} pages, {RUNS:,} runs, {PREDICTIONS:,} predictions, right after the start",
            "< 1 s",
            f"slowest {cold[slowest]:.2f} s ({slowest.partition('?')[0]}), Today {cold['/']:.2f} s",
            cold[slowest] < 1,
        ),
        Row("… again", "< 1 s", f"slowest {max(warm.values()):.2f} s", max(warm.values()) < 1),
    ]


def _painted(url: str) -> dict[str, float]:
    """Return the seconds until the first contentful paint of each page, each in a window of its own."""
    from playwright.sync_api import sync_playwright

    seconds = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=list(_FLAGS))
        for path in PAGES:
            page = browser.new_page()
            answer = page.goto(url + path)
            assert answer is not None
            assert answer.status == 200, (path, answer.status)
            painted: list[float] = []
            while not painted:  # the page's policy forbids what playwright would wait with
                painted = page.evaluate("performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)")
            seconds[path] = painted[0] / 1_000
            page.close()
        browser.close()
    return seconds


def _fill(context: Context) -> None:
    """Add the predictions, copies of one spread over sixty days, and the runs, copies of an audit."""
    Predictor(context.database, context.artifacts).predict([OBSERVED], Window.OBSERVED, context.now())
    audit(context, context.now())
    with context.database.begin() as connection:
        names = [row[1] for row in connection.exec_driver_sql("pragma table_info(predictions)")]
        own = {
            "id": "printf('%08x-0000-4000-8000-%012x', n.i, n.i)",
            "predicted_at": "strftime('%Y-%m-%d %H:%M:%f000', p.predicted_at, '-' || (n.i * 5) || ' seconds')",
            "platform_video_id": "'v' || n.i",
        }
        columns = ", ".join(f'"{name}"' for name in names)
        values = ", ".join(own.get(name, f'p."{name}"') for name in names)
        connection.exec_driver_sql(
            f"insert into predictions ({columns}) with recursive n(i) as "
            f"(select 1 union all select i + 1 from n where i < {PREDICTIONS}) "
            f"select {values} from n, (select * from predictions limit 1) p"
        )
        kind, report = connection.exec_driver_sql("select kind, report from runs where kind = 'audit'").one()
        connection.exec_driver_sql(
            "insert into runs (id, kind, status, started_at, finished_at, report) values (?, ?, 'skipped', ?, ?, ?)",
            [
                (
                    f"{number:08x}-0000-4000-8000-{number:012x}",
                    kind,
                    f"2025-{1 + number % 12:02}-{1 + number % 28:02} 00:00:00.000000",
                    f"2025-{1 + number % 12:02}-{1 + number % 28:02} 00:00:02.000000",
                    orjson.dumps({**orjson.loads(report), "runId": str(number)}).decode(),
                )
                for number in range(RUNS)
            ],
        )
