r"""WeCom application: `POST /cgi-bin/message/send?access_token=`, judged by the body's errcode.

What asks people to do something is a card with buttons, all else changes the card that is there or
is a message of at most 2,048 bytes of markdown. A repeat is recognised: a card's by its task id
(42014 then: it had arrived), a message's by the vendor's own check, which covers four hours. A
message goes to people by their user ids; 0 beside some that are wrong is a success for the others
(the vendor's pages on application messages and on changing cards).
"""

import asyncio
import json
import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from services.notifier.destinations.exchange import (
    Answer,
    Exchange,
    doubtful,
    of_status,
    unreadable,
)
from services.notifier.destinations.rendering import (
    Reading,
    Templates,
    fitting,
    plain_markdown,
    view_of,
)
from services.notifier.destinations.transport import Message
from services.notifier.destinations.views import Phrasing, View
from services.notifier.destinations.wecom_bot import PASSING
from services.notifier.destinations.wecom_cards import card_of, text_of
from services.notifier.destinations.wecom_tokens import NO_TOKEN, Tokens
from services.notifier.domain.addresses import WecomApp
from services.notifier.domain.cards import asks_somebody, task_id
from services.notifier.domain.contents import Digest, FailureNote
from services.notifier.domain.deliveries import NOTICES, Delivery, Kind, Recipients
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome, Verdict, of_errcode
from services.notifier.store.access_tokens import AccessTokens
from shared.chat_ids import WECOM_USERID
from shared.events.stock_alerts import AlertEvent, Recipient, StockAlert

SEND = "/cgi-bin/message/send"
CHANGE = "/cgi-bin/message/update_template_card"

ALREADY_THERE = 42014
REPEATS_KNOWN_SECONDS = 4 * 60 * 60
"""The longest that the vendor checks for."""

MOST_PEOPLE = 1_000

_NOTHING_TO_SAY = Outcome(Verdict.ACCEPTED, "0", "ok")
"""Everybody whom it is for has a card that says it."""

_ALL_SECONDS = 28
"""For everything of an attempt."""


def render(
    delivery: Delivery, destination: Destination, app: WecomApp, templates: Templates
) -> bytes:
    """Return the JSON to send: a message, or changes of cards with the message for all others."""
    alert = _alert(delivery)
    phrasing = templates.phrasing(destination, plain_markdown)
    if alert is not None and (delivery.kind is Kind.FIRST or asks_somebody(alert)):
        message = _card_message(delivery, alert, app, phrasing)
    else:
        message = _text_message(delivery, alert, app, templates, phrasing)
    if alert is None or not delivery.cards:
        return _json(message)
    card = card_of(alert, view_of(delivery, phrasing, shown=0), phrasing)
    changes = [
        {
            "users": list(each.users),
            "change": {
                "atall": 1,
                "agentid": app.agent_id,
                "response_code": each.code,
                "template_card": card,
            },
        }
        for each in delivery.cards
    ]
    return _json({"changes": changes, "message": message})


def _alert(delivery: Delivery) -> StockAlert | None:
    if delivery.kind not in NOTICES:
        return None
    return StockAlert.model_validate_json(delivery.content)


def _card_message(
    delivery: Delivery, alert: StockAlert, app: WecomApp, phrasing: Phrasing
) -> dict[str, object]:
    view = view_of(delivery, phrasing, shown=0)
    card = card_of(alert, view, phrasing) | {"task_id": task_id(delivery.id)}
    return {
        "touser": _people(alert.to, app),
        "msgtype": "template_card",
        "agentid": app.agent_id,
        "template_card": card,
    }


def _text_message(
    delivery: Delivery,
    alert: StockAlert | None,
    app: WecomApp,
    templates: Templates,
    phrasing: Phrasing,
) -> dict[str, object]:
    def written(view: View) -> str:
        # The vendor drops a message whose text it has had: each is one of its kind.
        unique = f"{view.url}#{delivery.id.hex[-12:]}"
        return templates.written("wecom.md.j2", view, phrasing, url=unique).strip()

    view = fitting(
        delivery, phrasing, lambda view: len(written(view).encode()), WecomApp.longest_bytes
    )
    if delivery.kind is Kind.DIGEST:
        digest = Digest.model_validate_json(delivery.content)
        people = _people(digest.to, app, others=digest.to_others)
    elif alert is not None and alert.event is AlertEvent.REFUSED:
        people = "|".join(_user_ids(alert.to))
    elif delivery.kind is Kind.META:
        note = FailureNote.model_validate_json(delivery.content)
        people = _people(() if note.order is None else note.order.buyers, app)
    else:
        people = _people(() if alert is None else alert.to, app)
    return {
        "touser": people,
        "msgtype": "markdown",
        "agentid": app.agent_id,
        "markdown": {"content": written(view)},
        "enable_duplicate_check": 1,
        "duplicate_check_interval": REPEATS_KNOWN_SECONDS,
    }


def _people(to: Iterable[Recipient], app: WecomApp, *, others: bool = False) -> str:
    """Return whom a message goes to: whoever it is for, else those of the application."""
    named = _user_ids(to)
    chosen = [*named, *app.to] if others or not named else named
    return "|".join(dict.fromkeys(chosen))


def _user_ids(to: Iterable[Recipient]) -> list[str]:
    # Anything else may be the vendor's word for all, or several at once.
    return [
        each.wecom_userid
        for each in to
        if each.wecom_userid and WECOM_USERID.fullmatch(each.wecom_userid)
    ]


