"""What the routes work with."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.ingest.guessing import Guessing
from services.ingest.pipeline import Intake
from services.ingest.replaying import Replay
from services.ingest.store.database import Database
from services.ingest.store.known_codes import KnownCodes
from services.ingest.store.unpublished import Publisher
from shared.clock import Clock
from shared.database.audit import Doer
from shared.http.audit import doer_of
from shared.http.auth import Caller, Scope, require


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the `serve` role that routes use."""

    database: Database
    clock: Clock
    known: KnownCodes
    guessing: Guessing
    intake: Intake
    replay: Replay
    publisher: Publisher


async def _of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


Given = Annotated[Parts, Depends(_of)]
"""A route's parameter."""

MAY_READ = Depends(require(Scope.STOCK_READ))
MAY_CONFIGURE = Depends(require(Scope.CONFIG_WRITE))


async def _editor(request: Request, parts: Given, caller: Annotated[Caller, MAY_CONFIGURE]) -> Doer:
    return doer_of(request, caller, parts.clock.now())


Editor = Annotated[Doer, Depends(_editor)]
"""Who may configure and now does so, for the audit."""
