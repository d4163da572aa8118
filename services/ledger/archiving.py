"""Run `archive` once a day beside the consumer, where that is wanted.

In a process of its own: it computes and needs memory as long as it takes, and who works changes on
this loop has no turn to spare. It may be killed anywhere and run again, so nothing is kept of it:
where several processes are to do it, those that come later find nothing left to do.
"""

import asyncio
import json
import sys
from typing import Protocol

from typing_extensions import override

from shared.clock import Clock
from shared.daily import Daily
from shared.kafka.consumer import BACKLOG_RECORDS
from shared.observability.logs import get_logger

COMMAND = (sys.executable, "-m", "services.ledger", "archive")
"""It reads this process's environment, and so its settings."""

_log = get_logger("archiving")


class Consumer(Protocol):
    """Who applies the changes, and goes first."""

    @property
    def lag(self) -> int | None:
        """How many changes wait; None until known."""


class Archiving(Daily):
    """Archives once a day, when few changes wait."""

    def __init__(self, consumer: Consumer, clock: Clock) -> None:
        super().__init__(clock)
        self._consumer = consumer

    @override
    async def attempt(self) -> bool:
        lag = self._consumer.lag
        if lag is None or lag > BACKLOG_RECORDS:
            return False
        try:
            return await _archived()
        except Exception:  # noqa: BLE001 - the consumer goes on whatever is wrong here
            _log.exception("old days cannot be archived")
            return False


async def _archived() -> bool:
    """Run the command and say what it did; returns whether it came to its end."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        report, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        reason = said.decode(errors="replace").strip().rpartition("\n")[2]
        _log.warning("old days are archived later", reason=reason)
        return False
    _log.info("archived", **json.loads(report))
    return True
