"""A strict, stateful Feishu custom bot: `POST /open-apis/bot/v2/hook/{token}`.

It knows what the vendor's guide of custom bots says and refuses everything else, with HTTP 200
and a `code` as the vendor does. A card that mentions whom it does not know is refused whole.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from shared.clock import Clock
from shared.testing.unruly_http import Reply, Request
from shared.testing.vendor import FakeVendor, Quota, Refused

PATH = "/open-apis/bot/v2/hook/"
LIMITS = ((100, timedelta(minutes=1)), (5, timedelta(seconds=1)))
TOLERANCE = timedelta(hours=1)
MAX_BYTES = 20_000
"""The vendor says 20 KB and not which; this is the smaller of the two."""

OK = 0
UNKNOWN_TOKEN = 19001
UNVERIFIED = 19021
NOT_ALLOWED = 19022
NO_KEYWORD = 19024
BAD_REQUEST = 9499
TOO_OFTEN = 11232
BAD_MENTION = 11246
"""As feiyu563/PrometheusAlert #461 has it, of a card with an e-mail address for an id."""

_CONTENTS = {
    "text": "text",
    "post": "post",
    "image": "image_key",
    "share_chat": "share_chat_id",
}
_COLOURS = {
    "blue",
    "wathet",
    "turquoise",
    "green",
    "yellow",
    "orange",
    "red",
    "carmine",
    "violet",
    "purple",
    "indigo",
    "grey",
    "default",
}


_AT = re.compile(r"<at\b([^<>]*)>")
_BY_ID = re.compile(r" id=(all|ou_[A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message in the group; `body` is without its signature."""

    at: datetime
    token: str
    body: dict[str, Any]
    answer_lost: bool

    @property
    def text(self) -> str:
        """Everything that a card or a text shows."""
        if self.body["msg_type"] == "text":
            return str(self.body["content"]["text"])
        card = self.body.get("card", {})
        title = card.get("header", {}).get("title", {}).get("content", "")
        return "\n".join([title, *(each.get("content", "") for each in card.get("elements", []))])

    @property
    def rung(self) -> list[str]:
        """Those whose phones a card rings, by open_id; `all` for the whole group."""
        return _mentioned(self.body)


class FakeFeishu(FakeVendor):
    """The server; `bots` has the secret of each token, None for a bot without one.

    `keywords` has those of which each message of a token has to have one; tokens in `elsewhere`
    take messages from other addresses only. `people` are the open_ids that there are; None: any.
    """

    path = PATH

    def __init__(
        self,
        bots: Mapping[str, str | None],
        *,
        keywords: Mapping[str, Sequence[str]] | None = None,
        elsewhere: Collection[str] = (),
        people: Collection[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(clock)
        self._people = people
        self._bots = bots
        self._keywords = keywords or {}
        self._elsewhere = elsewhere
        self.accepted: list[Accepted] = []
        self._quota = Quota(*LIMITS)

    @override
    def _is_ours(self, request: Request) -> bool:
        return request.path.startswith(PATH)

    @override
    def _key_of(self, request: Request) -> str:
        return request.path.removeprefix(PATH)

    @override
    def _accept(self, key: str, request: Request, *, answer_lost: bool) -> Reply:
        now = self._clock.now()
        if key not in self._bots:
            raise Refused(UNKNOWN_TOKEN, "param invalid: incoming webhook access token invalid")
        if key in self._elsewhere:
            raise Refused(NOT_ALLOWED, "Ip Not Allowed")
        body = _read(request)
        timestamp, sign = body.pop("timestamp", None), body.pop("sign", None)
        _verify(self._bots[key], timestamp, sign, now)
        _check(body)
        for each in _mentioned(body):
            if each != "all" and self._people is not None and each not in self._people:
                raise _bad_mention(each)
        said = json.dumps(body, ensure_ascii=False)
        if key in self._keywords and not any(each in said for each in self._keywords[key]):
            raise Refused(NO_KEYWORD, "Key Words Not Found")
        if not self._quota.admits(key, now):
            raise Refused(TOO_OFTEN, "frequency limited")
        self.accepted.append(Accepted(now, key, body, answer_lost))
        return Reply.of(
            {"StatusCode": OK, "StatusMessage": "success", "code": OK, "data": {}, "msg": "success"}
        )

    @override
    def _refuse(self, refused: Refused) -> Reply:
        return Reply.of({"code": refused.errcode, "data": {}, "msg": refused.errmsg})


def _read(request: Request) -> dict[str, Any]:
    if len(request.body) > MAX_BYTES:
        raise Refused(BAD_REQUEST, "Bad Request")
    try:
        body = json.loads(request.body.decode())
    except ValueError as error:
        raise Refused(BAD_REQUEST, "Bad Request") from error
    if not isinstance(body, dict):
        raise Refused(BAD_REQUEST, "Bad Request")
    return body


def _verify(secret: str | None, timestamp: object, sign: object, now: datetime) -> None:
    if secret is None:
        return
    told = str(timestamp)
    expected = base64.b64encode(hmac.digest(f"{told}\n{secret}".encode(), b"", hashlib.sha256))
    if (
        not (told.isascii() and told.isdecimal() and len(told) <= 12)
        or abs(now.timestamp() - int(told)) > TOLERANCE.total_seconds()
        or not hmac.compare_digest(expected, str(sign).encode())
    ):
        raise Refused(
            UNVERIFIED, "sign match fail or timestamp is not within one hour from current time"
        )


def _mentioned(body: dict[str, Any]) -> list[str]:
    """Return whom a card's markdown mentions. Raises Refused for what is no id of a person."""
    found = []
    for element in body.get("card", {}).get("elements", []):
        for attributes in _AT.findall(element["content"]):
            named = _BY_ID.fullmatch(attributes)
            if named is None:
                raise _bad_mention(attributes.strip())
            found.append(named[1])
    return found


def _bad_mention(value: str) -> Refused:
    return Refused(
        BAD_MENTION,
        "ErrCode: 100290; ErrMsg: there is an invalid user resource (at/person) in your card; "
        f"ErrorValue: {value}; ",
    )


def _check(body: dict[str, Any]) -> None:
    kind = body.get("msg_type")
    if kind == "interactive":
        _check_card(body.get("card"))
    elif not isinstance(kind, str) or kind not in _CONTENTS:
        raise Refused(BAD_REQUEST, "Bad Request")
    else:
        content = body.get("content")
        if not isinstance(content, dict) or not content.get(_CONTENTS[kind]):
            raise Refused(BAD_REQUEST, "Bad Request")


def _check_card(card: object) -> None:
    try:
        assert isinstance(card, dict)
        header = card["header"]
        assert header["title"]["tag"] == "plain_text"
        assert header["title"]["content"]
        assert header.get("template", "default") in _COLOURS
        assert card["elements"]
        for element in card["elements"]:
            assert element["tag"] == "markdown"
            assert element["content"]
    except (AssertionError, KeyError, TypeError) as error:
        raise Refused(BAD_REQUEST, "Bad Request") from error
