"""Tell ingest of what was ordered, over its public HTTP interface, until it has taken it."""

import asyncio
from http import HTTPStatus
from typing import NamedTuple

import httpx
from typing_extensions import override

from services.alerting.looking import Looking
from services.alerting.store import actions, calls
from services.alerting.store.acts import By
from services.alerting.store.calls import Call
from shared.clock import Clock
from shared.database.engine import Engine
from shared.observability.logs import get_logger

TIMEOUT_SECONDS = 5.0
"""For a call from its beginning to its end."""

_FOR_NOW = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
}
"""Refusals that are mended where tokens and limits are; what was to be told stays right."""

_log = get_logger("alerting.calling")


class Outcome(NamedTuple):
    """What became of a call: taken, or why not and whether for good."""

    trouble: str | None = None
    refused: bool = False


class Calling(Looking):
    """Works the calls off, one by one: each is taken by one process at a time.

    A call is repeated with the ids that it had, so that what was taken although the answer was
    lost, or the process ended before it was noted, counts once.
    """

    what = "calls to ingest"
    at_once = 1
    look_seconds = 1.0

    def __init__(self, engine: Engine, clock: Clock, http: httpx.AsyncClient) -> None:
        super().__init__(engine, clock)
        self._http = http
        self._is_said = False

    @override
    async def step(self) -> int:
        async with self._engine.begin() as connection:
            due = await calls.take(connection, self._clock.now(), self.at_once)
        for call in due:
            await self._settle(call, await self._make(call))
        return len(due)

    async def _make(self, call: Call) -> Outcome:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.post(
                    call.path,
                    content=call.body.encode(),
                    headers={"Content-Type": "application/json"},
                )
        except (httpx.HTTPError, TimeoutError) as error:
            return Outcome(f"ingest cannot be reached ({type(error).__name__})")
        return judge(answer)

    async def _settle(self, call: Call, outcome: Outcome) -> None:
        async with self._engine.begin() as connection:
            if outcome.trouble is None:
                await calls.done(connection, call.id)
                self._is_said = False
                return
            if outcome.refused:
                by = By(None, None, self._clock.now(), None)
                await actions.refused(connection, call.action_id, outcome.trouble, by)
            await calls.troubled(connection, call.id, outcome.trouble, refused=outcome.refused)
        self._note(outcome.trouble)

    def _note(self, trouble: str) -> None:
        if not self._is_said:
            _log.warning("ingest is not told of orders", reason=trouble)
        self._is_said = True


def judge(answer: httpx.Response) -> Outcome:
    """Return what an answer means.

    A code that ingest does not know waits in its quarantine, and goes on by itself once somebody
    has mapped it: that is taken.
    """
    if answer.is_success:
        return Outcome()
    trouble = f"ingest answers {answer.status_code}: {_detail(answer)}"[:500]
    for_now = answer.is_server_error or answer.status_code in _FOR_NOW or answer.is_redirect
    return Outcome(trouble, refused=not for_now)


def _detail(answer: httpx.Response) -> str:
    """Return what a problem document says is wrong, with the first of its errors."""
    try:
        problem = answer.json()
        errors = [str(each["message"]) for each in problem.get("errors", [])[:1]]
        return " ".join([str(problem["detail"]), *errors])
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer.reason_phrase
