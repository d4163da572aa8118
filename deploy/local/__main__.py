"""`python -m deploy.local run | down | clean | link | token`, behind the make targets."""

import argparse
import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from deploy.local.account import AccountError
from deploy.local.addresses import Keyring
from deploy.local.credentials import Credentials
from deploy.local.instance import REPOSITORY, Instance, home
from deploy.local.jars import JarError
from deploy.local.logs import LogStream
from deploy.local.ownership import AlreadyRunningError, bring_down, instances
from deploy.local.ports import LOOPBACK, PortTakenError
from deploy.local.processes import CONSOLE, DEMONSTRATION, ROLES, STAND_IN
from deploy.local.recording import ensure_broker_is_recorded
from deploy.local.server import StartError
from deploy.local.stack import LocalStack
from shared.database import provision
from shared.errors import LowtideError
from shared.http.auth import Scope

RUN = "run"
LINK_LIMIT_S = 30
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
    commands.add_parser("link", help="print a new sign-in link for the console of `run`")
    token = commands.add_parser("token", help="print a bearer token for `run`")
    token.add_argument("scope", nargs="+", type=Scope, help=", ".join(Scope))
    token.add_argument("--channel", help="limit it to writing as this channel")
    arguments = parser.parse_args()
    command = arguments.command
    if command == "run":
        sys.exit(run())
    if command == "link":
        print(sign_in_link(Instance.named(RUN)))
        return
    if command == "token":
        instance = Instance.named(RUN)
        instance.create()
        print(Keyring(instance).token("local", tuple(arguments.scope), arguments.channel))
        return
    down()
    if command == "clean":
        sys.exit(clean())


def sign_in_link(instance: Instance) -> str:
    """Return a link that the console's own command mints with the instance's secret."""
    instance.create()
    credentials = Credentials.of(instance.run_folder, provision.SERVICES)
    done = subprocess.run(
        [sys.executable, "-m", CONSOLE.module, "link"],
        cwd=REPOSITORY,
        env={
            "LOWTIDE_CONSOLE_SECRET": credentials.console_secret,
            "LOWTIDE_CONSOLE_URL": f"http://{LOOPBACK}:{CONSOLE.port}",
            "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
        },
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=LINK_LIMIT_S,
    )
    return done.stdout.strip()


def run() -> int:
    """Run the stack on its fixed ports until a signal; return the exit code."""
    began = time.monotonic()
    # Until there is a loop that ends everything in good order, they interrupt like Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
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
        fixed_ports=True,
        stream=stream,
        log_format="plain",
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(stream.follow())
            async with stack:
                stream.print_new()
                await _welcome(stack, time.monotonic() - began)
                await asyncio.Event().wait()
            following.cancel()
    except asyncio.CancelledError:
        if not stopping:
            raise


async def _welcome(stack: LocalStack, seconds: float) -> None:
    lines = [f"Lowtide runs ({seconds:.1f} s). Ctrl-C or `make down` ends it.", ""]
    if CONSOLE.name in stack.surroundings.ports:
        link = await stack.output(CONSOLE.name, "link")
        lines += [
            f"  Console   {link}",
            "            (signs one person in, once; `make link` prints another)",
        ]
    for service in ("ingest", "ledger", "alerting", "notifier"):
        if f"{service}-serve" in stack.surroundings.ports:
            lines.append(f"  {service:<9} {stack.url(service)}/openapi.json")
    lines += [
        f"  Broker    {stack.servers.bootstrap}",
        f"  Files     {stack.instance.folder}",
        "  A token   .lowtide/venv/bin/python -m deploy.local token stock:read",
    ]
    print("\n" + "\n".join(lines) + "\n", flush=True)


def down() -> None:
    """End every stack that runs, and say what was ended."""
    ended = [name for instance in instances() for name in bring_down(instance)]
    print("\n".join(f"Ended {name}." for name in ended) or "Nothing was running.")


def clean() -> int:
    """Delete the data of every stack that has been ended; return the exit code.

    Test runs delete their own.
    """
    found = instances()
    for instance in found:
        instance.delete()
    kept = [instance for instance in found if instance.folder.exists()]
    deleted = [instance.name for instance in found if instance not in kept]
    if deleted or not kept:
        print(f"Deleted the data of {', '.join(deleted)}." if deleted else "There is no data.")
    for instance in kept:
        print(f"Could not delete all of {instance.folder}: delete it by hand.", file=sys.stderr)
    return 1 if kept else 0


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


if __name__ == "__main__":
    main()
