"""The product as its users meet it: the command line and the server, each as a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from groundswell.sources.synthetic import synthetic_videos
from groundswell.store import runs
from groundswell.store.database import Database

#: The made-up videos are posted in the half year before it.
UNTIL = datetime(2025, 6, 1, tzinfo=UTC)
#: A floor that the made-up videos pass with room to spare at any size, so that no test hangs on luck.
EASY = {"GROUNDSWELL_ACCURACY_FLOOR": "0.35"}
_SECONDS = 120.0
_HERE = Path(__file__).parent
_OURS = ("GROUNDSWELL_", "AWS_", "PG", "PYTHON", "COVERAGE")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a finished process left behind."""

    code: int
    out: str
    err: str

    @property
    def body(self) -> dict[str, Any]:
        """The one JSON object on stdout; fails where there is anything else."""
        body = json.loads(self.out, parse_constant=_refuse)
        assert isinstance(body, dict)
        assert self.out.count("\n") == 1, "one JSON object, on one line"
        return body

    def check(self, arguments: Sequence[str], code: int) -> None:
        """Fail where a command exited otherwise, or without the words that belong to it."""
        assert self.code == code, f"{arguments} exited {self.code}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err, self.err
        if code == 1:
            assert "error: " in self.err, self.err
            assert "hint: " in self.err, self.err


