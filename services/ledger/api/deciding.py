"""Who decides on counts: whoever calls, or the person whom a trusted caller names."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request

from shared.clock import Clock
from shared.database.audit import Doer
from shared.http.acting import Named, person_named
from shared.http.audit import doer_of
from shared.http.auth import Caller, Scope, require


async def _doer(
    request: Request,
    caller: Annotated[Caller, Depends(require(Scope.CONFIG_WRITE))],
    person: Named = None,
) -> Doer:
    """Return who decides. Raises Problem 403 without the scopes, 422 for an impossible person.

    Who there is, alerting knows; a caller that may speak for people is believed.
    """
    named = person_named(caller, person)
    if named is not None:
        caller = replace(caller, subject=named, through=caller.subject)
    clock: Clock = request.app.state.clock
    return doer_of(request, caller, clock.now())


Decider = Annotated[Doer, Depends(_doer)]
"""Who decides, when, and from where."""
