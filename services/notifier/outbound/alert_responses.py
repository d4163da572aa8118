"""What people answered: `alert.responses`, from its outbox."""

from shared.database.outbox import Outbox
from shared.events.topics import ALERT_RESPONSES
from shared.kafka.relay import Publisher, Relay

POLL_SECONDS = 0.1
"""A person who pressed a button sees the card change well within a second."""


def relay_of(outbox: Outbox, publisher: Publisher) -> Relay:
    """Return the relay of responses; one that is sent again has the same id."""
    return Relay(outbox, publisher, ALERT_RESPONSES, poll_seconds=POLL_SECONDS)
