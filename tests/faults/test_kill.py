"""A retrain is killed without warning, twenty times: what served before serves on, and the next retrain works."""

from __future__ import annotations

import random
import select
import signal
import time
from pathlib import Path

import pytest

from groundswell.predictor import Prediction
from groundswell.records import Window
from groundswell.store import ledger
from tests.acceptance.life import predictor_of
from tests.acceptance.process import UNTIL, VIDEO, Place, expire_lease, made_up, write_export

#: Where a run is when it is killed: this long after it has said so, at most.
#: A run says `Gate` just before it publishes; artifacts, transaction and report take some 30 ms from there.
MOMENTS = {
    "start": (None, 1.5),
    "training": (b"Class weights", 0.6),
    "gate": (b"G1 ", 0.02),
    "publish": (b"Gate: promote", 0.04),
}
#: Five moments for each of four groups, most of them around the publishing; the first in every run of the tests.
GROUPS = {
    1: ("start", "training", "publish", "publish", "gate"),
    2: ("training", "publish", "start", "publish", "publish"),
    3: ("publish", "training", "gate", "publish", "start"),
    4: ("publish", "start", "publish", "training", "publish"),
}
#: Each challenger is promoted whatever the champion, so that every run reaches the publishing.
LENIENT = {"GROUNDSWELL_MARGIN": "1"}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with 600 stored videos and a champion."""
    place = Place(tmp_path_factory.mktemp("trained"))
    place.run("ingest", str(write_export(place.folder / "export.jsonl", made_up(600))))
    assert place.json("retrain")["modelVersion"] == 1
    return place


def serving_version(place: Place) -> int:
    """Return the version that answers a prediction, after the ledger has been verified."""
    with place.opened() as database:
        with database.read() as connection:
            assert ledger.verify(connection).status == "verified"
        (answer,) = predictor_of(place, database).predict([VIDEO], Window.OBSERVED, UNTIL)
    assert isinstance(answer, Prediction)
    return answer.model_version


class Doomed:
    """A running retrain, everything it says, and its sudden end."""

    def __init__(self, place: Place) -> None:
        self.process = place.start("retrain", "--json", environment=LENIENT)
        self.said = b""

    def says(self, words: bytes | None) -> bool:
        """Return whether it says the words before it ends; at once where there are none."""
        assert self.process.stderr is not None
        while words is not None and words not in self.said:
            line = self.process.stderr.readline()
            if not line:
                return False
            self.said += line
        return True

    def goes_on(self, seconds: float) -> None:
        """Return after that long, or when it has ended; it is listened to, so that it never blocks."""
        assert self.process.stderr is not None
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self.process.stderr], [], [], left)
            if ready:
                heard = self.process.stderr.read1()  # type: ignore[attr-defined]
                self.said += heard
                if not heard:
                    return

    def dies(self) -> bool:
        """Kill it; return whether it was still alive."""
        self.process.send_signal(signal.SIGKILL)
        assert self.process.stderr is not None
        self.said += self.process.stderr.read()
        self.process.communicate(timeout=60)
        return self.process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("group", [1, *(pytest.param(group, marks=pytest.mark.slow) for group in (2, 3, 4))])
def test_whoever_is_killed_leaves_a_champion_a_true_ledger_and_a_way_on(
    group: int, trained: Place, tmp_path: Path
) -> None:
    place = trained.copy(tmp_path)
    chance = random.Random(group)
    before, killed = 1, 0
    for name in GROUPS[group]:
        said, longest = MOMENTS[name]
        run = Doomed(place)
        assert run.says(said), f"the run ended before it said {said!r}"
        run.goes_on(chance.uniform(0, longest))
        killed += run.dies()
        after = serving_version(place)
        if b"Gate: promote" in run.said:
            # The transaction was either done or not; nothing lies between the two.
            assert after in {before, before + 1}
        else:
            assert after == before
        assert place.sql("select max(version) from model_versions") == [(after,)]
        before = after
        expire_lease(place)
    assert killed >= 3, "the moments lie inside the run"
    following = place.json("retrain", environment=LENIENT)
    assert (following["status"], following["modelVersion"]) == ("completed", before + 1)
    assert serving_version(place) == before + 1
    assert place.sql("select count(*) from runs where status = 'running'") == [(0,)]


def test_until_its_lease_expires_a_killed_run_is_taken_to_be_under_way(trained: Place, tmp_path: Path) -> None:
    place = trained.copy(tmp_path)
    run = Doomed(place)
    assert run.says(b"Class weights")
    assert run.dies()
    place.sql("update leases set renewed_at = strftime('%Y-%m-%d %H:%M:%f000', 'now', '+20 seconds')")
    (holder,) = place.sql("select holder from leases")[0]
    assert place.json("retrain", code=1) == {"status": "already_running", "runId": holder}
    expire_lease(place)
    assert place.json("retrain")["status"] == "completed"
    assert place.sql(f"select status from runs where id = '{holder}'") == [("failed",)]
