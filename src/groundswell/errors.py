"""Everything groundswell raises: one root, and each error says what to do next."""

from __future__ import annotations


class GroundswellError(Exception):
    """We cannot do what was asked; `hint` says what to do next."""

    hint: str = "Run `groundswell --help` for what is possible."
    http_status: int = 500

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class SettingsError(GroundswellError):
    """A setting has a value that cannot be used."""

    hint = "Correct the setting in the environment or in .env; docs/settings.md lists them all."


class SourceError(GroundswellError):
    """A file cannot be read as an export, so nothing of it was stored."""

    hint = "Check that the download is complete, or name the format with --format."
    http_status = 400


class DatabaseError(GroundswellError):
    """The database cannot be reached, read or written."""

    hint = "Check DATABASE_URL, and that the server is up: `groundswell db check`."
    http_status = 503


class ArtifactError(GroundswellError):
    """A stored model cannot be read or written, or is not what its name says."""

    hint = (
        "Check GROUNDSWELL_ARTIFACTS_URL and its credentials; `groundswell models rollback` serves the version before."
    )
    http_status = 503


class NoChampionError(GroundswellError):
    """No version serves the window yet."""

    hint = "Run `groundswell ingest PATH` and then `groundswell retrain`."
    http_status = 409


class UnknownVersionError(GroundswellError):
    """There is no model version of that number."""

    hint = "Run `groundswell models list` to see the versions."
    http_status = 404


class ChampionMovedError(GroundswellError):
    """Somebody else moved the champion since the two were compared; nothing was promoted."""

    hint = "Run it again: the challenger must be compared with the champion that serves now."
    http_status = 409


class LeaseLostError(GroundswellError):
    """Our lease expired before the work was done, so another run may have begun; nothing was published."""

    hint = "Run it again; if this returns, the machine or its database stalled for over 30 seconds."


class TimeLimitError(GroundswellError):
    """The run reached its time limit; the champion stays."""

    hint = "Raise GROUNDSWELL_TIME_LIMIT_SECONDS, or train on fewer rows with GROUNDSWELL_MAX_ROWS."


class TrainingDataError(GroundswellError):
    """There is nothing usable to learn from."""

    hint = "Run `groundswell ingest PATH` on 500 videos or more, or set GROUNDSWELL_TRAINING_DATA."
    http_status = 500


class TooFewVideosError(TrainingDataError):
    """Too few videos have matured to learn a forecast from."""

    hint = "Ingest more videos and later readings of those you have."


class BaselineError(GroundswellError):
    """The calibration baseline is missing or cannot be read."""

    hint = "Run `groundswell baseline` first, or name a file with --baseline."


class RequestError(GroundswellError):
    """The request cannot be answered as it stands."""

    hint = "See the API reference at /docs."
    http_status = 400


class StaleModelError(GroundswellError):
    """What serves was trained under settings that no longer hold."""

    hint = "Run `groundswell retrain --window W`, or set the label age back."
    http_status = 409
