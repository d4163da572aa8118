"""`python -m deploy.local.replays FILE`: replay a recorded year; `make replay` calls this.

The last line of the output is the report as one JSON object. Exits with 1 when something was
lost, wrong or told to nobody, and with 2 when the replay could not be carried out.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.local.__main__ import FORESEEN
from deploy.local.instance import Instance
from deploy.local.jars import class_path
from deploy.local.ownership import bring_down, living_owner
from deploy.local.replays.kills import NeverBackError
from deploy.local.replays.lowtide import RefusedError
from deploy.local.replays.progress import Screen
from deploy.local.replays.run import Options, Outcome, replay
from deploy.local.replays.settling import NeverSettledError
from deploy.local.replays.source import UnreadableFileError

ENDINGS = (
    *FORESEEN,
    NeverBackError,
    NeverSettledError,
    RefusedError,
    TimeoutError,
    UnreadableFileError,
)
"""Errors whose message is all that a person needs."""

WRONG, NOT_CARRIED_OUT, INTERRUPTED = 1, 2, 130


def main() -> int:
    """Run the command line and return the exit code."""
    options, fresh = _arguments()
    instance = Instance.named(options.instance)
    if fresh and living_owner(instance) is None:
        bring_down(instance)  # what a killed run may have left
        instance.delete()
    try:
        outcome = _carried_out(options)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    if outcome is None:
        return NOT_CARRIED_OUT
    for failure in outcome.failures:
        print(f"WRONG: {failure}", file=sys.stderr)
    print(outcome.report.json(), flush=True)
    return WRONG if outcome.failures else 0


def _carried_out(options: Options) -> Outcome | None:
    """Return the outcome; None when the reason why there is none has been printed."""
    outcome: Outcome | None = None
    try:
        class_path()  # a first download belongs before the clock
        outcome = asyncio.run(_until_signal(options))
    except* ENDINGS as group:
        for error in _leaves(group):
            print(f"Cannot replay: {error or type(error).__name__}", file=sys.stderr)
    return outcome


async def _until_signal(options: Options) -> Outcome:
    """Replay; `make down` and a closed terminal end it in good order, as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await replay(options, Screen())


def _arguments() -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.replays", description=__doc__)
    parser.add_argument("file", type=Path, help="a Parquet file of the declared kind")
    parser.add_argument("--speed", type=_speed, help="multiples of real time; default: no limit")
    parser.add_argument("--kill", type=int, metavar="SEED", help="kill every process on the way")
    parser.add_argument("--fresh", action="store_true", help="delete an earlier run's data first")
    given = parser.parse_args()
    return Options(given.file, speed=given.speed, kill=given.kill), given.fresh


def _speed(text: str) -> float:
    speed = float(text)
    if not speed > 0:
        raise argparse.ArgumentTypeError("a speed is more than 0; 86400 is a day a second")
    return speed


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


if __name__ == "__main__":
    sys.exit(main())
