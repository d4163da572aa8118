"""Who does something with an alert: whoever calls, or the person whom a trusted caller names.

A console signs people in itself and calls with a token of its own. What it does for one of them
is that person's: it owns, it is counted, and nobody approves what they have asked for themselves.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends

from services.alerting.api.desk import AtDesk
from services.alerting.store import people
from shared.http.acting import Named, person_named, unknown_actor
from shared.http.auth import Caller, Scope, require

_OF_A_PERSON = frozenset({Scope.ALERTS_READ, Scope.ALERTS_WRITE})
"""What is done for a person never has more of the caller's scopes than these."""


async def acting(
    at: AtDesk,
    caller: Annotated[Caller, Depends(require(Scope.ALERTS_WRITE))],
    person: Named = None,
) -> Caller:
    """Return who acts. Raises Problem 403 without the scope, 422 for a person who is unknown."""
    named = person_named(caller, person)
    if named is None:
        return caller
    if await at.ask(lambda connection: people.one(connection, named)) is None:
        raise unknown_actor(named)
    scopes = frozenset(scope for scope in _OF_A_PERSON if caller.may(scope))
    return replace(caller, subject=named, scopes=scopes, through=caller.subject)


Actor = Annotated[Caller, Depends(acting)]
"""Who does something with an alert, an action, an order or a case."""
