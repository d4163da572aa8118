"""A strict, stateful WeCom group bot: `POST /cgi-bin/webhook/send?key=`.

It knows what the vendor's documentation of group bots says and refuses everything else, with
HTTP 200 and an `errcode` as the vendor does. It can be told to misbehave.
"""

import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from shared.clock import Clock, WallClock
from shared.testing.unruly_http import Misconduct, Reply, Request, serving

PATH = "/cgi-bin/webhook/send"
MESSAGES_PER_MINUTE = 20
WINDOW = timedelta(seconds=60)
BLOCK = timedelta(seconds=60)

OK = 0
TOO_OFTEN = 45009
UNKNOWN_KEY = 93000
UNKNOWN_TYPE = 40008
BAD_PARAMETER = 40058
TOO_LONG = 45002
BAD_ENCODING = 40033

BYTE_LIMITS = {"text": 2_048, "markdown": 4_096, "markdown_v2": 4_096}
_REQUIRED = {
    "image": ("base64", "md5"),
    "news": ("articles",),
    "file": ("media_id",),
    "voice": ("media_id",),
}
_TYPES = {*BYTE_LIMITS, *_REQUIRED, "template_card"}
_CARDS = {
    "text_notice": ("card_action",),
    "news_notice": ("main_title", "card_image", "card_action"),
}
_BUTTONS = ("button_list", "button_selection", "select_list", "submit_button", "checkbox")
# A backslash that is itself escaped does not start an escape: `\\u4e2d` is a text.
_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u[0-9a-fA-F]{4}")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message in the group; `number` counts from 1 in order of arrival."""

    number: int
    at: datetime
    key: str
    type: str
    body: dict[str, object]
    answer_lost: bool

    @property
    def content(self) -> str:
        """The text of a text or markdown message; empty for the others."""
        part = self.body[self.type]
        content = part.get("content", "") if isinstance(part, dict) else ""
        return str(content)


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
    """HTTP 200 with the order's `errcode`; nothing is accepted."""


@dataclass(slots=True)
class _Order:
    fault: Fault
    key: str | None
    times: int
    errcode: int
    after: int


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(errmsg)
        self.errcode = errcode
        self.errmsg = errmsg


