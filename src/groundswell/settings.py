"""One table of settings: name, default, one sentence. Read from the environment and from `.env`."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from groundswell import parsing
from groundswell.access import EVERY_ROLE, NOT_A_SECRET, Key, read_keys
from groundswell.crontab import read_cron
from groundswell.errors import SettingsError
from groundswell.records import Window

_PREFIX = "GROUNDSWELL_"
#: `user:password@`, up to the last @ since a password may hold one; and `password=` among options or in a DSN.
_USER_INFO = re.compile(r"(?:(?<=://)|^(?!\w+://))([^:/@\s]*):\S*@")
_OPTION = re.compile(r"(password\s*=\s*)('[^']*'|[^&\s]+)", re.IGNORECASE)


#: Settings that shape no model: places, secrets, and what the service is run with.
_NOT_OF_A_MODEL = frozenset(
    {
        *("database_url", "home", "artifacts_url", "s3_endpoint", "training_data", "calibration_baseline"),
        *("cron_secret", "api_key", "api_keys", "webhook_secret", "apify_token", "apify_url", "public_url"),
        *("alert_urls", "alert_cooldown", "lines", "schedule_retrain", "schedule_audit", "schedule_harvest"),
        *("workers", "max_body_mb", "request_seconds", "log_format"),
    }
)


def _named(name: str, default: Any, sentence: str, **limits: Any) -> Any:
    """Declare a setting whose variable does not carry the prefix."""
    return Field(default, validation_alias=AliasChoices(name, name.lower()), description=sentence, **limits)


class Settings(BaseSettings):
    """Every setting of groundswell; `docs/settings.md` is made from this table."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    database_url: SecretStr | None = _named(
        "DATABASE_URL",
        None,
        "sqlite:///path or postgresql://…; unset means the embedded database in the home.",
    )
    cron_secret: SecretStr | None = _named(
        "CRON_SECRET", None, "Bearer of the cron endpoints; while it is unset every call is refused."
    )
    api_key: SecretStr | None = Field(
        None, description="Bearer of the API, and login of the page, that may do everything; unset leaves both open."
    )
    api_keys: SecretStr | None = Field(
        None,
        description="Several keys as name:role:key,…: `read` sees, `predict` predicts and reports, `operate` does all.",
    )
    webhook_secret: SecretStr | None = Field(
        None, description="What a scraper's webhook must carry; while it is unset every such call is refused."
    )
    apify_token: SecretStr | None = Field(
        None, description="Token with which a finished Apify run's items are fetched, where its call brings none."
    )
    apify_url: str = Field("https://api.apify.com", description="Where Apify's API is.")
    public_url: str | None = Field(
        None, description="URL under which others reach this service; alerts link to it, and its cookies are secure."
    )
    alert_urls: SecretStr | None = Field(
        None,
        description="Where alerts go, as apprise writes it: slack://…, mailto://…, json://…; several.",
    )
    alert_cooldown: timedelta = Field(
        timedelta(hours=24), gt=timedelta(0), description="Time before the same alert is sent again: 24h, 3d."
    )
    lines: str = Field("observed publish", description="Windows that the scheduler retrains.")
    schedule_retrain: str = Field("0 3 * * 1", description="When lines are retrained, as cron writes it, in UTC.")
    schedule_audit: str = Field("0 5 1 * *", description="When is audited, as cron writes it, in UTC.")
    schedule_harvest: str = Field("30 2 * * *", description="When outcomes are harvested, as cron writes it, in UTC.")
    workers: int = Field(1, ge=1, le=64, description="Processes that `serve` answers with.")
    max_body_mb: float = Field(32, gt=0, le=1024, description="Largest body of a request, in MB; a larger one is 413.")
    request_seconds: float = Field(
        30, gt=0, allow_inf_nan=False, description="Seconds after which a request is given up, cron calls excepted."
    )
    log_format: Literal["console", "json"] = Field("console", description="Logs for people, or one JSON a line.")
    home: Path = Field(Path("groundswell-data"), description="Folder of the embedded database, artifacts and rejects.")
    artifacts_url: str | None = Field(
        None, description="file:// or s3:// folder of the models; unset means `artifacts` in the home."
    )
    s3_endpoint: str | None = Field(
        None, description="URL of an S3 service other than Amazon's, such as Supabase Storage; keys as AWS_*."
    )
    training_data: Path | None = Field(
        None,
        description="What `extract` writes and the fallback reads; unset means training-data.json in the home.",
    )
    calibration_baseline: Path | None = Field(
        None, description="What `baseline` writes; unset means calibration-baseline.json in the home."
    )
    label: Literal["views", "wes"] = Field("views", description="What the tiers of a retrain rank: views or wes.")
    label_age: timedelta = Field(
        timedelta(hours=72),
        gt=timedelta(hours=24),
        description="Age at which a forecast's outcome is read: 72h, 3d, or a number of hours.",
        validation_alias=AliasChoices("GROUNDSWELL_LABEL_AGE", "GROUNDSWELL_LABEL_AGE_HOURS"),
    )
    label_age_max: timedelta | None = Field(
        None,
        description="Age beyond which a reading is no outcome of a forecast: 8d, or a number of hours; unset, none is.",
        validation_alias=AliasChoices("GROUNDSWELL_LABEL_AGE_MAX", "GROUNDSWELL_LABEL_AGE_MAX_HOURS"),
    )
    accuracy_floor: float = Field(0.60, ge=0, le=1, description="Holdout accuracy a model of `observed` needs.")
    forecast_floor: float = Field(
        0.0, ge=0, le=1, description="Holdout accuracy a model of a forecast window needs; by default lift decides."
    )
    forecast_max_ece: float = Field(
        0.10, gt=0, le=1, description="ECE of the likeliest tier above which a forecast's chances are not believed."
    )
    forecast_max_rows: int = Field(
        50_000, ge=100, description="Newest videos that a forecast trains on at most, beside those that calibrate."
    )
    margin: float = Field(0.005, ge=0, le=1, description="Loss of RPS against the champion that the gate allows.")
    min_rows: int = Field(
        500, ge=10, description="Scraped videos under which a retrain falls back to the training data."
    )
    max_rows: int = Field(10_000, ge=10, description="Newest scraped videos that a retrain uses at most.")
    min_comparable_rows: int = Field(100, ge=2, description="Holdout rows new to the champion that a comparison needs.")
    seed: int = Field(42, ge=0, description="Seed of every split, fit and bootstrap.")
    threads: int = Field(
        1, ge=1, le=256, description="Threads of one fit; more pay only on idle cores, on busy ones they cost tenfold."
    )
    bootstrap: int = Field(1_000, ge=100, le=100_000, description="Bootstrap draws behind every interval.")
    time_limit_seconds: float = Field(
        120, gt=0, allow_inf_nan=False, description="Seconds after which a retrain fails cleanly."
    )
    drift_threshold: float = Field(0.15, gt=0, le=1, description="ECE above which the audit reports drift.")
    pair_days: int = Field(90, ge=1, description="Days back from which the audit takes its pairs.")
    min_pairs: int = Field(50, ge=2, description="Pairs that an audit needs.")
    min_recalibration_rows: int = Field(
        200, ge=50, description="Matured rows, unknown to the estimator, that a recalibration needs."
    )
    max_recalibration_rows: int = Field(
        20_000, ge=50, description="Newest matured rows that a recalibration uses at most."
    )
    max_audit_rows: int = Field(
        200_000, ge=100, description="Newest matured predictions of a line that an audit judges at most."
    )
    drift_days: int = Field(30, ge=1, description="Days of predictions that are held against the training data.")
    max_drift_rows: int = Field(
        100_000, ge=100, description="Newest predictions of a line that an audit looks at for drift, at most."
    )

    @field_validator("label_age", "label_age_max", "alert_cooldown", mode="before")
    @classmethod
    def _read_duration(cls, value: Any) -> timedelta | None:
        try:
            return parsing.duration(value)
        except ValueError:
            raise ValueError("a length of time such as 72h or 3d") from None

    @model_validator(mode="after")
    def _ages_in_order(self) -> Self:
        if self.label_age_max is not None and self.label_age_max < self.label_age:
            raise ValueError(f"GROUNDSWELL_LABEL_AGE_MAX of at least the label age ({self.label_age})")
        return self

    @field_validator("database_url")
    @classmethod
    def _known_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        schemes = ("sqlite:///", "postgresql://", "postgres://")
        if value is not None and not value.get_secret_value().startswith(schemes):
            raise ValueError("sqlite:///path, postgresql://… or postgres://…")
        return value

    @field_validator("api_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value().strip() in NOT_A_SECRET:
            raise ValueError("a long random text; what is there is what an unset variable leaves behind")
        return value

    @field_validator("api_keys")
    @classmethod
    def _known_roles(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            read_keys(value.get_secret_value())
        return value

    @field_validator("lines")
    @classmethod
    def _known_windows(cls, value: str) -> str:
        if not value.split() or not set(value.split()) <= set(Window):
            raise ValueError("windows with blanks between: " + " ".join(Window))
        return value

    @field_validator("schedule_retrain", "schedule_audit", "schedule_harvest")
    @classmethod
    def _known_moments(cls, value: str) -> str:
        read_cron(value)
        return value

    @field_validator("public_url", "apify_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("an http:// or https:// URL")
        return value and value.rstrip("/")

    @field_validator("artifacts_url")
    @classmethod
    def _known_artifacts(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("file://", "s3://")):
            raise ValueError("a file:// or s3:// URL")
        return value

    @property
    def resolved_database_url(self) -> str:
        """The URL of the database in use: DATABASE_URL, else the embedded SQLite file in the home."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home.absolute() / 'groundswell.db'}"

    @property
    def resolved_artifacts_url(self) -> str:
        """The URL of the folder that holds the artifacts."""
        return self.artifacts_url or f"file://{self.home.absolute() / 'artifacts'}"

    @property
    def training_data_path(self) -> Path:
        """The file that `extract` writes and the fallback reads."""
        return self.training_data or self.home / "training-data.json"

    @property
    def baseline_path(self) -> Path:
        """The file that `baseline` writes."""
        return self.calibration_baseline or self.home / "calibration-baseline.json"

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """Those who may call the API; the lone key is called `key` and may do everything. Empty leaves it open."""
        lone = self.api_key.get_secret_value() if self.api_key else ""
        several = read_keys(self.api_keys.get_secret_value()) if self.api_keys else ()
        return (*([Key("key", EVERY_ROLE, lone)] if lone else []), *several)

    @property
    def scheduled_windows(self) -> tuple[Window, ...]:
        """The lines that the scheduler retrains."""
        return tuple(dict.fromkeys(Window(name) for name in self.lines.split()))

    def thresholds(self) -> dict[str, Any]:
        """Return the settings that shape a model: no secret, no place, nothing of the service."""
        return self.model_dump(mode="json", exclude=set(_NOT_OF_A_MODEL))


#: What must not be shown even where it is wrong; DATABASE_URL is shown without its password.
_SECRETS = frozenset({"cron_secret", "api_key", "api_keys", "webhook_secret", "apify_token", "alert_urls"})


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of this process; raises SettingsError naming key, value and what is expected."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(dict(item)) for item in error.errors())) from None


def variable(field: str) -> str:
    """Return the environment variable of a field.

    >>> variable("cron_secret"), variable("margin")
    ('CRON_SECRET', 'GROUNDSWELL_MARGIN')
    """
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{_PREFIX}{field.upper()}"


def masked(url: str) -> str:
    """Return the URL without its password, fit for messages and logs.

    >>> masked("postgresql://ann:secret@db:5432/x")
    'postgresql://ann:***@db:5432/x'
    """
    return _OPTION.sub(r"\1***", _USER_INFO.sub(r"\1:***@", url))


def _sentence(item: dict[str, Any]) -> str:
    field = str(item["loc"][0]) if item["loc"] else ""
    name = next((f for f in Settings.model_fields if field.upper() in {f.upper(), variable(f)}), field)
    expected = str(item["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    if not field:  # it is about several settings together; what they are must not be shown, a secret is among them
        return f"expected {expected}"
    key = variable(name) if name in Settings.model_fields else field
    shown = "***" if name in _SECRETS else masked(str(item["input"]))
    return f"{key}={shown!r}: expected {expected}"
