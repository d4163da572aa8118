"""The way to one destination: a message in, an outcome out, never an exception."""

import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.notifier.destinations.links import Links
from services.notifier.domain.deliveries import Recipients
from services.notifier.domain.outcomes import Outcome
from services.notifier.store.access_tokens import AccessTokens


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered delivery about to be sent.

    `delivery` names it to those who recognise repeats, `now` is when this attempt is made.
    `recipients` is how far earlier attempts have come, None at the first one and where nobody was
    reached by himself. `link` is the sealed one that belongs into it as it leaves, if any does.
    """

    delivery: UUID
    rendered: bytes
    now: datetime
    recipients: Recipients | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What the transports of a process share; a TLS context is slow to make."""

    tls: ssl.SSLContext
    tokens: AccessTokens
    links: Links


class Transport(Protocol):
    """Sends messages to one destination, one at a time."""

    async def send(self, message: Message) -> Outcome:
        """Send a message; says what became of it and whether a retry makes sense.

        Ends within 30 seconds.
        """

    async def close(self) -> None:
        """Give connections back."""
