"""Why something cannot be done about an alert, for who asked for it.

LowtideError
├── Covered      ├── WrongState   ├── OwnRequest
├── LimitTooLow  ├── KeyReused
└── NoLevel
"""

from uuid import UUID

from shared.errors import LowtideError


class Covered(LowtideError):  # noqa: N818 - a state, not a mistake
    """Something is under way already that covers the shortage; `action` is its id."""

    def __init__(
        self, action: UUID, number: int, instead: str = "cancel it before you ask for another"
    ) -> None:
        super().__init__(f"Action {number} covers this shortage already; {instead}.")
        self.action = action


class WrongState(LowtideError):  # noqa: N818 - a state, not a mistake
    """The action is not where this could be done with it."""


class OwnRequest(LowtideError):  # noqa: N818 - a rule of the house
    """Nobody approves what he has asked for."""


class LimitTooLow(LowtideError):  # noqa: N818 - a rule of the house
    """What it costs, known or not, is over the approver's limit."""


class KeyReused(LowtideError):  # noqa: N818 - the caller's mistake
    """The Idempotency-Key has asked for something else."""


class FromItself(LowtideError):  # noqa: N818 - the caller's mistake
    """Nothing comes to a warehouse from itself."""

    def __init__(self, warehouse: str) -> None:
        super().__init__(
            f"A transfer cannot come from {warehouse}, where the units are missing; name another "
            "warehouse as its source."
        )


class NoLevel(LowtideError):  # noqa: N818 - what the alert is about
    """Stock comes to a level, and is counted there; the alert is about more than one."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"Alert {number} is about several warehouses or SKUs; ask for this with the alert of "
            "the level that it is meant for."
        )
