"""A strict, stateful WeCom with one application: tokens, messages, cards, presses on them.

It knows what the vendor's pages on tokens, application messages, changing cards, callbacks and
their encryption say and refuses everything else, with HTTP 200 and an `errcode` as the vendor does.
What people see is on their phones; a card there is changed in place.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from http import HTTPStatus

import httpx
from typing_extensions import override

from shared.clock import Clock
from shared.testing.unruly_http import Misconduct, Reply, Request
from shared.testing.vendor import FakeVendor, Quota, Refused
from shared.testing.wecom_cards import check_card, check_task_id
from shared.testing.wecom_envelope import Envelope, seal

GET_TOKEN = "/cgi-bin/gettoken"
SEND = "/cgi-bin/message/send"
CHANGE = "/cgi-bin/message/update_template_card"

TOKEN_LASTS = timedelta(seconds=7_200)
CODE_LASTS = timedelta(hours=72)
LONGEST_CHECK_SECONDS = 4 * 3_600
LONGEST_TEXT_BYTES = 2_048
MOST_PEOPLE = 1_000
TELLINGS = 4
"""A callback is sent once, and up to three times more."""

BAD_SECRET = 40001
BAD_USER = 40003
UNKNOWN_TYPE = 40008
BAD_CORP = 40013
BAD_TOKEN = 40014
BAD_ENCODING = 40033
BAD_AGENT = 40056
BAD_PARAMETER = 40058
NO_TOKEN = 41001
TOKEN_LAPSED = 42001
TASK_KNOWN = 42014
TOO_LONG = 45002
NOBODY = 81013

_BUTTONS = "button_interaction"


@dataclass(slots=True)
class Shown:
    """A message on somebody's phone; a card may change, and says how often it has."""

    at: datetime
    type: str
    body: dict[str, object]
    task_id: str | None = None
    changes: int = 0

    @property
    def text(self) -> str:
        """All that it says, as JSON."""
        return json.dumps(self.body, ensure_ascii=False)

    @property
    def keys(self) -> list[str]:
        """The keys of its buttons."""
        buttons = self.body.get("button_list", [])
        return [str(each.get("key")) for each in buttons] if isinstance(buttons, list) else []


@dataclass(slots=True)
class _Code:
    task_id: str
    given_at: datetime
    used: bool = False


@dataclass(slots=True)
class Told:
    """A press as it was told to the callback: what each telling was answered."""

    statuses: list[int] = field(default_factory=list)


