"""A question whose answer a panel shows: what came back, or what was there before."""

from collections.abc import Awaitable
from typing import TypeVar

from services.console.domain.board import Section
from services.console.upstream.service import Refused
from shared.errors import Unavailable

T = TypeVar("T")


async def answered(before: Section[T], question: Awaitable[T]) -> Section[T]:
    """Return the answer as a section; without one, what was said before, marked as such."""
    try:
        return Section(await question)
    except (Unavailable, Refused):
        return before.without_answer()
