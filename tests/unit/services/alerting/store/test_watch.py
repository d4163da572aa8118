"""Looking for edits, on and on."""

import asyncio
from typing import cast

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from services.alerting.store import watch
from services.alerting.store.watch import Watch


class Looking(Watch):
    """Finds something at once, and then waits for an answer."""

    what = "rules"

    @override
    async def look(self) -> None:
        if self.loaded.is_set():
            await asyncio.Event().wait()
        self.loaded.set()


async def test_readiness_is_told_when_edits_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    looking = Looking(cast("AsyncEngine", None))
    assert await looking.check() == "the rules are still being read"
    async with asyncio.TaskGroup() as group:
        running = group.create_task(looking.run())
        await looking.loaded.wait()
        assert await looking.check() is None
        monkeypatch.setattr(watch, "LATE_SECONDS", 0.0)
        assert await looking.check() == "no edits of rules seen for 0 s"
        running.cancel()


class TooSlowError(Exception):
    """What PostgreSQL says of a question that took longer than it may."""

    sqlstate = "57014"


class SlowOnce(Watch):
    """Finds something at the second look."""

    what = "rules"
    looks = 0

    @override
    async def look(self) -> None:
        self.looks += 1
        if self.looks == 1:
            raise DBAPIError("SELECT", None, TooSlowError())
        self.loaded.set()


async def test_a_question_that_takes_too_long_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)
    looking = SlowOnce(cast("AsyncEngine", None))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(looking.run())
        await looking.loaded.wait()
        running.cancel()
