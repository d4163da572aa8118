"""Whom a message in a group rings: those whom the revision is for, where there is something to do.

A vendor's module has a `Mention`, which writes what rings one person there. What products, notes or
people are called never gets that far: it is cleaned of markup like every typed text.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from services.notifier.domain.announcements import ANNOUNCING
from services.notifier.domain.deliveries import Kind
from shared.events.stock_alerts import AlertEvent, Recipient, StockAlert

Mention = Callable[[Recipient], str | None]
"""Returns what rings somebody; None for whom the vendor does not know."""

PEOPLE_CALLED = 8
"""More is everybody again. They fit whole with the longest of all else: half an id rings nobody.
The last of them stay, since a playbook draws in at the end."""


class Called(NamedTuple):
    """Those whom a message calls, in order, and those of the words that ring."""

    words: str
    rung: Sequence[str]


NOBODY_CALLED = Called("", ())


def nobody(person: Recipient) -> str | None:  # noqa: ARG001 - that is the point
    """Ring nobody: the message goes to one person anyway, or the group is not to be rung."""
    return None


def rings(kind: Kind, alert: StockAlert) -> bool:
    """Return whether a notice says something that calls for somebody.

    A first notice, what has become worse, a reminder, an escalation, or a request that somebody has
    to approve. Ends, improvements and what somebody has done ring nobody; what is in the place of a
    first notice that waited until somebody had done something does not either.
    """
    if alert.event is AlertEvent.LEVEL_CHANGED:
        return kind is Kind.FIRST or alert.rose
    return alert.event in ANNOUNCING or alert.asks_for_approval


def called(alert: StockAlert, mention: Mention, typed: Callable[[str], str]) -> Called:
    """Return whom a notice is for, if it can ring any: who cannot be rung is named in words."""
    people = alert.to[-PEOPLE_CALLED:]
    rung = [mention(each) for each in people]
    if not any(rung):
        return NOBODY_CALLED
    said = [ring or typed(person.name) for ring, person in zip(rung, people, strict=True)]
    more = ["…"] if len(alert.to) > len(people) else []
    return Called(" ".join([*more, *said]), tuple(filter(None, rung)))
