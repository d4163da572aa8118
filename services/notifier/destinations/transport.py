"""The way to one destination: bytes in, an outcome out, never an exception."""

import ssl
from typing import Protocol, assert_never

from services.notifier.destinations.smtp import SmtpTransport
from services.notifier.destinations.wecom_bot import WecomBotTransport
from services.notifier.domain.deliveries import Recipients
from services.notifier.domain.destinations import Destination, Email, WecomBot
from services.notifier.domain.outcomes import Outcome


class Transport(Protocol):
    """Sends messages to one destination, one at a time."""

    async def send(self, rendered: bytes, recipients: Recipients | None) -> Outcome:
        """Send a rendered message; says what became of it and whether a retry makes sense.

        Ends within 30 seconds. `recipients` are those of an e-mail still to be reached, None at
        its first attempt and for WeCom.
        """

    async def close(self) -> None:
        """Give connections back."""


def transport_of(destination: Destination, tls: ssl.SSLContext) -> Transport:
    """Return the transport of a destination; `tls` is shared, since making one is slow."""
    match destination.address:
        case WecomBot() as bot:
            return WecomBotTransport(bot, tls)
        case Email() as email:
            return SmtpTransport(email, tls)
        case _:
            assert_never(destination.address)
