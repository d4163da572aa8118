"""What the ledger reads from the environment beyond what all services share."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from shared.settings import Settings


class LedgerSettings(Settings):
    """Settings of the ledger's roles."""

    ledger_workers: int = 2
    """Workers of `consume`, each with a database connection."""

    ledger_streams: int = 100
    """Streams of level changes that a process of `serve` keeps open at the most."""

    ledger_keep_days: Annotated[int, Field(ge=30)] = 400
    """Days whose movements stay in the tables when `archive` runs: a year, and what is late."""

    ledger_keep_reservations_days: Annotated[int, Field(ge=90)] = 90
    """Days for which reservations can be asked for after they have ended, until `archive` runs: as
    long as a repeat of anything is recognised, and so longer than any answer is repeated."""

    ledger_archive_daily: bool = False
    """Whether `consume` runs `archive` by itself, once a day. Where processes are on several
    machines, only for those that see the folder."""

    ledger_archive_folder: Path = Path(".lowtide/archive")
    """Where `archive` writes the days that go, and `verify --archive` reads them."""