def _json(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def read(rendered: bytes) -> Reading:
    """Return what a message or a changed card says; its text counts."""
    body = json.loads(rendered)
    message = body.get("message", body)
    changes = body.get("changes", [])
    card = changes[0]["change"]["template_card"] if changes else message.get("template_card")
    text = str(message["markdown"]["content"]) if card is None else text_of(card)
    return Reading(text, len(text.encode()))


class _Sent(BaseModel):
    model_config = ConfigDict(extra="ignore")

    errcode: int
    errmsg: str = ""
    invaliduser: str | list[str] = ""
    unlicenseduser: str | list[str] = ""
    response_code: str | None = None


class WecomAppTransport:
    """Writes for one application."""

    def __init__(self, app: WecomApp, lane: str, tls: ssl.SSLContext, tokens: AccessTokens) -> None:
        self._app = app
        self._exchange = Exchange(tls, app.secrets.values())
        self._tokens = Tokens(app, lane, self._exchange, tokens)
        self._in_doubt = False

    async def send(self, message: Message) -> Outcome:
        """Send a message, or change cards; whoever is not reached so gets the message.

        Whose card an earlier attempt has changed is not told again.
        """
        self._in_doubt = False
        changed = set(() if message.recipients is None else message.recipients.reached)
        try:
            async with asyncio.timeout(_ALL_SECONDS):
                outcome = await self._send(message, changed)
        except TimeoutError:
            outcome = doubtful("timeout", "no answer in time") if self._in_doubt else NO_TOKEN
        if not changed:
            return outcome
        refused = () if outcome.recipients is None else outcome.recipients.refused
        return replace(outcome, recipients=Recipients((), tuple(sorted(changed)), refused=refused))

    async def _send(self, message: Message, changed: set[str]) -> Outcome:
        """Do what is left to do; those whose card is changed now join those before."""
        body = json.loads(message.rendered)
        if "changes" not in body:
            return await self._tell(body, message.now)
        for each in body["changes"]:
            if changed.issuperset(each["users"]):
                continue
            outcome = await self._post(CHANGE, _json(each["change"]), message.now)
            if outcome.verdict is Verdict.ACCEPTED:
                changed.update(each["users"])
            elif outcome.verdict is not Verdict.PERMANENT:
                return outcome
            # Else the code was used, perhaps by an attempt whose answer was lost.
        told = body["message"]["touser"].split("|")
        rest = [user for user in told if user.lower() not in changed]
        if not rest:
            return _NOTHING_TO_SAY
        return await self._tell(body["message"] | {"touser": "|".join(rest)}, message.now)

    async def _tell(self, message: dict[str, object], now: datetime) -> Outcome:
        """Send a message to as many people as one may have; of the others the outcome says so."""
        people = str(message["touser"]).split("|")
        text = message | {"touser": "|".join(people[:MOST_PEOPLE])}
        outcome = await self._post(SEND, _json(text), now)
        beyond = [f"{user} (beyond {MOST_PEOPLE})" for user in people[MOST_PEOPLE:]]
        if not beyond or outcome.verdict is not Verdict.ACCEPTED:
            return outcome
        refused = () if outcome.recipients is None else outcome.recipients.refused
        return replace(outcome, recipients=Recipients((), refused=(*refused, *beyond)))

    async def _post(self, path: str, content: bytes, now: datetime) -> Outcome:
        stale: SecretStr | None = None
        while True:
            token = await self._tokens.token(now, stale)
            if isinstance(token, Outcome):
                return token
            self._in_doubt = True
            value = quote(token.get_secret_value(), safe="")
            url = f"{self._app.url}{path}?access_token={value}"
            outcome = await self._exchange.post(url, content, judge, now=now)
            if outcome.code not in TOKEN_REFUSED:
                return outcome
            self._in_doubt = False
            if stale is not None:  # a new one is refused as well
                return outcome
            stale = token

    async def close(self) -> None:
        """Close kept connections."""
        await self._exchange.close()


TOKEN_REFUSED: Collection[str] = {"40001", "40014", "42001"}
"""The token has lapsed or was taken back: with another one it may go."""

_TOKEN_WAIT = timedelta(minutes=1)
_PASSING = {**PASSING, **{int(code): _TOKEN_WAIT for code in TOKEN_REFUSED}}


def judge(answer: Answer) -> Outcome:
    """Return what an answer means."""
    if answer.status != 200:
        return of_status(answer)
    try:
        said = _Sent.model_validate_json(answer.body)
    except ValidationError:
        return unreadable("an errcode")
    if said.errcode == ALREADY_THERE:
        return Outcome(Verdict.ACCEPTED, str(ALREADY_THERE), "it had arrived already")
    if said.errcode != 0:
        return of_errcode(said.errcode, said.errmsg, _PASSING)
    refused = [
        *(f"{user} (invalid)" for user in _ids(said.invaliduser)),
        *(f"{user} (no licence)" for user in _ids(said.unlicenseduser)),
    ]
    return Outcome(
        Verdict.ACCEPTED,
        "0",
        "ok",
        receipt=said.response_code,
        recipients=Recipients(left=(), refused=tuple(refused)) if refused else None,
    )


def _ids(said: str | list[str]) -> list[str]:
    parts = said.split("|") if isinstance(said, str) else said
    return [part for part in chain(parts) if part]
