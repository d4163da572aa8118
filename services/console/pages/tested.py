"""Test messages to destinations, and what became of each."""

from collections.abc import Callable
from uuid import uuid4

from services.console.pages.frame import Frame
from services.console.upstream.notifier import Notifier
from services.console.upstream.service import Refused
from shared.errors import Unavailable

_STILL_UNDER_WAY = frozenset({"waiting", "sending"})


class Tests:
    """What one viewer has tested; asked for by the act `test:<destination>`."""

    def __init__(
        self,
        frame: Frame,
        notifier: Notifier,
        kind_of: Callable[[str], str],
        changed: Callable[[], None],
    ) -> None:
        self._frame = frame
        self._notifier = notifier
        self._kind_of = kind_of
        self._changed = changed
        self.under_way: set[str] = set()
        self.results: dict[str, tuple[str, str]] = {}
        """By destination: whether it is fine, slow or out, and what to say."""

    async def act(self, act: str) -> None:
        """Send a test message and say what became of it."""
        destination = act.removeprefix("test:")
        if act == destination or destination in self.under_way or not self._frame.may_act():
            return
        self.under_way.add(destination)
        self.results.pop(destination, None)
        self._changed()
        self.results[destination] = await self._result(destination)
        self.under_way.discard(destination)
        self._changed()

    async def _result(self, destination: str) -> tuple[str, str]:
        words = self._frame.words
        try:
            found = await self._notifier.test(destination, uuid4().hex)
        except (Refused, Unavailable) as error:
            reason = self._frame.said_of(error, "notifier")
            return "out", words("destination.test.failed", reason=reason)
        if found.state == "sent":
            return "fine", words("destination.test.sent")
        if found.state in _STILL_UNDER_WAY:
            return "slow", words("destination.test.waiting")
        reason = words.why(found.reason or found.state, self._kind_of(destination))
        return "out", words("destination.test.failed", reason=reason)
