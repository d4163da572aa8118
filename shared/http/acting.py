"""For whom somebody acts: a console signs people in itself, and calls with a token of its own."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import unquote

from fastapi import Header

from shared.http.auth import Caller, Scope
from shared.http.problems import Problem

ACTING_FOR = "Lowtide-Acting-For"

Named = Annotated[
    str | None,
    Header(
        alias=ACTING_FOR,
        max_length=1_000,
        description="The id of the person, percent-encoded; needs the scope alerts:act_for",
    ),
]


def person_named(caller: Caller, named: str | None) -> str | None:
    """Return the id of the person whom a caller names, if any.

    Raises Problem 403 without the scope, 422 for an id that nobody can have.
    """
    if named is None:
        return None
    if not caller.may(Scope.ALERTS_ACT_FOR):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "may_not_act_for",
            f"The token lacks the scope {Scope.ALERTS_ACT_FOR}; leave out {ACTING_FOR}, "
            "or ask for one that has it.",
        )
    person = unquote(named)
    if not person or "\x00" in person:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unknown_actor",
            f"Nobody can have the id {person!r}; send a person's in {ACTING_FOR}.",
        )
    return person


def unknown_actor(person: str) -> Problem:
    """Return the problem for a person whom there is not."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "unknown_actor",
        f"There is no person {person!r} to act for; see /v1/people, or make one with PUT.",
    )
