"""A backup is a home of its own: it serves, verifies, and says no where it cannot be made."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from groundswell.errors import ArtifactError, DatabaseError
from groundswell.jobs.backup import BackupError, back_up, restore
from groundswell.jobs.context import Context, open_context
from groundswell.jobs.database import check
from groundswell.jobs.models import list_versions
from groundswell.overview.doctor import examine
from groundswell.settings import Settings, load_settings
from groundswell.store import registry
from groundswell.store.artifacts import Artifacts
from groundswell.store.database import Database


@pytest.fixture
def context(tmp_path: Path) -> Context:
    context = open_context(load_settings(home=tmp_path / "home"))
    registry.promote(
        context.database,
        window="publish",
        artifact=context.artifacts.put(b"a model"),
        training_rows=context.artifacts.put(b"its rows"),
        source="scraped_videos",
        lineage={"rows": 5},
        evaluation={"metrics": {"accuracy": 0.5, "rps": 0.1}},
        decision={"reason": "first"},
        expected=None,
        at=context.now(),
    )
    return context


def test_a_backup_is_a_home(context: Context, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    report = back_up(context, folder)
    assert report["artifacts"] == 2
    restored = open_context(load_settings(home=folder))
    assert list_versions(restored) == list_versions(context)
    version = registry.champion(restored.database, "publish")
    assert version is not None
    assert restored.artifacts.get(version.artifact) == b"a model"


def test_a_folder_in_use_is_left_alone(context: Context, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BackupError, match="not empty"):
        back_up(context, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    with pytest.raises(BackupError, match="cannot be made"):
        back_up(context, tmp_path / "mine.txt" / "folder")


def test_a_damaged_artifact_is_told(context: Context, tmp_path: Path) -> None:
    next((tmp_path / "home" / "artifacts").glob("*/*")).write_bytes(b"other bytes")
    with pytest.raises(ArtifactError, match="damaged"):
        back_up(context, tmp_path / "backup")


def test_a_server_has_tools_of_its_own(context: Context, tmp_path: Path) -> None:
    server = Context(context.settings, Database("postgresql://nobody@127.0.0.1:1/none"), Artifacts("file:///none"))
    there = load_settings(home=tmp_path / "home", database_url="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseError, match="own tools") as refused:
        back_up(server, tmp_path / "backup")
    assert "pg_dump" in refused.value.hint
    with pytest.raises(DatabaseError, match="own tools"):
        restore(there, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_model_that_cannot_be_read_is_broken_to_the_doctor(context: Context) -> None:
    found = examine(context.settings)
    assert found["status"] == "broken"
    by_name = {check["name"]: check for check in found["checks"]}
    assert by_name["line publish"]["status"] == "broken"
    assert by_name["ledger"]["status"] == "ok"
    assert found["next"][0] == by_name["line publish"]["hint"]


def test_a_restore_goes_back_to_the_backup_under_those_who_use_it(context: Context, tmp_path: Path) -> None:
    before, folder = list_versions(context), tmp_path / "backup"
    back_up(context, folder)
    lost = context.artifacts.put(b"another model")
    version = registry.champion(context.database, "publish")
    assert version is not None
    registry.promote(
        context.database,
        window="publish",
        artifact=lost,
        training_rows=version.training_rows,
        source="scraped_videos",
        lineage={},
        evaluation={},
        decision={"reason": "second"},
        expected=1,
        at=context.now(),
    )
    next((tmp_path / "home" / "artifacts").glob(f"*/{version.artifact[:8]}*")).unlink()
    server = open_context(load_settings(home=tmp_path / "home"))  # it has the file and its log open, and reads on
    assert registry.serving_versions(server.database, "publish") == (2, None)
    assert restore(context.settings, folder)["setAside"] is None
    assert registry.serving_versions(server.database, "publish") == (1, None)
    assert list_versions(server) == before
    assert server.artifacts.get(version.artifact) == b"a model"
    assert server.database.damage() is None
    server.database.dispose()


@pytest.mark.parametrize("what", ["nothing", "no database", "damaged", "of a later version"])
def test_what_is_no_sound_backup_changes_nothing(context: Context, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "backup"
    if what != "nothing":
        back_up(context, folder)
    file = folder / "groundswell.db"
    if what == "no database":
        file.write_bytes(b"not a database" * 1_000)
    elif what == "damaged":
        content = bytearray(file.read_bytes())
        content[4_096 * 3 : 4_096 * 12] = b"\xff" * (4_096 * 9)
        file.write_bytes(bytes(content))
    elif what == "of a later version":
        later = sqlite3.connect(file)
        later.execute("update groundswell_migrations set version_num = '9999'")
        later.commit()
        later.close()
    before = list_versions(context)
    with pytest.raises(BackupError):
        restore(context.settings, folder)
    assert list_versions(context) == before


def test_damage_is_found(context: Context, tmp_path: Path) -> None:
    context.database.dispose()
    settings = load_settings(home=tmp_path / "home")
    assert check(settings)["status"] == "ready"
    file = tmp_path / "home" / "groundswell.db"
    content = bytearray(file.read_bytes())
    content[-4_096 * 6 :] = b"\xff" * (4_096 * 6)
    file.write_bytes(bytes(content))
    found = check(settings)
    assert found["status"] == "not_ready"
    assert "damaged" in found["hint"]
    assert "groundswell db restore" in found["hint"]


@pytest.mark.parametrize("first", [0, 3], ids=["head", "middle"])
def test_a_damaged_file_is_restored_and_set_aside_if_nothing_can_be_written_into_it(
    context: Context, tmp_path: Path, first: int
) -> None:
    before, folder, home = list_versions(context), tmp_path / "backup", tmp_path / "home"
    back_up(context, folder)
    context.database.dispose()
    content = bytearray((home / "groundswell.db").read_bytes())
    content[4_096 * first : 4_096 * (first + 6)] = b"\xff" * (4_096 * 6)
    for number in (1, 2):
        (home / "groundswell.db").write_bytes(bytes(content))
        assert "groundswell db restore" in said_of(context.settings)
        aside = restore(context.settings, folder)["setAside"]
        found = open_context(context.settings)
        assert list_versions(found) == before
        assert found.database.damage() is None
        found.database.dispose()
        assert aside == (str(home / f"groundswell.db.damaged-{number}") if first == 0 else None)
        assert aside is None or Path(aside).read_bytes() == content


def said_of(settings: Settings) -> str:
    """Return the hint that a look at the database gives."""
    try:
        return str(check(settings)["hint"])
    except DatabaseError as error:
        return error.hint
