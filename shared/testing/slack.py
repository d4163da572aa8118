"""A strict, stateful Slack: `POST /api/chat.postMessage` of one bot's token.

It knows what the vendor's reference says of this method and refuses everything else, with HTTP
200 and a word; one message too many in a second with 429 and `Retry-After`. A reply whose thread
is not there lands in the channel without a word, as it does with the vendor. `<@U…>` rings whoever
is a member, and is a text where nobody is; `<!channel>` and the like ring all.
"""

import json
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from typing_extensions import override

from shared.clock import Clock
from shared.testing.unruly_http import Reply, Request
from shared.testing.vendor import FakeVendor, Quota, Refused

PATH = "/api/chat.postMessage"
MAX_CHARACTERS = 40_000
RATE_LIMITED = "ratelimited"

_MENTION = re.compile(r"<(?:@([UW][A-Z0-9]+)|(!(?:channel|here|everyone)))(?:\|[^<>]*)?>")


@dataclass(frozen=True, slots=True)
class Posted:
    """A message; `thread` is the first one's `ts`, `in_channel` whether the channel shows it."""

    ts: str
    at: datetime
    channel: str
    text: str
    thread: str | None
    in_channel: bool
    answer_lost: bool
    rung: Sequence[str] = ()
    """Those whose phones it rings, by id, or `!channel`."""


class FakeSlack(FakeVendor):
    """The workspace; `channels` are those that the bot is in, `members` whom it may ring."""

    path = PATH

    def __init__(
        self,
        token: str,
        channels: Container[str],
        *,
        members: Container[str] = (),
        clock: Clock | None = None,
    ) -> None:
        super().__init__(clock)
        self._members = members
        self._token = token
        self._channels = channels
        self.posted: list[Posted] = []
        self.retry_after = 1
        self._quota = Quota((1, timedelta(seconds=1)))

    @override
    def _key_of(self, request: Request) -> str:
        return self._token

    @override
    def _accept(self, key: str, request: Request, *, answer_lost: bool) -> Reply:
        now = self._clock.now()
        self._authorise(request)
        body = _read(request)
        channel, text = body.get("channel"), body.get("text")
        if not isinstance(channel, str) or channel not in self._channels:
            raise Refused("channel_not_found")
        if not isinstance(text, str) or not text:
            raise Refused("no_text")
        if len(text) > MAX_CHARACTERS:
            raise Refused("msg_too_long")
        thread = self._thread(channel, body.get("thread_ts"))
        if not self._quota.admits(channel, now):
            raise Refused(RATE_LIMITED)
        ts = f"{int(now.timestamp())}.{len(self.posted) + 1:06}"
        in_channel = thread is None or bool(body.get("reply_broadcast"))
        mentions = (member or everybody for member, everybody in _MENTION.findall(text))
        rung = tuple(each for each in mentions if self._rings(each))
        self.posted.append(Posted(ts, now, channel, text, thread, in_channel, answer_lost, rung))
        return Reply.of({"ok": True, "channel": channel, "ts": ts, "message": {"text": text}})

    @override
    def _refuse(self, refused: Refused) -> Reply:
        answer = {"ok": False, "error": refused.errcode}
        if refused.errcode == RATE_LIMITED:
            return Reply.of(answer, 429, {"Retry-After": str(self.retry_after)})
        return Reply.of(answer)

    def _authorise(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not given.startswith("Bearer "):
            raise Refused("not_authed")
        if given != f"Bearer {self._token}":
            raise Refused("invalid_auth")

    def _rings(self, mention: str) -> bool:
        return mention.startswith("!") or mention in self._members

    def _thread(self, channel: str, given: object) -> str | None:
        if given is None:
            return None
        if not isinstance(given, str) or not re.fullmatch(r"[0-9]{10}\.[0-9]{6}", given):
            raise Refused("invalid_thread_ts")
        known = {each.ts for each in self.posted if each.channel == channel}
        return given if given in known else None


def _read(request: Request) -> dict[str, object]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused("invalid_form_data")
    try:
        body = json.loads(request.body.decode())
    except ValueError as error:
        raise Refused("invalid_json") from error
    if not isinstance(body, dict):
        raise Refused("json_not_object")
    return body
