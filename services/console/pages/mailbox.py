"""Which mailbox orders leave from: what is chosen, and choosing another."""

from collections.abc import Callable

from services.console.domain.board import Section
from services.console.pages.frame import Frame
from services.console.upstream.answered import answered
from services.console.upstream.order_answers import OrderDestination
from services.console.upstream.orders import Orders
from services.console.upstream.service import Refused
from shared.errors import Unavailable


class Mailbox:
    """One viewer's look at it; another one is chosen by the act `orders:<destination>`."""

    def __init__(self, frame: Frame, orders: Orders, changed: Callable[[], None]) -> None:
        self._frame = frame
        self._orders = orders
        self._changed = changed
        self._section: Section[OrderDestination] = Section()
        self.failures: dict[str, str] = {}
        """By destination, why it could not be chosen."""

    @property
    def known(self) -> bool:
        """Whether alerting has said which it is."""
        return self._section.value is not None

    @property
    def destination(self) -> str | None:
        """Where orders leave from; None: nowhere, or it is not known."""
        return None if self._section.value is None else self._section.value.destination

    async def ask(self) -> None:
        """Learn which it is."""
        self._section = await answered(self._section, self._orders.destination())

    async def act(self, act: str) -> None:
        """Have orders leave from another one from now on."""
        destination = act.removeprefix("orders:")
        if act == destination or not self._frame.may_act():
            return
        self.failures.clear()
        try:
            await self._orders.choose_destination(destination)
            await self.ask()
        except (Refused, Unavailable) as error:
            self.failures[destination] = self._frame.said_of(error, "alerting")
        self._changed()
