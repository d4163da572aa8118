"""All that failed at a destination once more: counted first, then sent."""

from collections.abc import Callable
from uuid import uuid4

from services.console.pages.frame import Frame
from services.console.upstream.delivery_answers import Replayed
from services.console.upstream.notifier import Notifier, Sought
from services.console.upstream.service import Refused
from shared.errors import Unavailable


class Replaying:
    """One viewer's replay of what they look at; asked for by the acts `replay…`."""

    def __init__(self, frame: Frame, notifier: Notifier, changed: Callable[[], None]) -> None:
        self._frame = frame
        self._notifier = notifier
        self._changed = changed
        self._key = ""
        self.destination = ""
        """Where what failed is looked at; empty: nothing can be replayed here."""
        self.under_way = False
        self.counted: Replayed | None = None
        """What would be sent, while that waits to be confirmed."""
        self.done: Replayed | None = None
        self.failure = ""

    def look_at(self, sought: Sought) -> None:
        """Begin anew with another part of the notices."""
        self.destination = sought.destination if sought.state == "dead" else ""
        self.counted, self.done, self.failure = None, None, ""

    async def act(self, act: str) -> None:
        """Count what failed, send it again, or leave it."""
        if self.under_way or not self.destination or not self._frame.may_act():
            return
        if act == "replay":
            self._key = uuid4().hex
            await self._ask(dry_run=True)
        elif act == "replay:send" and self.counted is not None:
            await self._ask(dry_run=False)
        elif act == "replay:leave":
            self.counted = None
            self._changed()

    async def _ask(self, *, dry_run: bool) -> None:
        destination = self.destination
        self.under_way, self.done, self.failure = True, None, ""
        self._changed()
        answer: Replayed | None = None
        failure = ""
        try:
            answer = await self._notifier.replay(
                destination, key=None if dry_run else self._key, dry_run=dry_run
            )
        except (Refused, Unavailable) as error:
            failure = self._frame.said_of(error, "notifier")
        self.under_way = False
        if destination == self.destination:
            self.failure = failure
            if dry_run:
                self.counted = answer
            elif answer is not None:
                self.counted, self.done = None, answer
        self._changed()
