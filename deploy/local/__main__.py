"""`python -m deploy.local run | down | clean`: what `make run`, `make down`, `make clean` call."""

import argparse
import asyncio
import secrets
import signal
import sys
import time
from collections.abc import Iterator

from deploy.local.account import AccountError
from deploy.local.instance import home
from deploy.local.jars import JarError
from deploy.local.logs import LogStream
from deploy.local.ownership import AlreadyRunningError, bring_down, instances
from deploy.local.ports import PortTakenError
from deploy.local.processes import DEMONSTRATION, ROLES, STAND_IN
from deploy.local.recording import ensure_broker_is_recorded
from deploy.local.server import StartError
from deploy.local.stack import LocalStack
from shared.errors import LowtideError

RUN = "run"
FORESEEN = (
    AccountError,
    AlreadyRunningError,
    JarError,
    LowtideError,
    PortTakenError,
    StartError,
)
"""Errors whose message is all that a person needs; any other is shown with its trace."""


def main() -> None:
    """Run the command line; exits with 1 and a message when the stack cannot run."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run everything with the demonstration until Ctrl-C")
    commands.add_parser("down", help="end everything that runs; the data stays")
    commands.add_parser("clean", help="end everything and delete the data")
    command = parser.parse_args().command
    if command == "run":
        sys.exit(run())
    down()
    if command == "clean":
        for instance in instances():
            instance.delete()
        print(f"The data of every stack below {home()} is deleted.")


def run() -> int:
    """Run the stack on its fixed ports until a signal; return the exit code."""
    began = time.monotonic()
    try:
        ensure_broker_is_recorded()
        asyncio.run(_run_until_signal(began))
    except BaseExceptionGroup as group:
        known, unknown = group.split(FORESEEN)
        for error in _leaves(known) if known is not None else ():
            print(f"\nCannot run: {error}", file=sys.stderr)
        if unknown is not None:
            raise unknown from None
        return 1
    except FORESEEN as error:
        print(f"\nCannot run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _run_until_signal(began: float) -> None:
    stream = LogStream(sys.stdout)
    sign_in_code = secrets.token_urlsafe(18)
    main_task = asyncio.current_task()
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping and main_task is not None:
            stopping = True
            stream.line("stack", "ending everything; the data stays (`make clean` deletes it)")
            main_task.cancel()

    # A second Ctrl-C must not interrupt the orderly end that the first one began.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    stack = LocalStack(
        RUN,
        processes=[process for process in (STAND_IN, *ROLES) if process.exists],
        afterwards=[process for process in (DEMONSTRATION,) if process.exists],
        environments={"console-serve": {"LOWTIDE_SIGN_IN_CODE": sign_in_code}},
        fixed_ports=True,
        stream=stream,
        log_format="plain",
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(stream.follow())
            async with stack:
                stream.print_new()
                _welcome(stack, sign_in_code, time.monotonic() - began)
                await asyncio.Event().wait()
            following.cancel()
    except asyncio.CancelledError:
        if not stopping:
            raise


def _welcome(stack: LocalStack, sign_in_code: str, seconds: float) -> None:
    print(f"\nLowtide runs ({seconds:.1f} s). Ctrl-C or `make down` ends it.\n")
    if "console-serve" in stack.surroundings.ports:
        print(f"  Console   {stack.url('console')}/sign-in?code={sign_in_code}")
        print("            (signs you in once; `make run` prints a new link)")
    for service in ("ingest", "ledger", "alerting", "notifier"):
        if f"{service}-serve" in stack.surroundings.ports:
            print(f"  {service:<9} {stack.url(service)}/openapi.json")
    print(f"  Broker    {stack.servers.bootstrap}")
    print(f"  Files     {stack.instance.folder}\n", flush=True)


def down() -> None:
    """End every stack that runs, and say what was ended."""
    ended = [name for instance in instances() for name in bring_down(instance)]
    print("\n".join(f"Ended {name}." for name in ended) or "Nothing was running.")


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


if __name__ == "__main__":
    main()
