"""What all lanes of a sending process share."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.notifier.destinations.kinds import Renderer
from services.notifier.destinations.transport import Means, Transport
from services.notifier.domain.destinations import Destination
from services.notifier.store.secrets import Vault
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Tools:
    """The process's own things; `jitter` returns a number in [0, 1)."""

    engine: AsyncEngine
    vault: Vault
    renderer: Renderer
    means: Means
    transport_of: Callable[[Destination, Means], Transport]
    clock: Clock
    jitter: Callable[[], float]
