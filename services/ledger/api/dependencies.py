"""What routes are given."""

from typing import Annotated

from fastapi import Depends, Request

from services.ledger.api.desk import Desk
from services.ledger.store.books import Books
from shared.clock import Clock


async def _books(request: Request) -> Books:
    found: Books = request.app.state.books
    return found


async def _clock(request: Request) -> Clock:
    found: Clock = request.app.state.clock
    return found


FromBooks = Annotated[Books, Depends(_books)]
"""The application's view of the tables."""


async def _desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


AtDesk = Annotated[Desk, Depends(_desk)]
"""Where requests about reservations are decided."""
FromClock = Annotated[Clock, Depends(_clock)]
"""The application's clock."""
