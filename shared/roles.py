"""The frame of every process: logs, loop, signals, probes, and an exit code that tells."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping

import uvloop
from starlette.applications import Starlette

from shared.errors import LowtideError
from shared.http import probes
from shared.http.probes import Check
from shared.http.server import serve
from shared.observability.logs import configure_logs, get_logger
from shared.settings import Settings

_log = get_logger("role")

Main = Callable[[asyncio.Event], Awaitable[None]]
"""A role's work: runs until the event is set, or raises."""


def run_role(service: str, role: str, settings: Settings, main: Main) -> None:
    """Run a role until SIGTERM or SIGINT, then exit; exit code 1 when it ended by itself.

    A supervisor is expected to start it anew: ending is how a process that was fenced, stalled
    or confused gets back to a known state.
    """
    configure_logs(service, role, level=settings.log_level, form=settings.log_format)
    _calm_collector()
    failed = False
    try:
        uvloop.run(_run(main))
    except* LowtideError as errors:
        failed = True
        for error in _leaves(errors):
            _log.error("ended", reason=str(error), kind=type(error).__name__)
    except* Exception:  # noqa: BLE001 - the last line of defence: log it, then end
        failed = True
        _log.exception("ended by an unexpected error")
    if failed:
        sys.exit(1)


def _calm_collector() -> None:
    """Keep the cyclic collector from reading all memory several times a second.

    A batch makes tens of thousands of tuples that die with it, and reference counting sees to
    them; Python's default (a look at 700 of them, and soon at everything) took a third of the
    ledger's time, and a look at the 50,000 and more of two batches under way still a twentieth.
    What was imported stays for life and is never looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


async def _run(main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await main(stop)


async def with_probes(
    settings: Settings, checks: Mapping[str, Check], main: Main, stop: asyncio.Event
) -> None:
    """Run a role without an API beside its probes and metrics, on the settings' host and port."""
    app = Starlette(routes=probes.routes(checks))
    async with asyncio.TaskGroup() as group:
        answering = group.create_task(serve(app, settings.host, settings.port, stop=stop))
        await main(stop)
        stop.set()
        await answering


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
