"""Why something cannot be done about an alert, for who asked for it.

LowtideError
├── Covered      ├── WrongState   ├── OwnRequest
└── LimitTooLow  └── KeyReused
"""

from uuid import UUID

from shared.errors import LowtideError


class Covered(LowtideError):  # noqa: N818 - a state, not a mistake
    """Something is under way already that covers the shortage; `action` is its id."""

    def __init__(self, action: UUID, number: int) -> None:
        super().__init__(
            f"Action {number} covers this shortage already; cancel it before you ask for another."
        )
        self.action = action


class WrongState(LowtideError):  # noqa: N818 - a state, not a mistake
    """The action is not where this could be done with it."""


class OwnRequest(LowtideError):  # noqa: N818 - a rule of the house
    """Nobody approves what he has asked for."""


class LimitTooLow(LowtideError):  # noqa: N818 - a rule of the house
    """What it costs, known or not, is over the approver's limit."""


class KeyReused(LowtideError):  # noqa: N818 - the caller's mistake
    """The Idempotency-Key has asked for something else."""
