"""A whole stack for one benchmark, an opened shop on it, and traffic from a process of its own."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from deploy.local.instance import REPOSITORY, Instance
from deploy.local.ownership import owned
from deploy.local.processes import ROLES, Process
from deploy.local.replays.lowtide import Lowtide
from deploy.local.stack import LocalStack
from shared.http.auth import Scope
from tests.bench.meter import Meter
from tests.bench.traffic import Order, Phase, Report

LEDGER_ROLES = ("ingest-serve", "ledger-consume", "ledger-serve")
"""What takes changes and keeps levels, without what warns and tells."""

_LEAD_S = 0.5
"""Between the word to start and the start."""

_END_LIMIT_S = 60.0


def roles(*names: str) -> list[Process]:
    """Return some of the services' processes, by name."""
    return [role for role in ROLES if role.name in names]


@asynccontextmanager
async def fresh_stack(
    processes: Sequence[Process], afterwards: Sequence[Process] = ()
) -> AsyncIterator[LocalStack]:
    """Yield a stack of its own; nothing of it, or of a run that was killed, is left behind."""
    stack = LocalStack("bench", processes=processes, afterwards=afterwards)
    try:
        _delete(stack.instance)
        async with stack:
            yield stack
    finally:
        _delete(stack.instance)


def _delete(instance: Instance) -> None:
    with owned(instance):
        instance.delete()


def lowtide(stack: LocalStack) -> Lowtide:
    """Return a client of the stack's services that may do everything."""
    names = [name for name in stack.surroundings.ports if name.endswith("-serve")]
    urls = {name: stack.url(name) for name in (name.removesuffix("-serve") for name in names)}
    return Lowtide(urls, stack.token(*Scope))


def meter(stack: LocalStack) -> Meter:
    """Return what reads the processor time of each of the stack's processes."""
    names = ["kafka", "postgres", *(name for name in stack.surroundings.ports if ":" not in name)]
    children = {name: stack.supervisor.child(name).pid for name in dict.fromkeys(names)}
    return Meter({name: pid for name, pid in children.items() if pid is not None})


class Traffic:
    """Requests under way, from `start` (Unix time)."""

    def __init__(self, start: float, process: "subprocess.Popen[str]", report: Path) -> None:
        self.start = start
        self.process = process
        self._report = report

    async def ended(self) -> Report:
        """Wait until it has ended by itself, and return what became of all requests."""
        if await asyncio.to_thread(self.process.wait) != 0:
            raise RuntimeError(f"the traffic ended with exit code {self.process.returncode}")
        return Report.model_validate_json(self._report.read_bytes())

    async def stopped(self) -> Report:
        """Let it send nothing more; return what became of all requests."""
        self.process.terminate()
        async with asyncio.timeout(_END_LIMIT_S):
            return await self.ended()


@asynccontextmanager
async def traffic(
    url: str, requests: Sequence[str], phases: Sequence[Phase], *, connections: int = 32
) -> AsyncIterator[Traffic]:
    """Send requests to a service for the length of the block, unless the phases end before."""
    address = urlsplit(url)
    folder = TemporaryDirectory()
    report = Path(folder.name) / "report.json"
    order = Order(
        host=address.hostname or "",
        port=address.port or 0,
        requests=list(requests),
        phases=list(phases),
        connections=connections,
        report=report,
    )
    process = await asyncio.to_thread(_make_ready, order)
    try:
        start = time.time() + _LEAD_S
        _write(process, f"{start}\n")
        await asyncio.sleep(start - time.time())
        yield Traffic(start, process, report)
    finally:
        process.kill()
        process.wait()
        folder.cleanup()


def _make_ready(order: Order) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.traffic"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _write(process, order.model_dump_json() + "\n")
    if process.stdout is None or process.stdout.readline() != "ready\n":
        raise RuntimeError("the traffic could not be made ready")
    return process


def _write(process: "subprocess.Popen[str]", line: str) -> None:
    if process.stdin is not None:
        process.stdin.write(line)
        process.stdin.flush()