class FakeWecom:
    """The bot's server, its memory, and its orders to misbehave.

    `keys` are the bots that exist. `told` is called for each message as it is accepted.
    """

    def __init__(
        self,
        keys: Container[str],
        *,
        clock: Clock | None = None,
        told: Callable[[Accepted], None] | None = None,
    ) -> None:
        self._keys = keys
        self.accepted: list[Accepted] = []
        self.rejected: Counter[int] = Counter()
        self.answers_lost = 0
        self._clock = clock or WallClock()
        self._told = told
        self._recent: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._blocked_until: dict[str, datetime] = {}
        self._orders: list[_Order] = []

    def order(
        self,
        fault: Fault,
        *,
        key: str | None = None,
        times: int = 1,
        errcode: int = -1,
        after: int = 0,
    ) -> None:
        """Misbehave with the next `times` requests (of one key, or of any), `after` good ones."""
        self._orders.append(_Order(fault, key, times, errcode, after))

    def relent(self) -> None:
        """Forget all orders."""
        self._orders.clear()

    def of(self, key: str) -> list[Accepted]:
        """Return what a group has received, in order."""
        return [message for message in self.accepted if message.key == key]

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on the loopback and yield the base URL."""
        async with serving(self.answer, port=port) as bound:
            yield f"http://127.0.0.1:{bound}"

    def answer(self, request: Request) -> Reply | Misconduct:
        """Answer one HTTP request."""
        if request.path != PATH:
            return Reply(404, b"")
        if request.method != "POST":
            return Reply(405, b"")
        key = request.query.get("key", "")
        match self._next_order(key):
            case None:
                return self._receive(key, request.body, answer_lost=False)
            case _Order(fault=Fault.LOSE_ANSWER):
                self._receive(key, request.body, answer_lost=True)
                return Misconduct.DROP
            case _Order(fault=Fault.ACCEPT_AND_HANG):
                self._receive(key, request.body, answer_lost=True)
                return Misconduct.HANG
            case _Order(fault=Fault.DROP):
                return Misconduct.DROP
            case _Order(fault=Fault.HANG):
                return Misconduct.HANG
            case _Order(fault=Fault.STATUS_500):
                return Reply(500, b"")
            case order:
                return self._reject(order.errcode, "as ordered")

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

    def _receive(self, key: str, raw: bytes, *, answer_lost: bool) -> Reply:
        now = self._clock.now()
        try:
            kind, body = _checked(raw)
            self._admit(key, now)
        except _Refused as refused:
            return self._reject(refused.errcode, refused.errmsg)
        message = Accepted(len(self.accepted) + 1, now, key, kind, body, answer_lost)
        self.accepted.append(message)
        self.answers_lost += answer_lost
        if self._told is not None:
            self._told(message)
        return Reply.of({"errcode": OK, "errmsg": "ok"})

    def _reject(self, errcode: int, errmsg: str) -> Reply:
        self.rejected[errcode] += 1
        return Reply.of({"errcode": errcode, "errmsg": errmsg})

    def _admit(self, key: str, now: datetime) -> None:
        if key not in self._keys:
            raise _Refused(UNKNOWN_KEY, "invalid webhook url")
        if now < self._blocked_until.get(key, now):
            raise _Refused(TOO_OFTEN, "api freq out of limit")
        recent = self._recent[key]
        while recent and recent[0] <= now - WINDOW:
            recent.popleft()
        if len(recent) >= MESSAGES_PER_MINUTE:
            self._blocked_until[key] = now + BLOCK
            raise _Refused(TOO_OFTEN, "api freq out of limit")
        recent.append(now)


def _checked(raw: bytes) -> tuple[str, dict[str, object]]:
    if _ESCAPE.search(raw):
        raise _Refused(BAD_ENCODING, "invalid encoding: send raw UTF-8")
    try:
        body = json.loads(raw.decode())
    except ValueError as error:
        raise _Refused(BAD_ENCODING, "invalid encoding or JSON") from error
    if not isinstance(body, dict):
        raise _Refused(BAD_PARAMETER, "invalid request parameter")
    kind = body.get("msgtype")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise _Refused(UNKNOWN_TYPE, "invalid message type")
    part = body.get(kind)
    if not isinstance(part, dict):
        raise _Refused(BAD_PARAMETER, f"missing {kind}")
    if kind == "template_card":
        _check_card(part)
    elif kind in BYTE_LIMITS:
        _check_text(kind, part)
    else:
        _require(part, _REQUIRED[kind])
    return kind, body


def _check_text(kind: str, part: dict[str, object]) -> None:
    content = part.get("content")
    if not isinstance(content, str) or not content:
        raise _Refused(BAD_PARAMETER, "content is empty")
    if kind != "text" and ("mentioned_list" in part or "mentioned_mobile_list" in part):
        raise _Refused(BAD_PARAMETER, "mentioned_list is of text messages only")
    if kind == "markdown_v2" and re.search(r"<@[^>]*>", content):
        raise _Refused(BAD_PARAMETER, "markdown_v2 mentions nobody")
    if len(content.encode()) > BYTE_LIMITS[kind]:
        raise _Refused(TOO_LONG, "content size out of limit")


def _check_card(part: dict[str, object]) -> None:
    kind = part.get("card_type")
    if not isinstance(kind, str) or kind not in _CARDS or any(name in part for name in _BUTTONS):
        raise _Refused(BAD_PARAMETER, "a group bot's cards are text_notice and news_notice")
    _require(part, _CARDS[kind])
    if kind == "text_notice" and not (part.get("main_title") or part.get("sub_title_text")):
        raise _Refused(BAD_PARAMETER, "a text_notice has a title")


def _require(part: dict[str, object], names: tuple[str, ...]) -> None:
    missing = [name for name in names if not part.get(name)]
    if missing:
        raise _Refused(BAD_PARAMETER, f"missing {', '.join(missing)}")
