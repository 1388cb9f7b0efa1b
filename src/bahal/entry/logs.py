"""One structured log: JSON lines on stderr, UTC, with the room's name; each process sets it up once as it starts."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TextIO

import structlog


def set_up_logs(room: str, path: Path | None = None) -> None:
    """Log JSON lines to `path`, or to stderr, with the room's name in each."""
    stream: TextIO = sys.stderr if path is None else path.open("a", encoding="utf-8")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(room=room)
    logging.basicConfig(
        stream=stream, level=logging.WARNING, format='{"at":"%(asctime)s","level":"%(levelname)s","event":%(message)r}'
    )
