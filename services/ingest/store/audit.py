"""What ingest's audit has entries of: one a request, however many codes it names."""

from enum import StrEnum

MOST_NAMED = 50
"""Of what one request changes, so many are named in its entry; it says how many there were."""


class What(StrEnum):
    """What was done, by the thing it was done to."""

    CHANNEL_PUT = "channel.put"
    WAREHOUSE_PUT = "warehouse.put"
    MAPPINGS_PUT = "mappings.put"
    SKUS_PUT = "skus.put"
    QUARANTINE_DISMISSED = "quarantine.dismissed"
    QUARANTINE_REOPENED = "quarantine.reopened"
