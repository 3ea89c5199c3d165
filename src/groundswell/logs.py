"""Structured logs on stderr: one line an event, named after the job that speaks."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import Any, Literal

import orjson
import structlog

from groundswell.settings import masked

_FORMAT_TIME = "%Y-%m-%dT%H:%M:%SZ"
#: What a line holds beside what was said and the values it was said with.
_AROUND = frozenset({"event", "logger", "level", "timestamp", "exc_info", "stack_info", "run_id", "request_id"})
_QUIET = ("alembic", "apscheduler", "asyncio", "aiobotocore", "botocore", "fsspec", "httpx", "s3fs", "urllib3")


def configure_logs(level: str = "INFO", log_format: Literal["console", "json"] = "console") -> None:
    """Send the logs of `retrain-ml`, `calibration-audit` and their kin to stderr; colours only on a terminal.

    `json` makes each line one JSON object. What is below the level is not shown, yet kept of a run.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt=_FORMAT_TIME, utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # Plain tracebacks: the pretty ones print local variables, and with them secrets.
            structlog.processors.format_exc_info,
            _mask,
            _json_renderer() if log_format == "json" else _console_renderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.setLevel(level)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(min(handler.level, logging.INFO))
    for noisy in _QUIET:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It names a channel that it cannot use by its whole URL, with the secret in it.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


def spoken(record: logging.LogRecord) -> str:
    """Return what a line says, its values after it and no password in it."""
    if not isinstance(record.msg, dict):
        said, raised = record.getMessage(), record.exc_info
    else:
        values = " ".join(f"{name}={value}" for name, value in record.msg.items() if name not in _AROUND)
        said = f"{record.msg['event']} {values}".rstrip()
        raised = sys.exc_info() if record.msg.get("exc_info") else None
    if raised and raised[0] is not None:
        said += "\n" + "".join(traceback.format_exception(*raised)).rstrip()
    return masked(said)


def _colours() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _console_renderer() -> structlog.typing.Processor:
    return structlog.dev.ConsoleRenderer(
        colors=_colours(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )


def _json_renderer() -> structlog.typing.Processor:
    def render(_logger: Any, _name: str, event: structlog.typing.EventDict) -> str:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()

    return render


def _mask(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Hide the passwords of URLs; secrets of other kinds are never put into words."""
    for name in ("event", "exception"):
        if isinstance(event.get(name), str):
            event[name] = masked(event[name])
    return event
