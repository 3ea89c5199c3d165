"""Settings: where they come from, and what a bad one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundswell.errors import SettingsError
from groundswell.settings import Settings, load_settings, masked, variable


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)
    monkeypatch.chdir(tmp_path)


def refused(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> str:
    monkeypatch.setenv(key, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "docs/settings.md" in caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("DATABASE_URL", "mysql://db/x", "sqlite:///path, postgresql://… or postgres://…"),
        ("DATABASE_URL", "groundswell.db", "sqlite:///path, postgresql://… or postgres://…"),
        ("GROUNDSWELL_ARTIFACTS_URL", "models", "a file:// or s3:// URL"),
        ("GROUNDSWELL_LABEL", "likes", "'views' or 'wes'"),
        ("GROUNDSWELL_ACCURACY_FLOOR", "60", "less than or equal to 1"),
        ("GROUNDSWELL_ACCURACY_FLOOR", "nan", "less than or equal to 1"),
        ("GROUNDSWELL_MARGIN", "small", "a valid number"),
        ("GROUNDSWELL_MIN_ROWS", "9", "greater than or equal to 10"),
        ("GROUNDSWELL_MAX_ROWS", "1e4", "a valid integer"),
        ("GROUNDSWELL_SEED", "-1", "greater than or equal to 0"),
        ("GROUNDSWELL_TIME_LIMIT_SECONDS", "0", "greater than 0"),
        ("GROUNDSWELL_THREADS", "many", "a valid integer"),
    ],
)
def test_a_bad_value_is_told_its_key_its_value_and_what_is_expected(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str, expected: str
) -> None:
    assert refused(monkeypatch, key, value).startswith(f"{key}={value!r}: expected {expected}")


def test_every_bad_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_SEED", "x")
    said = refused(monkeypatch, "GROUNDSWELL_MARGIN", "y")
    assert "GROUNDSWELL_SEED='x'" in said
    assert "GROUNDSWELL_MARGIN='y'" in said


PASSWORDS = [
    "mysql://ann:hush@db:3306/x",
    "mysql://ann:hu@hush@db/x",
    "mysql://ann:hu/hush@db/x",
    "mysql://:hush@db/x",
    "mysql://db/x?user=ann&password=hush&sslmode=require",
    "postgresql:/ann:hush@db/x",
    "ann:hush@db/x",
    "host=db user=ann password=hush",
    "host=db PASSWORD = 'the hush'",
]


@pytest.mark.parametrize("url", PASSWORDS)
def test_no_message_holds_a_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for key in ("DATABASE_URL", "GROUNDSWELL_ARTIFACTS_URL", "GROUNDSWELL_SEED"):
        said = refused(monkeypatch, key, url)
        assert "hush" not in said
        assert "***" in said


def test_settings_do_not_print_their_secrets() -> None:
    settings = load_settings(database_url="postgresql://ann:hush@db/x", cron_secret="hush", api_key="hush")
    for shown in (repr(settings), str(settings), str(settings.model_dump(mode="json")), str(settings.thresholds())):
        assert "hush" not in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:hush@db:5432/x?sslmode=require", "postgresql://ann:***@db:5432/x?sslmode=require"),
        ("postgresql://db:5432/x", "postgresql://db:5432/x"),
        ("sqlite:////home/ann/groundswell.db", "sqlite:////home/ann/groundswell.db"),
        ("s3://bucket/models", "s3://bucket/models"),
        ("0.005", "0.005"),
    ],
)
def test_masking_hides_the_password_and_nothing_else(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_settings_come_from_the_environment_over_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load_settings().min_rows == 500
    (tmp_path / ".env").write_text("GROUNDSWELL_MIN_ROWS=600\nCRON_SECRET=from-the-file\nUNKNOWN=1\n")
    assert load_settings().min_rows == 600
    monkeypatch.setenv("GROUNDSWELL_MIN_ROWS", "700")
    settings = load_settings()
    assert settings.min_rows == 700
    assert settings.cron_secret is not None
    assert settings.cron_secret.get_secret_value() == "from-the-file"
    assert load_settings(min_rows=800).min_rows == 800


@pytest.mark.parametrize("key", ["CRON_SECRET", "DATABASE_URL", "GROUNDSWELL_MARGIN"])
def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    unset = load_settings()
    monkeypatch.setenv(key, "")
    assert load_settings() == unset


def test_everything_lies_in_the_home_unless_it_is_placed_elsewhere(tmp_path: Path) -> None:
    inside = load_settings(home=Path("h"))
    assert inside.resolved_database_url == f"sqlite:///{tmp_path / 'h' / 'groundswell.db'}"
    assert inside.resolved_artifacts_url == f"file://{tmp_path / 'h' / 'artifacts'}"
    assert inside.training_data_path == Path("h/training-data.json")
    assert inside.baseline_path == Path("h/calibration-baseline.json")
    outside = load_settings(
        database_url="postgres://db/x",
        artifacts_url="s3://b/m",
        training_data=Path("t"),
        calibration_baseline=Path("c"),
    )
    assert outside.resolved_database_url == "postgres://db/x"
    assert outside.resolved_artifacts_url == "s3://b/m"
    assert (outside.training_data_path, outside.baseline_path) == (Path("t"), Path("c"))


def test_thresholds_are_what_shapes_a_model_and_neither_a_secret_nor_a_place() -> None:
    names = set(load_settings().thresholds())
    assert {"accuracy_floor", "margin", "seed", "label", "max_rows"} <= names
    assert not names & {"database_url", "cron_secret", "api_key", "home", "artifacts_url", "training_data"}


def test_every_setting_has_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert (field.description or "").endswith("."), name
