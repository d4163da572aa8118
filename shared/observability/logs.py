"""Structured logs: one JSON line per request or batch, to standard output."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import FilteringBoundLogger


def configure_logs(
    service: str, role: str, *, level: str = "info", form: Literal["json", "plain"] = "json"
) -> None:
    """Set up logging for a process; the standard library's loggers are folded in."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    structlog.contextvars.bind_contextvars(service=service, role=role)


def get_logger(name: str) -> FilteringBoundLogger:
    """Return a logger whose lines carry where they come from."""
    logger: FilteringBoundLogger = structlog.get_logger(part=name)
    return logger
