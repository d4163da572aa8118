"""What became of episodes: `stock.alerts`, from the outbox."""

from shared.database.outbox import Outbox
from shared.events.topics import STOCK_ALERTS
from shared.kafka.relay import Publisher, Relay

POLL_SECONDS = 0.02
"""Asked this often when idle: one short query, and a notice waits 10 ms on average."""


def relay_of(outbox: Outbox, publisher: Publisher) -> Relay:
    """Return the relay of notices."""
    return Relay(outbox, publisher, STOCK_ALERTS, poll_seconds=POLL_SECONDS)
