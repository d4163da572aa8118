"""What the ledger reads from the environment beyond what all services share."""

from shared.settings import Settings


class LedgerSettings(Settings):
    """Settings of the ledger's roles."""

    ledger_workers: int = 2
    """Workers of `consume`, each with a database connection."""

    ledger_streams: int = 100
    """Streams of level changes that a process of `serve` keeps open at the most."""
