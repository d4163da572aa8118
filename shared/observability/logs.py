"""Structured logs: a JSON line for each thing that is told, to standard output.

Requests that were answered as asked are told at the level debug alone; metrics count them all.
"""

import logging
import sys
import time
from collections.abc import Callable
from typing import Literal

import structlog
from structlog.typing import FilteringBoundLogger
from typing_extensions import override

QUIET_SECONDS = 10.0
"""The broker's client speaks of a broker that is away a hundred times a second; so often it may."""


def configure_logs(
    service: str, role: str, *, level: str = "info", form: Literal["json", "plain"] = "json"
) -> None:
    """Set up logging for a process; the standard library's loggers are folded in."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False,
            # The default shows local variables: secrets among them.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if form == "json":
        before.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*before, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(Damped())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    structlog.contextvars.bind_contextvars(service=service, role=role)


def get_logger(name: str) -> FilteringBoundLogger:
    """Return a logger whose lines carry where they come from."""
    logger: FilteringBoundLogger = structlog.get_logger(part=name)
    return logger


class Damped(logging.Filter):
    """Lets each line of the broker's client's code speak once in QUIET_SECONDS."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__("aiokafka")
        self._now = now
        self._spoken: dict[tuple[str, int], float] = {}

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged; those of others always are."""
        if not super().filter(record):
            return True
        place, now = (record.pathname, record.lineno), self._now()
        if now - self._spoken.get(place, float("-inf")) < QUIET_SECONDS:
            return False
        self._spoken[place] = now
        return True
