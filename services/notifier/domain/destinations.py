"""Where messages go, and how they are put there."""

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum

from services.notifier.domain.addresses import Address, DestinationKind
from services.notifier.domain.manners import Manners


class Language(StrEnum):
    """The language of a destination's messages."""

    CHINESE = "zh-CN"
    ENGLISH = "en"

    @property
    def timezone(self) -> str:
        """The zone of the times in messages, unless the destination names another."""
        return "Asia/Shanghai" if self is Language.CHINESE else "UTC"


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination as configured; `version` grows with each change of it."""

    id: str
    name: str
    language: Language
    timezone: str
    enabled: bool
    address: Address
    version: int = 1
    manners: Manners = field(default_factory=Manners)

    @property
    def kind(self) -> DestinationKind:
        """How it is reached."""
        return self.address.kind

    @property
    def lane(self) -> str:
        """What messages are counted by, without telling the secret: no two share one.

        It begins with the kind, so an attempt's lane says how to read what was sent.
        """
        counted_by = self.address.counted_by
        if counted_by is None:
            return f"{self.kind}:{self.id}"
        return f"{self.kind}:{_digest(counted_by)}"

    @property
    def place(self) -> str:
        """What tells whether messages written earlier are written for here: all but the secrets."""
        return _digest(json.dumps(self.address.settings, sort_keys=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
