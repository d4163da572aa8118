"""What the load posts: a pure function of a seed, so that anybody can recount it.

Three kinds of SKUs, so that it is known which of them reach zero, in whatever order their
changes arrive: those that are only sold, those that are sold out and refilled within one
request, and busy ones that always have plenty.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

CHANNEL = "faults"
SKUS = 500
EVENTS_PER_REQUEST = 50
REQUESTS_PER_SECOND = 10
OPENING_REQUESTS = SKUS // EVENTS_PER_REQUEST

_REQUEST_SPAN = timedelta(seconds=1 / REQUESTS_PER_SECOND)
_OPENED_BEFORE = timedelta(minutes=2)
_LATEST = timedelta(seconds=90)
"""Late events are older than others already posted, but never than the opening count."""

_TOLD_AGAIN, _LATE, _OF_SELLING_OUT = 0.02, 0.05, 0.15
_BUSINESS = [
    ("sale", 1, 4),
    ("return", 1, 2),
    ("receipt", 5, 30),
    ("adjustment", -10, -1),
    ("count", 4_000, 6_000),
]
_WEIGHTS = [80, 6, 8, 4, 2]

_DIP_EVERY, _DIP_LINES = 4, 2
_DIP_OPENING, _DIP_SALE, _DIP_RETURN = 10, 15, 40
_PLENTY = 5_000


class Kind(Enum):
    """What happens to a SKU."""

    SELLING_OUT = auto()
    DIPPING = auto()
    BUSY = auto()


Event = dict[str, str | int]


@dataclass(frozen=True)
class Goods:
    """The changes of one load: requests 0, 1, 2, … each a list of events.

    `warehouse` is this load's own; `began_at` is when it began.
    """

    seed: int
    warehouse: str
    began_at: datetime

    def request(self, number: int) -> list[Event]:
        """Return the events of a request: the first ones open, the others trade."""
        if number < OPENING_REQUESTS:
            first = number * EVENTS_PER_REQUEST
            return [
                self._event(number, line, sku_of(index), "count", opening(index), -_OPENED_BEFORE)
                for line, index in enumerate(range(first, first + EVENTS_PER_REQUEST))
            ]
        events = self._dip(number)
        return [
            *events,
            *(self._told(number, line) for line in range(len(events), EVENTS_PER_REQUEST)),
        ]

    def _dip(self, number: int) -> list[Event]:
        turn, rest = divmod(number - OPENING_REQUESTS, _DIP_EVERY)
        if rest or turn >= len(DIPPING):
            return []
        at = number * _REQUEST_SPAN
        sku = DIPPING[turn]
        return [
            self._event(number, 0, sku, "sale", _DIP_SALE, at),
            self._event(number, 1, sku, "return", _DIP_RETURN, at + timedelta(milliseconds=1)),
        ]

    def _told(self, number: int, line: int) -> Event:
        draw = self._draw("told", number, line)
        earlier = number - draw.randint(1, 200)
        if draw.random() < _TOLD_AGAIN and earlier >= OPENING_REQUESTS:
            return self._trade(earlier, draw.randrange(_DIP_LINES, EVENTS_PER_REQUEST))
        return self._trade(number, line)

    def _trade(self, number: int, line: int) -> Event:
        draw = self._draw("trade", number, line)
        at = number * _REQUEST_SPAN + timedelta(milliseconds=draw.randrange(100))
        if draw.random() < _LATE:
            at -= draw.random() * _LATEST
        if draw.random() < _OF_SELLING_OUT:
            return self._event(
                number, line, draw.choice(SELLING_OUT), "sale", draw.randint(1, 3), at
            )
        kind, least, most = draw.choices(_BUSINESS, _WEIGHTS)[0]
        return self._event(number, line, draw.choice(BUSY), kind, draw.randint(least, most), at)

    def _draw(self, purpose: str, number: int, line: int) -> random.Random:
        return random.Random(f"{self.seed} {self.warehouse} {purpose} {number} {line}")  # noqa: S311 - reproducible, not secret

    def _event(
        self, number: int, line: int, sku: str, kind: str, quantity: int, at: timedelta
    ) -> Event:
        return {
            "id": f"{self.warehouse}-{number}",
            "line": str(line),
            "channel": CHANNEL,
            "type": kind,
            "sku": sku,
            "warehouse": self.warehouse,
            "quantity": quantity,
            "occurred_at": (self.began_at + at).isoformat(timespec="milliseconds"),
        }


def sku_of(index: int) -> str:
    """Return a code."""
    return f"FAULT-{index:03}"


def _kind(index: int) -> Kind:
    match index % 10:
        case 0 | 1:
            return Kind.SELLING_OUT
        case 2:
            return Kind.DIPPING
        case _:
            return Kind.BUSY


def opening(index: int) -> int:
    """Return what a SKU is opened with."""
    match _kind(index):
        case Kind.SELLING_OUT:
            return 3 + index
        case Kind.DIPPING:
            return _DIP_OPENING
        case Kind.BUSY:
            return _PLENTY


def _skus(kind: Kind) -> list[str]:
    return [sku_of(index) for index in range(SKUS) if _kind(index) is kind]


SELLING_OUT, DIPPING, BUSY = (_skus(kind) for kind in Kind)
