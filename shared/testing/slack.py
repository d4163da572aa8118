"""A strict, stateful Slack: one app with a bot's token, its messages, and presses on them.

It knows what the vendor's reference says of chat.postMessage, chat.update and chat.postEphemeral,
of blocks, of interaction payloads and of how they are signed, and refuses everything else, with
HTTP 200 and a word; what is too often with 429 and `Retry-After`. A reply whose thread is not there
lands in the channel without a word, as it does with the vendor. `<@U…>` rings whoever is a member,
and is a text where nobody is; `<!channel>` and the like ring all. A change rings nobody.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode

import httpx
from typing_extensions import override

from shared.clock import Clock
from shared.testing.slack_blocks import Block, checked, elements_of, options_of
from shared.testing.unruly_http import Reply, Request
from shared.testing.vendor import FakeVendor, Quota, Refused

PATH = "/api/chat.postMessage"
CHANGE = "/api/chat.update"
ALONE = "/api/chat.postEphemeral"

MAX_CHARACTERS = 40_000
RATE_LIMITED = "ratelimited"
TELLINGS = 3
ANSWER_SECONDS = 3.0
"""Who takes longer is shown to have failed."""

_MENTION = re.compile(r"<(?:@([UW][A-Z0-9]+)|(!(?:channel|here|everyone)))(?:\|[^<>]*)?>")

_TS = re.compile(r"[0-9]{10}\.[0-9]{6}")


@dataclass(slots=True)
class Posted:
    """A message; `thread` is the first one's `ts`, `in_channel` whether the channel shows it.

    A message may be changed in place, and says how often it was.
    """

    ts: str
    at: datetime
    channel: str
    text: str
    thread: str | None
    in_channel: bool
    answer_lost: bool
    blocks: Sequence[Block] = ()
    changes: int = 0
    by_us: bool = True
    rung: Sequence[str] = ()
    """Those whose phones it has rung, by id, or `!channel`."""

    @property
    def shown(self) -> str:
        """All that its blocks say, as JSON."""
        return json.dumps(self.blocks, ensure_ascii=False)

    @property
    def actions(self) -> list[str]:
        """What can be pressed on it."""
        return list(elements_of(self.blocks))


@dataclass(frozen=True, slots=True)
class Alone:
    """What one person alone was shown in a channel."""

    channel: str
    user: str
    text: str


@dataclass(slots=True)
class Told:
    """A press as it was told to the callback: what each telling was answered."""

    statuses: list[int] = field(default_factory=list)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what `X-Slack-Signature` says of a body."""
    signed = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class FakeSlack(FakeVendor):
    """The workspace; `channels` are those that the bot is in, `members` those of the people.

    `alone` is what was shown to one person alone.
    """

    def __init__(
        self,
        token: str,
        channels: Container[str],
        *,
        members: Container[str] = (),
        signing_secret: str = "8f742231b10e8888abcd99yyyzzz85a5",
        clock: Clock | None = None,
    ) -> None:
        super().__init__(clock)
        self.signing_secret = signing_secret
        self._token = token
        self._channels = channels
        self._members = members
        self.posted: list[Posted] = []
        self.alone: list[Alone] = []
        self.retry_after = 1
        self._quota = Quota((1, timedelta(seconds=1)))
        # Tiers 3 and 4 of the Web API's rate limits.
        self._tiers = {
            CHANGE: Quota((50, timedelta(minutes=1))),
            ALONE: Quota((100, timedelta(minutes=1))),
        }

    @override
    def _is_ours(self, request: Request) -> bool:
        return request.path in {PATH, CHANGE, ALONE}

    @override
    def _key_of(self, request: Request) -> str:
        return request.path

    @override
    def _accept(self, key: str, request: Request, *, answer_lost: bool) -> Reply:
        self._authorise(request)
        body = _read(request)
        channel = body.get("channel")
        if not isinstance(channel, str) or channel not in self._channels:
            raise Refused("channel_not_found")
        text = _text(body)
        blocks = checked(body["blocks"]) if "blocks" in body else ()
        if key in self._tiers and not self._tiers[key].admits(self._token, self._clock.now()):
            raise Refused(RATE_LIMITED)
        if key == CHANGE:
            return self._change(channel, text, blocks, body)
        if key == ALONE:
            return self._show(channel, text, body)
        return self._post(channel, text, blocks, body, answer_lost=answer_lost)

    def _post(
        self,
        channel: str,
        text: str,
        blocks: Sequence[Block],
        body: Mapping[str, object],
        *,
        answer_lost: bool,
    ) -> Reply:
        thread = self._thread(channel, body.get("thread_ts"))
        if not self._quota.admits(channel, self._clock.now()):
            raise Refused(RATE_LIMITED)
        in_channel = thread is None or bool(body.get("reply_broadcast"))
        ts = self._keep(
            channel, text, thread, in_channel, answer_lost=answer_lost, blocks=blocks
        ).ts
        return Reply.of({"ok": True, "channel": channel, "ts": ts, "message": {"text": text}})

    def _keep(
        self,
        channel: str,
        text: str,
        thread: str | None,
        in_channel: bool,
        *,
        answer_lost: bool = False,
        blocks: Sequence[Block] = (),
        by_us: bool = True,
    ) -> Posted:
        now = self._clock.now()
        ts = f"{int(now.timestamp())}.{len(self.posted) + 1:06}"
        kept = Posted(
            ts, now, channel, text, thread, in_channel, answer_lost, blocks=blocks, by_us=by_us
        )
        mentions = _MENTION.findall(kept.shown if blocks else text)
        kept.rung = [
            member or everybody
            for member, everybody in mentions
            if everybody or member in self._members
        ]
        self.posted.append(kept)
        return kept

    def say(self, channel: str, text: str) -> Posted:
        """Let somebody else write to a channel."""
        return self._keep(channel, text, None, True, by_us=False)

    def _change(
        self, channel: str, text: str, blocks: Sequence[Block], body: Mapping[str, object]
    ) -> Reply:
        found = [
            each for each in self.posted if (each.channel, each.ts) == (channel, body.get("ts"))
        ]
        if not found:
            raise Refused("message_not_found")
        (message,) = found
        if not message.by_us:
            raise Refused("cant_update_message")
        if body.get("parse", "client") not in {"none", "full", "client"}:
            raise Refused("invalid_arguments")
        message.text, message.blocks = text, blocks
        message.changes += 1
        return Reply.of({"ok": True, "channel": channel, "ts": message.ts, "text": text})

    def _show(self, channel: str, text: str, body: Mapping[str, object]) -> Reply:
        user = body.get("user")
        if not isinstance(user, str) or user not in self._members:
            raise Refused("user_not_in_channel")
        self.alone.append(Alone(channel, user, text))
        return Reply.of({"ok": True, "message_ts": f"{self._clock.now().timestamp():.6f}"})

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

    def _thread(self, channel: str, given: object) -> str | None:
        if given is None:
            return None
        if not isinstance(given, str) or not _TS.fullmatch(given):
            raise Refused("invalid_thread_ts")
        known = {each.ts for each in self.posted if each.channel == channel}
        return given if given in known else None

    def payload(
        self, user: str, message: Posted, action_id: str, option: str | None = None
    ) -> bytes:
        """Return what the callback is told of a press.

        Raises ValueError where the message shows no such button or choice.
        """
        block_id, element = elements_of(message.blocks).get(action_id, ("", {}))
        options = options_of(element) if element else []
        if not element or (option is not None and option not in options):
            raise ValueError(f"{user} sees no {action_id} {option or ''}")
        if options and option is None:
            raise ValueError(f"nothing is chosen in {action_id}")
        action = {
            "type": element["type"],
            "action_id": action_id,
            "block_id": block_id,
            "action_ts": f"{self._clock.now().timestamp():.6f}",
        }
        if option is None:
            action["value"] = element.get("value", "")
        else:
            chosen = {"text": {"type": "plain_text", "text": option}, "value": option}
            action |= {"selected_option": chosen}
        said = {
            "type": "block_actions",
            "user": {"id": user, "username": user.lower(), "team_id": "T9TK3CUKW"},
            "api_app_id": "A0123456789",
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": message.channel,
                "is_ephemeral": False,
            },
            "channel": {"id": message.channel, "name": "stock"},
            "message": {"ts": message.ts, "text": message.text, "blocks": message.blocks},
            "response_url": "https://hooks.slack.example/actions/T9TK3CUKW/1/x",
            "actions": [action],
        }
        return urlencode({"payload": json.dumps(said)}).encode()

    def signed(self, body: bytes, at: datetime | None = None) -> dict[str, str]:
        """Return the headers of a callback."""
        timestamp = str(int((at or self._clock.now()).timestamp()))
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self.signing_secret, timestamp, body),
        }

    async def press(
        self,
        callback: str,
        user: str,
        action_id: str,
        option: str | None = None,
        *,
        shown: Posted | None = None,
    ) -> Told:
        """Press a button, or choose in a menu, and tell the callback of it three times over.

        It is that of the newest message that has one, unless it is `shown`. An answer that is no
        empty 200, or comes too late, is told of as 0. Raises ValueError where nobody sees it.
        """
        having = [each for each in self.posted if action_id in each.actions]
        message = shown or (having[-1] if having else None)
        if message is None:
            raise ValueError(f"{user} sees no {action_id}")
        body = self.payload(user, message, action_id, option)
        told = Told()
        async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_SECONDS) as client:
            for _ in range(TELLINGS):
                told.statuses.append(await self._tell(client, callback, body))
        return told

    async def _tell(self, client: httpx.AsyncClient, callback: str, body: bytes) -> int:
        try:
            answer = await client.post(callback, content=body, headers=self.signed(body))
        except httpx.HTTPError:
            return 0
        good = answer.status_code != HTTPStatus.OK or not answer.content
        return answer.status_code if good else 0


def _text(body: Mapping[str, object]) -> str:
    text = body.get("text")
    if not isinstance(text, str) or not text:
        raise Refused("no_text")
    if len(text) > MAX_CHARACTERS:
        raise Refused("msg_too_long")
    return text


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
