"""Turns: what only one transaction at a time may do, whichever process it is in."""

from enum import IntEnum, unique

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@unique
class Turn(IntEnum):
    """An advisory lock, held until its transaction ends. The notifier, next door, has 7,402,004."""

    NOTICES = 7_402_001
    """Relaying: revisions of an alert must not overtake each other."""
    ACTIONS = 7_402_002
    """Changing actions and orders: nobody can order for the same shortage, or close an order that a
    line is being added to, meanwhile. People make these changes; there are never many."""
    REPORTS = 7_402_003
    """Relaying reports."""
    STOCK_OUTS = 7_402_005
    """Looking for what has run out."""


_WAIT = text("SELECT pg_advisory_xact_lock(:turn)")

_TRY = text("SELECT pg_try_advisory_xact_lock(:turn)")


async def wait_for(connection: AsyncConnection, turn: Turn) -> None:
    """Wait until no other transaction has a turn; before anything else is locked."""
    await connection.execute(_WAIT, {"turn": turn})


async def taken(connection: AsyncConnection, turn: Turn) -> bool:
    """Take a turn, unless another transaction has it."""
    return bool(await connection.scalar(_TRY, {"turn": turn}))
