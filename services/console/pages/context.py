"""What every page needs from the process it runs in."""

from dataclasses import dataclass

from services.console.domain.sign_in import Endings
from services.console.pipeline import Live
from services.console.upstream.actions import Actions
from services.console.upstream.alerting import Alerting
from services.console.upstream.directory import Directory
from services.console.upstream.ingest import Ingest
from services.console.upstream.ledger import Ledger
from services.console.upstream.notifier import Notifier
from services.console.upstream.orders import Orders
from services.console.upstream.people import People
from services.console.upstream.reviews import Reviews
from services.console.upstream.rules import Rules
from services.console.upstream.standin import StandIn
from services.console.upstream.stocktakes import Stocktakes
from shared.clock import Clock


@dataclass(frozen=True)
class Context:
    """The services that are asked, what is live, and the time."""

    live: Live
    ingest: Ingest
    ledger: Ledger
    alerting: Alerting
    actions: Actions
    notifier: Notifier
    orders: Orders
    people: People
    reviews: Reviews
    rules: Rules
    stocktakes: Stocktakes
    directory: Directory
    standin: StandIn | None
    """Only beside the demonstration."""
    endings: Endings
    clock: Clock
    assets: str
    """Changes whenever a stylesheet or script does, so that browsers may keep them for ever."""
