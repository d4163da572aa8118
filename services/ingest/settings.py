"""Configuration of ingest, from the environment alone."""

from shared.settings import Settings


class IngestSettings(Settings):
    """What ingest reads beyond what all services share."""

    send_seconds: float = 5.0
    """How long a request waits for the broker before it is answered with 503. Once the broker is
    known to be away the answer is immediate."""