@dataclasses.dataclass(frozen=True)
class Place:
    """A folder in which somebody types commands, with the environment of that shell."""

    folder: Path
    environment: Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(EASY))

    def run(
        self, *arguments: str, code: int = 0, given: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> Answer:
        """Run a command to its end, which must come with the exit code."""
        process = self.start(*arguments, environment=environment)
        out, err = process.communicate(given, timeout=_SECONDS)
        answer = Answer(process.returncode, out.decode(), err.decode())
        answer.check(arguments, code)
        return answer

    def json(
        self, *arguments: str, code: int = 0, given: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Run a command with --json and return its body."""
        return self.run(*arguments, "--json", code=code, given=given, environment=environment).body

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a command and return its process, all three streams as pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "groundswell", *arguments],
            cwd=self.folder,
            env=shell_environment({**self.environment, **(environment or {})}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def type(self, *lines: Sequence[str], code: int = 0, environment: Mapping[str, str] | None = None) -> list[Answer]:
        """Run commands in one process, where none is about the process: most of a short one is its start.

        Each begins as `run` does, and must come with the exit code.
        """
        done = subprocess.run(
            [sys.executable, "-P", str(_HERE / "typist.py")],
            input=json.dumps([[list(line), dict(environment or {})] for line in lines]).encode(),
            cwd=self.folder,
            env=shell_environment(self.environment),
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
        assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
        answers = [Answer(*found) for found in json.loads(done.stdout)]
        for line, answer in zip(lines, answers, strict=True):
            answer.check(line, code)
        return answers

    def predict(self, **environment: str) -> dict[str, Any]:
        """Return the one prediction of VIDEO."""
        answers = self.json("predict", given=orjson.dumps({"videos": [VIDEO]}), environment=environment)
        (prediction,) = answers["predictions"]
        return dict(prediction)

    def champion(self, **environment: str) -> int:
        """Return the version that serves `observed`, in a registry whose ledger verifies."""
        listed = self.json("models", "list", environment=environment)
        assert listed["ledger"] == "verified"
        return int(listed["champions"]["observed"])

    @property
    def database(self) -> Path:
        """The embedded database."""
        return self.folder / "groundswell-data" / "groundswell.db"

    @contextmanager
    def opened(self) -> Iterator[Database]:
        """Yield the place's database, embedded or not, as another process of the product opens it."""
        database = Database(self.environment.get("DATABASE_URL", f"sqlite:///{self.database}"))
        try:
            yield database
        finally:
            database.dispose()

    def sql(self, statement: str, rows: Sequence[Sequence[Any]] | None = None) -> list[tuple[Any, ...]]:
        """Run plain SQL on the embedded database, as an outsider does."""
        connection = sqlite3.connect(self.database, timeout=30)
        try:
            with connection:
                if rows is not None:
                    connection.executemany(statement, rows)
                    return []
                return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def copy(self, folder: Path, **environment: str) -> Place:
        """Return a place with a copy of everything here."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Place(folder, {**self.environment, **environment})


@dataclasses.dataclass(frozen=True)
class Response:
    """What the server answered."""

    status: int
    body: Any


@dataclasses.dataclass(frozen=True)
class Server:
    """A running `groundswell serve`."""

    url: str

    def get(self, path: str, **headers: str) -> Response:
        """Send a GET request; `authorization` and others by keyword."""
        return self.send(urllib.request.Request(self.url + path, headers=headers))

    def post(self, path: str, content: Any = None, **headers: str) -> Response:
        """Send a POST request with JSON, or with bytes as they are."""
        data = content if isinstance(content, bytes) else b"" if content is None else orjson.dumps(content)
        headers = {"Content-Type": "application/json", **headers}
        return self.send(urllib.request.Request(self.url + path, data, headers, method="POST"))

    def send(self, request: urllib.request.Request) -> Response:
        """Send any request."""
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:
                return Response(response.status, _json(response.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Response(error.code, _json(error.read()))

    def predict(self, *videos: Any, **headers: str) -> list[dict[str, Any]]:
        """Return the answers for the videos."""
        response = self.post("/api/predict", {"window": "observed", "videos": videos}, **headers)
        assert response.status == 200, response
        return list(response.body["predictions"])


@contextmanager
def serving(place: Place, **environment: str) -> Iterator[Server]:
    """Yield a server of the place on a free port once it answers /healthz; it must end well when it is told to."""
    process = place.start("serve", "--port", "0", "--no-scheduler", "--json", environment=environment)
    assert process.stdout is not None
    log: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(process, log), daemon=True)
    reader.start()
    try:
        told = process.stdout.readline()
        if not told:
            reader.join()
        assert told, b"".join(log).decode()
        server = Server(json.loads(told)["url"])
        until(lambda: process.poll() is None and _healthy(server), "the server answers /healthz")
        yield server
        process.terminate()
        process.wait(_SECONDS)
        reader.join()
        err = b"".join(log).decode()
        assert process.stdout.read() == b""
        assert process.returncode in {0, -15}, err
        assert "Traceback" not in err, err
    finally:
        process.kill()
        process.wait()
        reader.join()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def _read_all(process: subprocess.Popen[bytes], log: list[bytes]) -> None:
    """Gather what the process logs; thousands of requests log more than a pipe holds."""
    assert process.stderr is not None
    log.extend(iter(process.stderr.readline, b""))


def until(found: Callable[[], bool], what: str) -> None:
    """Return as soon as the thing is so; fails after two minutes."""
    end = time.monotonic() + _SECONDS
    while not found():
        assert time.monotonic() < end, f"waited {_SECONDS:g} s until {what}"
        time.sleep(0.02)


@contextmanager
def under_way(place: Place, kind: str, window: str | None) -> Iterator[str]:
    """Yield the id of a run of that kind which another process has begun; it ends with the block."""
    with place.opened() as database, runs.running(database, kind=kind, window=window) as run:
        yield run.id
        run.finish("completed", {})


def no_list_of(name: str) -> list[bytes]:
    """Return bodies of requests that hold no list under the name, or an empty one, or one that is too long."""
    empty = [b"[]", b"{}", b"null", b'"x"', b"5"]
    long = b"[" + b"{}," * 10_000 + b"{}]"
    named = [b'{"%s": %s}' % (name.encode(), one) for one in (*empty, long)]
    return [b"", b"{", b"[]", b"null", b'"%s"' % name.encode(), b"{}", b"\xff\xfe", *named]


def check_is_refused(response: Response, name: str) -> None:
    """A body without the list is refused with a word on what is missing."""
    assert response.status == 422
    assert set(response.body) == {"error", "hint"}
    assert name in response.body["error"] or "body" in response.body["error"]
    assert len(response.body["error"]) < 500


#: One ordinary video, as a request names its fields.
VIDEO: dict[str, Any] = {
    "platformVideoId": "7300000000000000001",
    "author": "someone",
    "authorFollowers": 12_000,
    "description": "how to fold a paper crane #diy",
    "views": 150_000,
    "likes": 9_000,
    "shares": 400,
    "comments": 120,
    "saves": 800,
    "soundName": "original sound",
    "hashtags": ["diy"],
    "durationSeconds": 24,
    "postedAt": "2025-05-05T17:30:00Z",
}


def made_up(rows: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return rows of a scraper's export whose ids say nothing of a demo."""
    videos = list(synthetic_videos(rows, seed, UNTIL))
    return [{**video, "id": f"73{seed:05d}{row:012d}"} for row, video in enumerate(videos)]


def write_export(path: Path, videos: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows as JSON lines."""
    path.write_bytes(b"".join(orjson.dumps(dict(video)) + b"\n" for video in videos))
    return path


def without_signal(videos: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the videos as a broken scraper would give them: no saves, no followers, the same rates for all."""
    worse = []
    for video in videos:
        thousands = 1 + int(video["playCount"]) // 1_000
        counts = {"playCount": 1_000, "diggCount": 50, "shareCount": 2, "commentCount": 1}
        row = {**video, **{name: thousands * count for name, count in counts.items()}}
        row.pop("collectCount", None)
        row["authorMeta"] = {"name": video["authorMeta"]["name"]}
        worse.append(row)
    return worse


def over_confident(rows: int, now: datetime) -> list[tuple[float, float, str]]:
    """Return predicted score, actual score and creation time of outcomes whose scores claim too much."""
    pairs = []
    for row in range(rows):
        chance = (row + 0.5) / rows
        stated = chance**3 / (chance**3 + (1 - chance) ** 3)
        actual = min(max(100 * chance + (row * 37 % 21 - 10), 0.0), 100.0)
        created = now - timedelta(days=1 + row % 60)
        pairs.append((round(100 * stated, 2), round(actual, 2), f"{created:%Y-%m-%d %H:%M:%S}"))
    return pairs


def report_outcomes(place: Place, rows: int = 400) -> None:
    """Insert over-confident outcomes into the embedded database by plain SQL."""
    place.sql(
        "insert into outcomes (predicted_score, actual_score, created_at) values (?, ?, ?)",
        over_confident(rows, datetime.now(UTC)),
    )


def shell_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this machine without any setting of ours, and what is given."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and name not in {"DATABASE_URL", "CRON_SECRET"}
    }
    python = {"PYTHONWARNINGS": "error", "PYTHONUTF8": "1", "PYTHONPATH": str(_HERE / "users")}
    own = {"OMP_NUM_THREADS": "1", "GROUNDSWELL_BOOTSTRAP": "100", **python}
    return {**inherited, **own, **given}


def expire_lease(place: Place) -> None:
    """Move the last renewal of every lease back, as if half a minute had passed."""
    place.sql("update leases set renewed_at = '2025-01-01 00:00:00.000000'")


def _healthy(server: Server) -> bool:
    with suppress(OSError):
        return server.get("/healthz").status == 200
    return False


def _json(data: bytes) -> Any:
    return orjson.loads(data)


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")
