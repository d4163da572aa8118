"""Cursor pagination: a page of items and an opaque cursor to the next one."""

import base64
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from shared.http.problems import Problem

MAX_LIMIT = 500
LAST = 2**63 - 1
"""What no number is behind."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
Item = TypeVar("Item")
Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items a page at the most")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]


class Page(BaseModel, Generic[Item]):
    """Some items; `next_cursor` is null on the last page."""

    items: list[Item]
    next_cursor: str | None = None


def page_of(
    found: Sequence[Row],
    limit: int,
    place: Callable[[Row], Sequence[str | int]],
    answer: Callable[[Row], Item],
) -> Page[Item]:
    """Return what was found, at most `limit` rows, as a page; `place` is a row's in the order."""
    more = encode_cursor(*place(found[-1])) if len(found) == limit else None
    return Page(items=[answer(each) for each in found], next_cursor=more)


def after_text(cursor: str | None) -> str:
    """Return the text that a page comes after; all come after the empty one."""
    return "" if cursor is None else str(decode_cursor(cursor, str)[0])


def after_number(cursor: str | None) -> int:
    """Return the number that a page comes after, of numbers from 1."""
    return 0 if cursor is None else int(decode_cursor(cursor, int)[0])


def under_number(cursor: str | None) -> int:
    """Return the number that a page stays under."""
    return LAST if cursor is None else int(decode_cursor(cursor, int)[0])


def before_moment(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Return the moment, and the id of what was then, that a page comes before."""
    if cursor is None:
        return None
    at, id_ = decode_cursor(cursor, str, str)
    try:
        return datetime.fromisoformat(str(at)).astimezone(UTC), UUID(str(id_))
    except (ValueError, OverflowError):
        raise bad_cursor() from None


def encode_cursor(*position: str | int) -> str:
    """Return a cursor that stands for a position in an order."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> tuple[str | int, ...]:
    """Return the position a cursor stands for. Raises Problem 422 for one that is not ours."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = json.loads(base64.urlsafe_b64decode(padded.encode()))
    except (ValueError, RecursionError):
        position = None
    if (
        not isinstance(position, list)
        or len(position) != len(kinds)
        or not all(map(_fits, position, kinds))
    ):
        raise bad_cursor()
    return tuple(position)


def bad_cursor() -> Problem:
    """Return the problem for a cursor that does not stand for a position in what is asked for."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "bad_cursor",
        "The cursor is not one of ours; start again without it.",
    )


def _fits(part: object, kind: type) -> bool:
    """Return whether a part is of its kind and something that a database can hold."""
    if isinstance(part, str):
        return kind is str and not _UNSTORABLE.search(part)
    return kind is int and type(part) is int and -(2**63) <= part < 2**63
