"""What the fake vendors have in common: orders to misbehave, and quotas over sliding windows."""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import ClassVar

from shared.clock import Clock, WallClock
from shared.testing.unruly_http import Misconduct, Reply, Request, serving


class Fault(Enum):
    """What may go wrong with a request."""

    LOSE_ANSWER = auto()
    """The message is accepted, then the connection is reset."""
    DROP = auto()
    """The connection is reset and nothing accepted."""
    HANG = auto()
    """Nothing is accepted and nothing answered."""
    ACCEPT_AND_HANG = auto()
    """The message is accepted and nothing answered."""
    STATUS_500 = auto()
    ERRCODE = auto()
    """It is refused in the vendor's way with the order's `errcode`."""


@dataclass(slots=True)
class _Order:
    fault: Fault
    key: str | None
    times: int
    errcode: int | str
    after: int


class Refused(Exception):  # noqa: N818 - never leaves a fake
    """A message that the vendor does not take, with its own code for why."""

    def __init__(self, errcode: int | str, errmsg: str = "") -> None:
        super().__init__(errmsg)
        self.errcode = errcode
        self.errmsg = errmsg


class FakeVendor(ABC):
    """A vendor's server and its orders to misbehave.

    `rejected` counts refusals by code, `answers_lost` messages accepted without the sender's
    learning of it, `hung` requests that were never answered. A key is whatever the vendor tells
    its bots apart by.
    """

    def __init__(self, clock: Clock | None) -> None:
        self.rejected: Counter[int | str] = Counter()
        self.answers_lost = 0
        self.hung = 0
        self._clock = clock or WallClock()
        self._orders: list[_Order] = []

    def order(
        self,
        fault: Fault,
        *,
        key: str | None = None,
        times: int = 1,
        errcode: int | str = -1,
        after: int = 0,
    ) -> None:
        """Misbehave with the next `times` requests (of one key, or of any), `after` good ones."""
        self._orders.append(_Order(fault, key, times, errcode, after))

    def relent(self) -> None:
        """Forget all orders."""
        self._orders.clear()

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on the loopback and yield the base URL."""
        async with serving(self.answer, port=port) as bound:
            yield f"http://127.0.0.1:{bound}"

    path: ClassVar[str]
    """Where the vendor takes messages."""

    def answer(self, request: Request) -> Reply | Misconduct:
        """Answer one HTTP request."""
        if not self._is_ours(request):
            return Reply(404, b"")
        if request.method != "POST":
            return Reply(405, b"")
        return self._obey(self._key_of(request), request)

    def _is_ours(self, request: Request) -> bool:
        return request.path == self.path

    @abstractmethod
    def _key_of(self, request: Request) -> str:
        """Return what the vendor tells the request's bot by."""

    @abstractmethod
    def _accept(self, key: str, request: Request, *, answer_lost: bool) -> Reply:
        """Check a message and keep it. Raises Refused."""

    @abstractmethod
    def _refuse(self, refused: Refused) -> Reply:
        """Say no in the vendor's way."""

    def _obey(self, key: str, request: Request) -> Reply | Misconduct:
        """Receive a message, or misbehave as the next order for its key says."""
        match self._next_order(key):
            case None:
                return self._receive(key, request, answer_lost=False)
            case _Order(fault=Fault.LOSE_ANSWER):
                self._receive(key, request, answer_lost=True)
                return Misconduct.DROP
            case _Order(fault=Fault.ACCEPT_AND_HANG):
                self._receive(key, request, answer_lost=True)
                return self._hang()
            case _Order(fault=Fault.DROP):
                return Misconduct.DROP
            case _Order(fault=Fault.HANG):
                return self._hang()
            case _Order(fault=Fault.STATUS_500):
                return Reply(500, b"")
            case order:
                return self._reject(Refused(order.errcode, "as ordered"))

    def _hang(self) -> Misconduct:
        self.hung += 1
        return Misconduct.HANG

    def _next_order(self, key: str) -> _Order | None:
        for order in self._orders:
            if order.key in {None, key}:
                if order.after > 0:
                    order.after -= 1
                    continue
                order.times -= 1
                if order.times == 0:
                    self._orders.remove(order)
                return order
        return None

    def _receive(self, key: str, request: Request, *, answer_lost: bool) -> Reply:
        try:
            reply = self._accept(key, request, answer_lost=answer_lost)
        except Refused as refused:
            return self._reject(refused)
        self.answers_lost += answer_lost
        return reply

    def _reject(self, refused: Refused) -> Reply:
        self.rejected[refused.errcode] += 1
        return self._refuse(refused)


class Quota:
    """So many messages per key within any span; one too many blocks the key for a while."""

    def __init__(self, *limits: tuple[int, timedelta], block: timedelta = timedelta()) -> None:
        self._limits = limits
        self._longest = max(span for _, span in limits)
        self._block = block
        self._recent: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._blocked_until: dict[str, datetime] = {}

    def admits(self, key: str, now: datetime) -> bool:
        """Count a message if there is room for it."""
        if now < self._blocked_until.get(key, now):
            return False
        recent = self._recent[key]
        while recent and recent[0] <= now - self._longest:
            recent.popleft()
        for count, span in self._limits:
            if sum(instant > now - span for instant in recent) >= count:
                self._blocked_until[key] = now + self._block
                return False
        recent.append(now)
        return True
