"""A strict, stateful DingTalk group bot: `POST /robot/send?access_token=&timestamp=&sign=`.

It knows what the vendor's documentation of custom bots says and refuses everything else, with
HTTP 200 and an `errcode` as the vendor does; like there, some errcodes are texts. Whoever is in
`at.atUserIds` is rung if the text names them too, and nobody else is.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from typing_extensions import override

from shared.clock import Clock
from shared.testing.unruly_http import Reply, Request
from shared.testing.vendor import FakeVendor, Quota, Refused

PATH = "/robot/send"
MESSAGES_PER_MINUTE = 20
BLOCK = timedelta(minutes=10)
TOLERANCE = timedelta(hours=1)
MAX_BYTES = 20_000

OK = 0
UNKNOWN_TOKEN = 300005
UNVERIFIED = 310000
"""Signature, timestamp, keyword or IP; told as a text."""
TOO_FAST = 130101
TOO_LONG = 460101
NO_JSON_HEADER = 43004
BAD_PARAMETER = 40035
UNKNOWN_TYPE = 400105

_REQUIRED = {
    "text": ("content",),
    "markdown": ("title", "text"),
    "link": ("title", "text", "messageUrl"),
    "actionCard": ("title", "text"),
    "feedCard": ("links",),
}


_NAMED = re.compile(r"(?<![A-Za-z0-9])@([A-Za-z0-9_.@-]+)")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message in the group."""

    at: datetime
    token: str
    type: str
    part: dict[str, object]
    answer_lost: bool
    at_user_ids: Sequence[str] = ()
    at_all: bool = False

    @property
    def text(self) -> str:
        """The text of a text or markdown message; empty for the others."""
        return str(self.part.get("text") or self.part.get("content") or "")

    @property
    def rung(self) -> list[str]:
        """Those whose phones it rings, by userid; `@all` for the whole group."""
        named = {each.rstrip(".") for each in _NAMED.findall(self.text)}
        rung = [each for each in self.at_user_ids if each in named]
        return ["@all", *rung] if self.at_all else rung


class FakeDingtalk(FakeVendor):
    """The server; `bots` has the secret of each token, None for a bot without one.

    `keywords` has those of which each message of a token has to have one; tokens in `elsewhere`
    take messages from other addresses only.
    """

    path = PATH

    def __init__(
        self,
        bots: Mapping[str, str | None],
        *,
        keywords: Mapping[str, Sequence[str]] | None = None,
        elsewhere: Collection[str] = (),
        clock: Clock | None = None,
    ) -> None:
        super().__init__(clock)
        self._bots = bots
        self._keywords = keywords or {}
        self._elsewhere = elsewhere
        self.accepted: list[Accepted] = []
        self._quota = Quota((MESSAGES_PER_MINUTE, timedelta(minutes=1)), block=BLOCK)

    @override
    def _key_of(self, request: Request) -> str:
        return request.query.get("access_token", "")

    @override
    def _accept(self, key: str, request: Request, *, answer_lost: bool) -> Reply:
        now = self._clock.now()
        if key not in self._bots:
            raise Refused(UNKNOWN_TOKEN, "token is not exist")
        if key in self._elsewhere:
            raise Refused(UNVERIFIED, "ip not in whitelist")
        self._verify(self._bots[key], request.query, now)
        kind, part, at = _checked(request)
        said = json.dumps(part, ensure_ascii=False)
        if key in self._keywords and not any(each in said for each in self._keywords[key]):
            raise Refused(UNVERIFIED, "keywords not in content")
        if not self._quota.admits(key, now):
            raise Refused(TOO_FAST, "send too fast, exceed 20 times per minute")
        self.accepted.append(Accepted(now, key, kind, part, answer_lost, *at))
        return Reply.of({"errcode": OK, "errmsg": "ok"})

    @override
    def _refuse(self, refused: Refused) -> Reply:
        code = refused.errcode
        told = str(code) if code == UNVERIFIED else code
        return Reply.of({"errcode": told, "errmsg": refused.errmsg})

    def _verify(self, secret: str | None, query: Mapping[str, str], now: datetime) -> None:
        if secret is None:
            return
        timestamp = query.get("timestamp", "")
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) == 13):
            raise Refused(UNVERIFIED, "invalid timestamp: milliseconds")
        if abs(now.timestamp() - int(timestamp) / 1_000) > TOLERANCE.total_seconds():
            raise Refused(UNVERIFIED, "invalid timestamp: not of this hour")
        signed = hmac.digest(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256)
        given = query.get("sign", "").encode()
        if not hmac.compare_digest(base64.b64encode(signed), given):
            raise Refused(UNVERIFIED, "sign not match")


def _checked(request: Request) -> tuple[str, dict[str, object], tuple[list[str], bool]]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(NO_JSON_HEADER, "invalid header: Content-Type")
    if len(request.body) > MAX_BYTES:
        raise Refused(TOO_LONG, "message too long")
    try:
        body = json.loads(request.body.decode())
    except ValueError as error:
        raise Refused(BAD_PARAMETER, "not JSON in UTF-8") from error
    if not isinstance(body, dict):
        raise Refused(BAD_PARAMETER, "not an object")
    kind = body.get("msgtype")
    if not isinstance(kind, str) or kind not in _REQUIRED:
        raise Refused(UNKNOWN_TYPE, "unsupported message type")
    part = body.get(kind)
    if not isinstance(part, dict) or not all(part.get(name) for name in _REQUIRED[kind]):
        raise Refused(BAD_PARAMETER, f"missing in {kind}: {', '.join(_REQUIRED[kind])}")
    return kind, part, _at(body.get("at", {}))


def _at(given: object) -> tuple[list[str], bool]:
    """Return who is to be rung, and whether everybody is."""
    if not isinstance(given, dict):
        raise Refused(BAD_PARAMETER, "at is an object")
    users, everybody = given.get("atUserIds", []), given.get("isAtAll", False)
    if not isinstance(users, list) or not all(isinstance(each, str) and each for each in users):
        raise Refused(BAD_PARAMETER, "atUserIds is a list of userids")
    if not isinstance(everybody, bool):
        raise Refused(BAD_PARAMETER, "isAtAll is true or false")
    return users, everybody
