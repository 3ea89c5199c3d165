"""Answers over HTTP: one video, ten thousand, sixty-four clients at once while models change, and the start."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import orjson

from bench import lookup
from bench.measure import Row
from groundswell.estimators.classifiers import BoostedEstimator
from groundswell.jobs.context import Context, open_context
from groundswell.jobs.ingest import ingest
from groundswell.jobs.models import promote
from groundswell.jobs.retrain import retrain
from groundswell.predictor import Prediction, Predictor
from groundswell.predictor.asked import ask
from groundswell.predictor.predictor import predictions_of
from groundswell.records import Window
from groundswell.settings import load_settings
from groundswell.sources.synthetic import synthetic_videos
from groundswell.stages.maturity import LabelAge
from groundswell.store import posts

VIDEOS, POSTS = 10_000, 1_000_000
REQUESTS, BATCH, CLIENTS, SOAK_SECONDS, PROMOTION_SECONDS = 2_000, 10_000, 64, 60.0, 5.0
_BIN = Path(sys.executable).parent
_AT = datetime(2025, 6, 1, tzinfo=UTC)
OBSERVED: dict[str, Any] = {
    "platform": "tiktok",
    "author": "author0",
    "authorFollowers": 12_000,
    "description": "how to fold a paper crane #diy",
    "views": 150_000,
    "likes": 9_000,
    "shares": 400,
    "comments": 120,
    "saves": 800,
    "soundName": "sound0",
    "hashtags": ["diy", "paper"],
    "durationSeconds": 24,
    "postedAt": "2025-05-01T17:30:00Z",
}
PLANNED: dict[str, Any] = {
    "platform": "tiktok",
    "author": "author0",
    "description": "how to fold a paper crane #diy",
    "soundName": "sound0",
    "hashtags": [f"tag{number}" for number in range(10)],
    "durationSeconds": 24,
}


class Client:
    """One connection that is kept alive."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        self._connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        return answer.status, answer.read()


@contextmanager
def served(home: Path, *arguments: str) -> Iterator[tuple[str, int]]:
    """Yield URL and process id of a server on the home."""
    environment = {**os.environ, "GROUNDSWELL_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [str(_BIN / "groundswell"), "serve", "--port", "0", "--json", "--no-scheduler", *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"], process.pid
        finally:
            process.terminate()


