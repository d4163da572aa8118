"""A strict, stateful WeCom group bot: `POST /cgi-bin/webhook/send?key=`.

It knows what the vendor's documentation of group bots says and refuses everything else, with
HTTP 200 and an `errcode` as the vendor does. It can be told to misbehave.
"""

import json
import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from typing_extensions import override

from shared.clock import Clock
from shared.testing.unruly_http import Reply, Request
from shared.testing.vendor import FakeVendor, Quota, Refused

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
_MENTION = re.compile(r"<@([^<>@\s]+)>")
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

    @property
    def rung(self) -> list[str]:
        """Those whose phones it rings, as they are named: in the list of a text, or in markdown."""
        part = self.body[self.type]
        if self.type == "text" and isinstance(part, dict):
            return list(part.get("mentioned_list", []))
        return _MENTION.findall(self.content) if self.type == "markdown" else []


class FakeWecom(FakeVendor):
    """The bot's server, its memory, and its orders to misbehave.

    `keys` are the bots that exist. `told` is called for each message as it is accepted.
    """

    path = PATH

    def __init__(
        self,
        keys: Container[str],
        *,
        clock: Clock | None = None,
        told: Callable[[Accepted], None] | None = None,
    ) -> None:
        super().__init__(clock)
        self._keys = keys
        self.accepted: list[Accepted] = []
        self._told = told
        self._quota = Quota((MESSAGES_PER_MINUTE, WINDOW), block=BLOCK)

    def of(self, key: str) -> list[Accepted]:
        """Return what a group has received, in order."""
        return [message for message in self.accepted if message.key == key]

    @override
    def _key_of(self, request: Request) -> str:
        return request.query.get("key", "")

    @override
    def _accept(self, key: str, request: Request, *, answer_lost: bool) -> Reply:
        now = self._clock.now()
        kind, body = _checked(request.body)
        if key not in self._keys:
            raise Refused(UNKNOWN_KEY, "invalid webhook url")
        if not self._quota.admits(key, now):
            raise Refused(TOO_OFTEN, "api freq out of limit")
        message = Accepted(len(self.accepted) + 1, now, key, kind, body, answer_lost)
        self.accepted.append(message)
        if self._told is not None:
            self._told(message)
        return Reply.of({"errcode": OK, "errmsg": "ok"})

    @override
    def _refuse(self, refused: Refused) -> Reply:
        return Reply.of({"errcode": refused.errcode, "errmsg": refused.errmsg})


def _checked(raw: bytes) -> tuple[str, dict[str, object]]:
    if _ESCAPE.search(raw):
        raise Refused(BAD_ENCODING, "invalid encoding: send raw UTF-8")
    try:
        body = json.loads(raw.decode())
    except ValueError as error:
        raise Refused(BAD_ENCODING, "invalid encoding or JSON") from error
    if not isinstance(body, dict):
        raise Refused(BAD_PARAMETER, "invalid request parameter")
    kind = body.get("msgtype")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise Refused(UNKNOWN_TYPE, "invalid message type")
    part = body.get(kind)
    if not isinstance(part, dict):
        raise Refused(BAD_PARAMETER, f"missing {kind}")
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
        raise Refused(BAD_PARAMETER, "content is empty")
    if kind != "text" and ("mentioned_list" in part or "mentioned_mobile_list" in part):
        raise Refused(BAD_PARAMETER, "mentioned_list is of text messages only")
    named = part.get("mentioned_list", [])
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise Refused(BAD_PARAMETER, "mentioned_list is a list of user ids")
    if kind == "markdown_v2" and re.search(r"<@[^>]*>", content):
        raise Refused(BAD_PARAMETER, "markdown_v2 mentions nobody")
    if len(content.encode()) > BYTE_LIMITS[kind]:
        raise Refused(TOO_LONG, "content size out of limit")


def _check_card(part: dict[str, object]) -> None:
    kind = part.get("card_type")
    if not isinstance(kind, str) or kind not in _CARDS or any(name in part for name in _BUTTONS):
        raise Refused(BAD_PARAMETER, "a group bot's cards are text_notice and news_notice")
    _require(part, _CARDS[kind])
    if kind == "text_notice" and not (part.get("main_title") or part.get("sub_title_text")):
        raise Refused(BAD_PARAMETER, "a text_notice has a title")


def _require(part: dict[str, object], names: tuple[str, ...]) -> None:
    missing = [name for name in names if not part.get(name)]
    if missing:
        raise Refused(BAD_PARAMETER, f"missing {', '.join(missing)}")
