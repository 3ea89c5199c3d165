"""Run every measurement in a process of its own, print the table, and write docs/benchmarks.md."""

from __future__ import annotations

import dataclasses
import importlib
import json
import platform
import subprocess
import sys
from pathlib import Path

from bench.measure import REAL_DATA, Row

MEASUREMENTS = (
    ("learning", "seed_file", True),
    ("learning", "real_videos", True),
    ("learning", "stripped_videos", True),
    ("features", "five_million", False),
    ("ingesting", "hundred_thousand", False),
    ("auditing", "million_pairs", False),
    ("auditing", "platt", False),
    ("alarming", "false_alarms", False),
    ("alarming", "power", False),
    ("drifting", "million_rows", False),
    ("drifting", "half_million_readings", False),
    ("calibrating", "thirty_splits", True),
    ("forecasting", "history_100k", False),
    ("forecasting", "publish_retrain", False),
    ("lookup", "million_posts", False),
    ("forecasting", "real_sources", True),
    ("replaying", "lives", True),
    ("serving", "one_prediction", False),
    ("serving", "over_http", False),
    ("serving", "against_mlflow", False),
    ("serving", "soak", False),
    ("serving", "start", False),
    ("paging", "first_paint", False),
)
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
INTRODUCTION = """# Benchmarks

Written by `make bench` from the tree it stands in. Machines are shared and noisy: the ratios compare two things
measured in the same run, the absolute times belong to the machine named below.
"""


def main() -> int:
    """Return 0 if every figure asked for was reached."""
    if len(sys.argv) == 3:
        found = getattr(importlib.import_module(f"bench.{sys.argv[1]}"), sys.argv[2])()
        sys.stdout.write(json.dumps([dataclasses.asdict(row) for row in found]))
        return 0
    rows: list[Row] = []
    for module, function, real in MEASUREMENTS:
        if real and not REAL_DATA.exists():
            rows.append(Row(f"{module}: {function}", "", "skipped: the real data is not beside this checkout", True))
            continue
        found = _apart(module, function)
        rows += found
        _show(rows[-len(found) :])
    table = _table(rows)
    PAGE.write_text(f"{INTRODUCTION}\n{_machine()}\n\n{table}\n")
    sys.stdout.write(f"\n{table}\n")
    return 0 if all(row.met for row in rows) else 1


def _apart(module: str, function: str) -> list[Row]:
    # A process each: memory that one measurement left behind must not count for the next.
    done = subprocess.run(
        [sys.executable, "-m", "bench", module, function], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def _show(rows: list[Row]) -> None:
    for row in rows:
        sys.stderr.write(f"{row.what}: {row.reached}\n")


def _table(rows: list[Row]) -> str:
    lines = ["| what | asked for | reached | |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.asked} | {row.reached} | {'yes' if row.met else '**no**'} |" for row in rows]
    return "\n".join(lines)


def _machine() -> str:
    import os

    import lightgbm
    import polars
    import sklearn

    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, polars {polars.__version__}, "
        f"scikit-learn {sklearn.__version__}, LightGBM {lightgbm.__version__}, one thread a fit."
    )


if __name__ == "__main__":
    sys.exit(main())