class FakeWecomApp(FakeVendor):
    """The vendor, its one application, and the phones of the people who may be written to.

    `users` are those that exist, `unlicensed` those of them that cannot be written to. `fetches`
    counts tokens asked for, `dropped` is what went over a person's quota, `repeats` what the check
    for duplicates kept away: both without a word to the sender.
    """

    def __init__(
        self,
        users: Collection[str],
        *,
        corp_id: str = "wx5823bf96d3bd56c7",
        agent_id: int = 1_000_002,
        secret: str = "s3cr3t-of-the-application-0123456789abcdef",
        callback_token: str = "QDG6eK",
        encoding_aes_key: str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        unlicensed: Collection[str] = (),
        clock: Clock | None = None,
    ) -> None:
        super().__init__(clock)
        self.corp_id = corp_id
        self.agent_id = agent_id
        self.secret = secret
        self.callback_token = callback_token
        self.encoding_aes_key = encoding_aes_key
        self.phones: defaultdict[str, list[Shown]] = defaultdict(list)
        self.fetches = 0
        self.dropped: list[tuple[str, Shown]] = []
        self.repeats: list[str] = []
        self._users = {user.lower() for user in users}
        self._unlicensed = {user.lower() for user in unlicensed}
        self._token: tuple[str, datetime] | None = None
        self._lapsed: set[str] = set()
        self._tasks: dict[str, list[str]] = {}
        self._codes: dict[str, _Code] = {}
        self._sent: dict[str, datetime] = {}
        self._quota = Quota((30, timedelta(minutes=1)), (1_000, timedelta(hours=1)))

    def revoke(self) -> None:
        """Take the token back early, as the vendor may."""
        self._token = None

    @override
    def answer(self, request: Request) -> Reply | Misconduct:
        route = (request.method, request.path)
        if route not in {("GET", GET_TOKEN), ("POST", SEND), ("POST", CHANGE)}:
            return Reply(404, b"")
        return self._obey(request.path, request)

    @override
    def _key_of(self, request: Request) -> str:
        return request.path

    @override
    def _accept(self, key: str, request: Request, *, answer_lost: bool) -> Reply:
        if key == GET_TOKEN:
            return self._give_token(request)
        self._authorise(request)
        body = _read(request.body)
        if body.get("agentid") != self.agent_id:
            raise Refused(BAD_AGENT, "invalid agentid")
        return self._send(body) if key == SEND else self._change(body)

    @override
    def _refuse(self, refused: Refused) -> Reply:
        return Reply.of({"errcode": refused.errcode, "errmsg": refused.errmsg})

    def _give_token(self, request: Request) -> Reply:
        self.fetches += 1
        if request.query.get("corpid") != self.corp_id:
            raise Refused(BAD_CORP, "invalid corpid")
        if request.query.get("corpsecret") != self.secret:
            raise Refused(BAD_SECRET, "invalid credential")
        now = self._clock.now()
        if self._token is None or self._token[1] <= now:
            if self._token is not None:
                self._lapsed.add(self._token[0])
            self._token = (f"token-{self.fetches}-{'x' * 40}", now + TOKEN_LASTS)
        value, until = self._token
        left = int((until - now).total_seconds())
        return Reply.of({"errcode": 0, "errmsg": "ok", "access_token": value, "expires_in": left})

    def _authorise(self, request: Request) -> None:
        given = request.query.get("access_token")
        if not given:
            raise Refused(NO_TOKEN, "access_token missing")
        if self._token is not None and given == self._token[0]:
            if self._token[1] <= self._clock.now():
                raise Refused(TOKEN_LAPSED, "access_token expired")
            return
        if given in self._lapsed:
            raise Refused(TOKEN_LAPSED, "access_token expired")
        raise Refused(BAD_TOKEN, f"invalid access_token {given}")

    def _send(self, body: dict[str, object]) -> Reply:
        kind = body.get("msgtype")
        if kind not in {"text", "markdown", "template_card"}:
            raise Refused(UNKNOWN_TYPE, "invalid message type")
        part = body.get(str(kind))
        if not isinstance(part, dict):
            raise Refused(BAD_PARAMETER, f"missing {kind}")
        task = self._checked(str(kind), part)
        named = _people(body)
        reached = [user for user in named if user in self._users - self._unlicensed]
        if not reached:
            raise Refused(NOBODY, "user & party & tag all invalid")
        answer: dict[str, object] = {
            "errcode": 0,
            "errmsg": "ok",
            "invaliduser": "|".join(user for user in named if user not in self._users),
            "unlicenseduser": "|".join(user for user in named if user in self._unlicensed),
            "msgid": f"msg-{len(self._sent) + 1}",
        }
        if not self._is_repeat(body):
            self._show(reached, str(kind), part, task)
        if task is not None:
            self._tasks[task] = reached
        if part.get("card_type") == _BUTTONS and task is not None:
            answer["response_code"] = self._new_code(task)
        return Reply.of(answer)

    def _checked(self, kind: str, part: dict[str, object]) -> str | None:
        if kind == "template_card":
            check_card(part, sent=True)
            task = check_task_id(part)
            if task in self._tasks:
                raise Refused(TASK_KNOWN, "task_id exists")
            return task
        content = part.get("content")
        if not isinstance(content, str) or not content:
            raise Refused(BAD_PARAMETER, "content is empty")
        if len(content.encode()) > LONGEST_TEXT_BYTES:
            raise Refused(TOO_LONG, "content size out of limit")
        return None

    def _is_repeat(self, body: dict[str, object]) -> bool:
        """Tell whether the same was sent to the same people within the time checked for."""
        if body.get("enable_duplicate_check", 0) not in {0, 1}:
            raise Refused(BAD_PARAMETER, "enable_duplicate_check")
        if not body.get("enable_duplicate_check"):
            return False
        seconds = body.get("duplicate_check_interval", 1_800)
        if not isinstance(seconds, int) or not 0 < seconds <= LONGEST_CHECK_SECONDS:
            raise Refused(BAD_PARAMETER, "duplicate_check_interval")
        now = self._clock.now()
        said = json.dumps(body, ensure_ascii=False, sort_keys=True)
        before = self._sent.get(said)
        if before is not None and now < before + timedelta(seconds=seconds):
            self.repeats.append(said)
            return True
        self._sent[said] = now
        return False

    def _show(
        self, people: Collection[str], kind: str, part: dict[str, object], task: str | None
    ) -> None:
        now = self._clock.now()
        for user in people:
            shown = Shown(now, kind, dict(part), task)
            if self._quota.admits(user, now):
                self.phones[user].append(shown)
            else:
                self.dropped.append((user, shown))

    def _new_code(self, task: str) -> str:
        code = f"code-{len(self._codes) + 1}"
        self._codes[code] = _Code(task, self._clock.now())
        return code

    def _change(self, body: dict[str, object]) -> Reply:
        code = self._codes.get(str(body.get("response_code")))
        now = self._clock.now()
        # Which code it is refused with the vendor's pages do not say.
        if code is None or code.used or now >= code.given_at + CODE_LASTS:
            raise Refused(BAD_PARAMETER, "invalid response_code")
        receivers = self._tasks[code.task_id]
        named = body.get("userids", [])
        users = receivers if body.get("atall") == 1 else named
        if not isinstance(users, list) or not users:
            raise Refused(BAD_USER, "nobody to change it for")
        card = body.get("template_card")
        if not isinstance(card, dict):
            raise Refused(BAD_PARAMETER, "missing template_card")
        check_card(card, sent=False)
        code.used = True
        invalid = [user for user in users if str(user).lower() not in receivers]
        for user in receivers:
            if user not in users:
                continue
            for shown in self.phones[user]:
                if shown.task_id == code.task_id:
                    shown.body, shown.changes = dict(card), shown.changes + 1
        return Reply.of({"errcode": 0, "errmsg": "ok", "invaliduser": invalid})

    def envelope(
        self,
        user: str,
        key: str,
        task_id: str,
        *,
        option: str | None = None,
        at: datetime | None = None,
    ) -> Envelope:
        """Return what the callback is told of a press."""
        code = self._new_code(task_id)
        now = at or self._clock.now()
        timestamp = int(now.timestamp())
        chosen = "" if option is None else _SELECTED.format(escape(option))
        message = _EVENT.format(
            user=escape(user), time=timestamp, key=escape(key), task=task_id, code=code
        ).replace("</xml>", f"{chosen}</xml>")
        return self._sealed(message.encode(), timestamp)

    def _sealed(self, message: bytes, timestamp: int) -> Envelope:
        return seal(
            message,
            token=self.callback_token,
            encoding_aes_key=self.encoding_aes_key,
            receive_id=self.corp_id,
            timestamp=timestamp,
        )

    async def press(
        self,
        callback: str,
        user: str,
        key: str,
        *,
        shown: Shown | None = None,
        option: str | None = None,
        seconds: float = 5,
    ) -> Told:
        """Press a button of a phone's newest card, and tell the callback until it answers 200.

        Raises ValueError where that phone shows no such button.
        """
        cards = [each for each in self.phones[user.lower()] if each.task_id is not None]
        card = shown or (cards[-1] if cards else None)
        if card is None or card.task_id is None or key not in card.keys:
            raise ValueError(f"{user} sees no button {key}")
        return await tell(callback, self.envelope(user, key, card.task_id, option=option), seconds)

    async def save_callback(self, callback: str) -> bool:
        """Ask the URL to prove itself, as the vendor does when it is saved."""
        said = b"1616140317555161061"
        envelope = self._sealed(said, int(self._clock.now().timestamp()))
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(
                callback, params={**envelope.query, "echostr": envelope.encrypted}
            )
        return answer.status_code == HTTPStatus.OK and answer.content == said


