"""Reports that are due: `alert.reports`, from their outbox."""

from shared.database.outbox import Outbox
from shared.events.topics import ALERT_REPORTS
from shared.kafka.relay import Publisher, Relay

POLL_SECONDS = 1.0
"""A few reports a day, and nobody waits for one by the second."""


def relay_of(outbox: Outbox, publisher: Publisher) -> Relay:
    """Return the relay of reports."""
    return Relay(outbox, publisher, ALERT_REPORTS, poll_seconds=POLL_SECONDS)
