"""Who does something with an alert: whoever calls, or the person whom a trusted caller names.

A console signs people in itself and calls with a token of its own. What it does for one of them
is that person's: it owns, it is counted, and nobody approves what they have asked for themselves.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Header

from services.alerting.api.desk import AtDesk
from services.alerting.store import people
from shared.http.auth import Caller, Scope, require
from shared.http.problems import Problem

ACTING_FOR = "Lowtide-Acting-For"

_OF_A_PERSON = frozenset({Scope.ALERTS_READ, Scope.ALERTS_WRITE})
"""What is done for a person never has more of the caller's scopes than these."""


async def acting(
    at: AtDesk,
    caller: Annotated[Caller, Depends(require(Scope.ALERTS_WRITE))],
    person: Annotated[
        str | None,
        Header(
            alias=ACTING_FOR,
            max_length=1_000,
            description="The id of the person, percent-encoded; needs the scope alerts:act_for",
        ),
    ] = None,
) -> Caller:
    """Return who acts. Raises Problem 403 without the scope, 422 for a person who is unknown."""
    if person is None:
        return caller
    if not caller.may(Scope.ALERTS_ACT_FOR):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "may_not_act_for",
            f"The token lacks the scope {Scope.ALERTS_ACT_FOR}; leave out {ACTING_FOR}, "
            "or ask for one that has it.",
        )
    named = unquote(person)
    known = None
    if "\x00" not in named:
        known = await at.ask(lambda connection: people.one(connection, named))
    if known is None:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unknown_actor",
            f"There is no person {named!r} to act for; see /v1/people, or make one with PUT.",
        )
    scopes = frozenset(scope for scope in _OF_A_PERSON if caller.may(scope))
    return replace(caller, subject=named, scopes=scopes, through=caller.subject)


Actor = Annotated[Caller, Depends(acting)]
"""Who does something with an alert, an action, an order or a case."""
