"""Lists in pages: an opaque cursor says where the next one starts."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import Query

from shared.http.problems import Problem

Limit = Annotated[int, Query(ge=1, le=500, description="Entries at the most")]
Cursor = Annotated[
    str | None, Query(max_length=2_000, description="`next_cursor` of the page before")
]
DEFAULT_LIMIT = 100


def cursor_of(*position: str) -> str:
    """Return the cursor of a position in a list."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def position_of(cursor: str | None, parts: int = 1) -> tuple[str, ...]:
    """Return the position of a cursor, the start of the list for None; raises Problem 422."""
    if cursor is None:
        return ("",) * parts
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = json.loads(base64.urlsafe_b64decode(padded.encode()))
    except (binascii.Error, ValueError) as error:
        raise _bad_cursor() from error
    if not (
        isinstance(position, list)
        and len(position) == parts
        and all(isinstance(part, str) and "\x00" not in part for part in position)
    ):
        raise _bad_cursor()
    return tuple(position)


def _bad_cursor() -> Problem:
    message = "send the next_cursor of the page before as it was given, or none"
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        "The cursor is none of ours; see errors.",
        errors=[{"field": "cursor", "code": "invalid", "message": message}],
    )


def page(items: Sequence[Mapping[str, object]], limit: int, *position: str) -> dict[str, object]:
    """Return a page as it is answered; `position` names the fields the list is ordered by."""
    full = len(items) == limit
    return {
        "items": items,
        "next_cursor": cursor_of(*(str(items[-1][name]) for name in position)) if full else None,
    }
