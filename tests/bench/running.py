"""Run a benchmark to its last line, or end it whole: by Ctrl-C, SIGTERM or SIGHUP alike."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress

import psutil
import uvloop

from tests.bench.latencies import Missed

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HEARD_SECONDS = 0.01


def run(bench: Coroutine[None, None, str]) -> None:
    """Print the last line of a benchmark; exit code 1 when its run does not count.

    Whatever it has started is ended before it ends itself, with 130, at the first of the signals;
    those after it change nothing.
    """
    try:
        print(uvloop.run(_until_signal(bench)))
    except Missed as missed:
        sys.exit(f"This run does not count: {missed}")
    except asyncio.CancelledError:
        sys.exit(130)


async def _until_signal(bench: Coroutine[None, None, str]) -> str:
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    ended = False

    def end(number: signal.Signals) -> None:
        nonlocal ended
        if not ended and main is not None:
            ended = True
            if number is not signal.SIGINT:
                _interrupt_helpers()
            main.cancel()

    for number in _ENDS:
        loop.add_signal_handler(number, end, number)
    try:
        return await bench
    finally:
        # Of a helper that the same Ctrl-C has ended, the loop may hear first.
        await asyncio.sleep(_HEARD_SECONDS)


def _interrupt_helpers() -> None:
    """Send SIGINT to the processes of our own group, as a terminal does at Ctrl-C.

    A thread that waits for one of them would wait until it has done all its work.
    """
    group = os.getpgrp()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getpgid(child.pid) == group:
                child.send_signal(signal.SIGINT)
