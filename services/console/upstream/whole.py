"""Lists that services answer part by part, read whole."""

from typing import TypeVar

from pydantic import TypeAdapter

from services.console.upstream.answers import Page
from services.console.upstream.service import Service

T = TypeVar("T")

_AT_ONCE = 500
"""As many as services answer at the most."""


async def whole(service: Service, answer: TypeAdapter[Page[T]], path: str) -> list[T]:
    """Return all that lies at a path. Raises what `Service.get` does."""
    found: list[T] = []
    parameters: dict[str, str | int] = {"limit": _AT_ONCE}
    while page := await service.get(answer, path, parameters):
        found += page.items
        if page.next_cursor is None:
            break
        parameters["cursor"] = page.next_cursor
    return found