def one_prediction() -> list[Row]:
    """From a feature row to the calibrated answer, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        context = furnished(Path(folder))
        rows = [_in_process(context, Window.OBSERVED, OBSERVED), _in_process(context, Window.PUBLISH, PLANNED)]
        context.database.dispose()
    return rows


def _in_process(context: Context, window: Window, video: dict[str, Any]) -> Row:
    predictor = Predictor(context.database, context.artifacts)
    champion = predictor.champion(window)
    asked = ask(context.database, [video], window, LabelAge(context.settings.label_age), context.now())
    middle, late = _percentiles(lambda: predictions_of(champion, asked, None), REQUESTS)
    what = f"one prediction in process, {window.value} ({champion.model.estimator.kind})"
    return Row(what, "p50 ≤ 0.3 ms", f"p50 {middle:.2f} ms, p99 {late:.2f} ms", middle <= 0.3)


def over_http() -> list[Row]:
    """One video a request over a connection that is kept, beside a route that only echoes."""
    with tempfile.TemporaryDirectory() as folder:
        context = furnished(Path(folder), with_past=True)
        context.database.dispose()
        with served(Path(folder)) as (url, _), echoing() as echo:
            observed = orjson.dumps({"videos": [OBSERVED]})
            planned = orjson.dumps({"window": "publish", "videos": [PLANNED]})
            plain, _ = _latency(echo, "/echo", observed)
            middle, late = _latency(url, "/api/predict", observed)
            looked_up, slowest = _latency(url, "/api/predict", planned)
            per_second = _batch(url)
    return [
        Row("HTTP, `observed`", "p50 ≤ 5 ms", f"p50 {middle:.2f} ms, p99 {late:.2f} ms", middle <= 5),
        Row(
            "… against a route that echoes it", "≤ 3×", f"{middle / plain:.1f}× of {plain:.2f} ms", middle <= 3 * plain
        ),
        Row(
            f"HTTP, `publish`, its past among {POSTS:,} posts",
            "p50 ≤ 10 ms, p99 ≤ 30 ms",
            f"p50 {looked_up:.1f} ms, p99 {slowest:.1f} ms",
            looked_up <= 10 and slowest <= 30,
        ),
        Row(f"HTTP, {BATCH:,} videos a request", "≥ 10,000 rows/s", f"{per_second:,.0f} rows/s", per_second >= 10_000),
    ]


def _latency(url: str, path: str, body: bytes) -> tuple[float, float]:
    client = Client(url)

    def call() -> None:
        status, answer = client.post(path, body)
        assert status == 200, answer[:500]

    return _percentiles(call, REQUESTS)


def _batch(url: str, runs: int = 5) -> float:
    videos = [OBSERVED | {"views": 150_000 + number, "platformVideoId": f"v{number}"} for number in range(BATCH)]
    body, client, taken = orjson.dumps({"videos": videos}), Client(url), []
    for _ in range(runs):
        begun = time.perf_counter()
        status, answer = client.post("/api/predict", body)
        taken.append(time.perf_counter() - begun)
        assert status == 200, answer[:500]
        assert all("tier" in one for one in orjson.loads(answer)["predictions"])
    return BATCH / float(np.median(taken))


def soak() -> list[Row]:
    """Sixty-four clients for a minute, while the champion changes every five seconds."""
    with tempfile.TemporaryDirectory() as folder:
        context = furnished(Path(folder))
        first = retrain(context, Window.OBSERVED, context.now()).body["modelVersion"]
        versions = [1, first]
        expected: dict[int, list[float]] = {}
        for version in versions:
            promote(context, version)
            (found,) = Predictor(context.database, context.artifacts).explore([OBSERVED], Window.OBSERVED, _AT)
            assert isinstance(found, Prediction)
            expected[version] = list(found.probabilities)
        with served(Path(folder)) as (url, pid):
            rows = _soaked(context, url, pid, expected)
        context.database.dispose()
    return rows


def _soaked(context: Context, url: str, pid: int, expected: dict[int, list[float]]) -> list[Row]:
    body, until = orjson.dumps({"videos": [OBSERVED]}), time.monotonic() + SOAK_SECONDS
    answers: list[tuple[int, int]] = []
    wrong: list[str] = []

    def ask_on() -> None:
        client = Client(url)
        while time.monotonic() < until:
            status, answer = client.post("/api/predict", body)
            found = orjson.loads(answer)["predictions"][0] if status == 200 else {"modelVersion": 0}
            if status == 200 and found["probabilities"] != expected[found["modelVersion"]]:
                wrong.append(f"version {found['modelVersion']}: {found['probabilities']}")
            answers.append((status, found["modelVersion"]))

    clients = [threading.Thread(target=ask_on) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    memory, promotions = [], 0
    while time.monotonic() < until:
        time.sleep(PROMOTION_SECONDS)
        promote(context, list(expected)[promotions % len(expected)])
        promotions += 1
        memory.append(_megabytes(pid))
    for client in clients:
        client.join()
    failed = sum(status >= 500 for status, _ in answers)
    grown = memory[-1] / memory[1]
    return [
        Row(
            f"{CLIENTS} clients for {SOAK_SECONDS:.0f} s, a promotion every {PROMOTION_SECONDS:.0f} s",
            "no 5xx, no wrong answer",
            f"{len(answers):,} answers, {failed} × 5xx, {len(wrong)} wrong, {promotions} promotions, "
            f"{len({version for _, version in answers})} versions seen",
            failed == 0 and not wrong and len({version for _, version in answers}) == len(expected),
        ),
        Row(
            "… memory of the worker, from the second promotion to the last",
            "flat (≤ 1.1×)",
            f"{memory[1]:.0f} MB → {memory[-1]:.0f} MB",
            grown <= 1.1,
        ),
    ]


def against_mlflow() -> list[Row]:
    """The same booster behind `mlflow models serve`, from an environment of its own, asked for the same features."""
    python = _mlflow()
    if python is None:
        return [Row("HTTP, `observed`, against `mlflow models serve`", "≥ 5× faster", "mlflow not installable", True)]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        context = furnished(home)
        predictor = Predictor(context.database, context.artifacts)
        estimator = predictor.champion(Window.OBSERVED).model.estimator
        assert isinstance(estimator, BoostedEstimator)
        (home / "booster.txt").write_text(estimator.text)
        script = str(Path(__file__).with_name("mlflow_model.py"))
        subprocess.run(
            [python, script, str(home / "booster.txt"), str(home / "model")], check=True, capture_output=True
        )
        asked = ask(context.database, [OBSERVED], Window.OBSERVED, LabelAge(context.settings.label_age), context.now())
        context.database.dispose()
        with served(home) as (url, _):
            ours, _ = _latency(url, "/api/predict", orjson.dumps({"videos": [OBSERVED]}))
        with _mlflow_served(python, home / "model") as url:
            theirs, _ = _latency(url, "/invocations", orjson.dumps({"inputs": asked.values.tolist()}))
    faster = theirs / ours
    said = f"{faster:.1f}× ({ours:.2f} ms against {theirs:.2f} ms)"
    return [Row("HTTP, `observed`, against `mlflow models serve`", "≥ 5× faster", said, faster >= 5)]


def _mlflow() -> Path | None:
    """Return the Python of an environment with mlflow, made where there is none yet; None where it cannot be had."""
    folder = Path(__file__).parents[1] / ".venv-mlflow"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        wanted = ["mlflow==3.17.2", f"lightgbm=={lightgbm.__version__}"]
        if subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=False).returncode:
            shutil.rmtree(folder)
            return None
    return python


@contextmanager
def _mlflow_served(python: Path, model: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [python.with_name("mlflow"), "models", "serve", "-m", model, "--env-manager", "local", "-p", str(port)]
    # It starts uvicorn by its name.
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, start_new_session=True, **quiet) as process:  # type: ignore[call-overload]
        try:
            _wait_until_answered(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def _wait_until_answered(url: str, most: float = 120.0) -> None:
    until = time.monotonic() + most
    while True:
        try:
            connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.2)


def start() -> list[Row]:
    """How long the command line and the server take until they answer."""
    with tempfile.TemporaryDirectory() as folder:
        context = furnished(Path(folder))
        context.database.dispose()
        taken = [_until_answered(Path(folder)) for _ in range(3)]
    helped = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([_BIN / "groundswell", "--help"], check=True, stdout=subprocess.DEVNULL)
        helped.append(time.perf_counter() - begun)
    cold, tour = float(np.median(taken)), float(np.median(helped))
    return [
        Row("`serve`, from the command to the first prediction", "< 4 s", f"{cold:.1f} s", cold < 4),
        Row("`groundswell --help`", "< 0.5 s", f"{tour:.2f} s", tour < 0.5),
    ]


def _until_answered(home: Path) -> float:
    begun = time.perf_counter()
    with served(home) as (url, _):
        status, answer = Client(url).post("/api/predict", orjson.dumps({"videos": [OBSERVED]}))
        taken = time.perf_counter() - begun
    assert status == 200, answer[:500]
    return taken


def furnished(home: Path, *, with_past: bool = False) -> Context:
    """Return a context with a champion of `observed` and one of `publish`, and on wish a past of a million posts."""
    settings = load_settings(home=home)
    context = open_context(settings)
    export = home / "videos.jsonl"
    export.write_bytes(b"\n".join(orjson.dumps(video) for video in synthetic_videos(VIDEOS, 7, _AT)))
    ingest(context.database, settings, [export], as_of=context.now())
    for window in (Window.OBSERVED, Window.PUBLISH):
        report = retrain(context, window, context.now())
        assert report.status == "completed", report.body
    if with_past:
        known = posts.state(context.database)
        assert known is not None
        made, tags = lookup.made_up(POSTS)
        posts.write(context.database, made, tags, known, everything=True)
    return context


@contextmanager
def echoing() -> Iterator[str]:
    """Yield the URL of a FastAPI app that answers what it was sent, on the same server."""
    command = [sys.executable, "-m", "bench.echo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().decode().strip()
        finally:
            process.terminate()


def _percentiles(call: Callable[[], object], runs: int) -> tuple[float, float]:
    """Return the median and the 99th percentile in milliseconds, after a warm-up."""
    for _ in range(runs // 10):
        call()
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        call()
        taken.append(1_000 * (time.perf_counter() - begun))
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 99))


def _megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
