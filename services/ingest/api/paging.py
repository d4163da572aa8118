"""Lists in pages: an opaque cursor says where the next one starts."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Query

from shared.http.pages import decode_cursor, encode_cursor

Limit = Annotated[int, Query(ge=1, le=500, description="Entries at the most")]
Cursor = Annotated[
    str | None, Query(max_length=2_000, description="`next_cursor` of the page before")
]
DEFAULT_LIMIT = 100


def position_of(cursor: str | None, parts: int = 1) -> tuple[str, ...]:
    """Return the position of a cursor, the start of the list for None; raises Problem 422."""
    if cursor is None:
        return ("",) * parts
    return tuple(map(str, decode_cursor(cursor, *[str] * parts)))


def page(items: Sequence[Mapping[str, object]], limit: int, *position: str) -> dict[str, object]:
    """Return a page as it is answered; `position` names the fields the list is ordered by."""
    full = len(items) == limit
    return {
        "items": items,
        "next_cursor": encode_cursor(*(str(items[-1][name]) for name in position))
        if full
        else None,
    }
