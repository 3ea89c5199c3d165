"""Structured logs on stderr: one line an event, named after the job that speaks."""

from __future__ import annotations

import logging
import os
import sys

import structlog

_FORMAT_TIME = "%Y-%m-%dT%H:%M:%SZ"


def _colours() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def configure_logs(level: str = "INFO") -> None:
    """Send the logs of `retrain-ml`, `calibration-audit` and their kin to stderr; colours only on a terminal."""
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
            structlog.dev.ConsoleRenderer(
                colors=_colours(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("alembic", "botocore", "aiobotocore", "fsspec", "s3fs", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
