"""The ledger's advisory locks, which are the whole database's: each for one thing."""

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """An advisory lock."""

    PERIODS = 7_246_001
    """Two workers must not make the same partition."""
    OPENINGS = 7_246_002
    """Shared by who records what happened long ago, exclusive to who moves openings."""
    RETENTION = 7_246_003
    """Of two commands at once, one gives way."""
    GENERATIONS = 7_246_004
    """Who makes levels anew holds it alone, whoever claims partitions shares it."""
