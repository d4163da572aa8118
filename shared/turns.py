"""Long work on an event loop that others are served by as well."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

AT_ONCE = 250
"""Pieces of a turn: a few milliseconds where each is an object of an answer."""

Piece = TypeVar("Piece")
Made = TypeVar("Made")


async def in_turns(pieces: Iterable[Piece], make: Callable[[Piece], Made]) -> list[Made]:
    """Return what is made of pieces, in their order; after every few it is others' turn."""
    found: list[Made] = []
    left = iter(pieces)
    while some := [make(piece) for piece in islice(left, AT_ONCE)]:
        found += some
        if len(some) == AT_ONCE:
            await asyncio.sleep(0)
    return found
