"""What alerting reads from the environment beyond what all services share."""

from typing import Literal

from shared.settings import Settings


class AlertingSettings(Settings):
    """Settings of alerting's roles."""

    clock: Literal["wall", "event"] = "wall"
    """Which time evaluations live in; `event` is for replays of history."""
    alerting_workers: int = 2
    """Workers of `consume`, each with a database connection."""
    supplier_url: str | None = None
    """Where suppliers reach `/supplier/`, as they see it; without it, where alerting is."""
