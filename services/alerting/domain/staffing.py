"""Who is meant at a moment by what a playbook says: an owner, a manager, whose turn it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.alerting.domain.people import Responsibilities, Responsibility, Role
from services.alerting.domain.playbook import Whom
from services.alerting.domain.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Place:
    """What an episode is about, as far as it decides who sees to it."""

    owner: str | None
    category: str | None
    warehouse: str
    supplier: str | None = None


_LINE = tuple(Role)
_NOBODY = Responsibility(None, None, None)


@dataclass(frozen=True, slots=True)
class Staffing:
    """The table of responsibilities and the rotations, as of one transaction."""

    responsibilities: Responsibilities = field(default_factory=Responsibilities)
    rotations: Mapping[str, Rotation] = field(default_factory=dict)

    def people(self, whom: Iterable[Whom], place: Place, now: datetime) -> list[str]:
        """Return the ids of the people who are meant, each once."""
        found = (self._person(each, place, now) for each in whom)
        return list(dict.fromkeys(person for person in found if person is not None))

    def _person(self, whom: Whom, place: Place, now: datetime) -> str | None:
        if whom.person is not None:
            return whom.person
        if whom.rotation is not None:
            return self._on_duty(whom.rotation, now)
        found = self.responsibilities.row(place.category, place.warehouse, place.supplier)
        row = found or _NOBODY
        # Who is away is stood in for by the next in line, and so is who is not named.
        line = (place.owner or row.owner, row.deputy, row.manager)
        return self.responsibilities.first_there(line[_LINE.index(whom.role or Role.OWNER) :], now)

    def _on_duty(self, rotation_id: str, now: datetime) -> str | None:
        rotation = self.rotations.get(rotation_id)
        if rotation is None:
            return None
        return rotation.on_duty(now, lambda person: self.responsibilities.is_away(person, now))
