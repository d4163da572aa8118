"""What every write of configuration is held to, and does once it is committed."""

from collections.abc import Sequence
from http import HTTPStatus

from services.ingest.api.parts import Parts
from services.ingest.replaying import Replayed
from services.ingest.store.database import FAILURES
from services.ingest.store.quarantine import Filter
from shared.errors import Unavailable
from shared.http.app import too_large
from shared.http.problems import Problem
from shared.observability.logs import get_logger

MAX_ITEMS = 1_000
_log = get_logger("ingest.changes")


def check_size(items: Sequence[object]) -> None:
    """Raise Problem 413 for more than 1,000 items."""
    if len(items) > MAX_ITEMS:
        raise too_large("The request")


def refused(errors: list[dict[str, object]]) -> Problem:
    """Return the problem of items of which some are wrong: nothing was written."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        "Some items are wrong, nothing was written; see errors.",
        errors=errors,
    )


def error(index: int, field: str, code: str, message: str) -> dict[str, object]:
    """Return one wrong item as it is answered; `message` says what to do."""
    return {"index": index, "field": field, "code": code, "message": message}


async def remember(parts: Parts) -> None:
    """Take a committed change into this process's memory; the others see it within a second."""
    try:
        await parts.known.refresh()
    except Unavailable as away:
        _log.warning("change is committed but not yet in memory", reason=str(away))


async def replay_waiting(parts: Parts, matching: Filter) -> Replayed:
    """Take committed codes into memory and send what waited in quarantine and is known by now.

    When broker or database fail, the change stands and the entries are sent once both are back.
    """
    try:
        return await parts.replay.run(matching)
    except FAILURES as away:
        _log.warning("change is committed, its replay waits", reason=str(away))
        return Replayed(0, 0, 0)
