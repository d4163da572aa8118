"""Names of warehouses and channels, remembered for a minute so that pages need not wait."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.console.upstream.answers import Warehouse
from services.console.upstream.ingest import Ingest
from services.console.upstream.service import Refused
from shared.clock import Clock
from shared.errors import Unavailable

_REMEMBERED = timedelta(minutes=1)
# An empty directory is most likely one that is just being filled.
_REMEMBERED_EMPTY = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Names:
    """What to call things; an unknown one is called by its id."""

    warehouses: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)

    def warehouse(self, warehouse: str) -> str:
        """Return a warehouse's name."""
        return self.warehouses.get(warehouse, warehouse)

    def channel(self, channel: str) -> str:
        """Return a channel's name."""
        return self.channels.get(channel, channel)


class Directory:
    """Asks ingest for names; while it is away, the old ones or the ids do."""

    def __init__(self, ingest: Ingest, clock: Clock) -> None:
        self._ingest = ingest
        self._clock = clock
        self._names = Names()
        self._good_until: datetime | None = None

    async def names(self) -> Names:
        """Return the names as known; never fails."""
        now = self._clock.now()
        if self._good_until is not None and now < self._good_until:
            return self._names
        try:
            warehouses = await self._ingest.warehouses()
            channels = await self._ingest.channels()
        except (Unavailable, Refused):
            # From here on: what was slow to fail would otherwise be asked again at once.
            self._good_until = self._clock.now() + _REMEMBERED_EMPTY
            return self._names
        self._names = Names(_by_id(warehouses), {one.id: one.name for one in channels})
        full = bool(warehouses) and bool(channels)
        self._good_until = now + (_REMEMBERED if full else _REMEMBERED_EMPTY)
        return self._names


def _by_id(warehouses: list[Warehouse]) -> dict[str, str]:
    return {one.id: one.name for one in warehouses}
