"""Who may spend how much: limits of persons and of roles."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from services.alerting.domain.people import Role

NOTHING = Decimal(0)
ANYTHING = Decimal("Infinity")
"""The limit of somebody without one; only it covers a cost that nobody knows."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Amounts by person and by role, in the currency of the books; a person's own one decides."""

    by_person: Mapping[str, Decimal] = field(default_factory=dict)
    by_role: Mapping[Role, Decimal] = field(default_factory=dict)

    @property
    def are_set(self) -> bool:
        """Whether anything needs approval at all."""
        return bool(self.by_person or self.by_role)

    def of(self, person: str, roles: Collection[Role]) -> Decimal:
        """Return a person's limit where the person has these roles; nothing where none is set."""
        own = self.by_person.get(person)
        if own is not None:
            return own
        return max((self.by_role.get(role, NOTHING) for role in roles), default=NOTHING)

    def need_approval(self, cost: Decimal | None, person: str, roles: Collection[Role]) -> bool:
        """Return whether what a person asks for needs somebody else's approval."""
        return self.are_set and not covers(self.of(person, roles), cost)


def covers(limit: Decimal, cost: Decimal | None) -> bool:
    """Return whether a limit covers a cost; an unknown one may be any."""
    return limit == ANYTHING or (cost is not None and cost <= limit)