async def tell(callback: str, envelope: Envelope, seconds: float = 5) -> Told:
    """Post a callback, up to three times more while the answer is not an empty 200 in time."""
    told = Told()
    async with httpx.AsyncClient(trust_env=False, timeout=seconds) as client:
        for _ in range(TELLINGS):
            try:
                answer = await client.post(callback, params=envelope.query, content=envelope.body)
            except httpx.HTTPError:
                told.statuses.append(0)
                continue
            told.statuses.append(answer.status_code)
            if answer.status_code == HTTPStatus.OK and not answer.content:
                break
    return told


_EVENT = """<xml><ToUserName><![CDATA[corp]]></ToUserName>
<FromUserName>{user}</FromUserName>
<CreateTime>{time}</CreateTime>
<MsgType><![CDATA[event]]></MsgType>
<Event><![CDATA[template_card_event]]></Event>
<EventKey>{key}</EventKey>
<TaskId><![CDATA[{task}]]></TaskId>
<CardType><![CDATA[button_interaction]]></CardType>
<ResponseCode><![CDATA[{code}]]></ResponseCode>
<AgentID>1</AgentID></xml>"""

_SELECTED = (
    "<SelectedItems><SelectedItem><QuestionKey>choice</QuestionKey>"
    "<OptionIds><OptionId>{}</OptionId></OptionIds></SelectedItem></SelectedItems>"
)


def _people(body: Mapping[str, object]) -> list[str]:
    given = body.get("touser")
    if not isinstance(given, str) or not given:
        raise Refused(BAD_USER, "invalid touser")
    named = [user.lower() for user in given.split("|")]
    if len(named) > MOST_PEOPLE or not all(named):
        raise Refused(BAD_USER, "invalid touser")
    return named


def _read(raw: bytes) -> dict[str, object]:
    if rb"\u" in raw.replace(rb"\\", b""):
        raise Refused(BAD_ENCODING, "invalid encoding: send raw UTF-8")
    try:
        body = json.loads(raw.decode())
    except ValueError as error:
        raise Refused(BAD_ENCODING, "invalid encoding or JSON") from error
    if not isinstance(body, dict):
        raise Refused(BAD_PARAMETER, "invalid request parameter")
    return body
