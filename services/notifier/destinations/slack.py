"""Slack: `POST /api/chat.postMessage` with a bot's token, judged by the body's `ok`.

What follows in an episode hangs under its first notice, in the order in which it happened. A
change of level, a reminder and the end also show in the channel (`reply_broadcast`): they change
what a reader should do. The text of the first notice stays, since it is what people acted upon.

With the signing secret of the bot's app, what asks people to act has buttons. What follows then
first changes the messages that have them (chat.update): the first notice and the newest of the
others say below their text who did what, and lose the buttons that make no sense any more. A
change may be repeated as often as one likes, so whatever becomes of it, the reply is posted after
it; only once it certainly cannot be made, without it. A refusal is shown to one person alone
(chat.postEphemeral), if they are in the channel.

Errors are HTTP 200 with a word, but for 429, which says in `Retry-After` how long to wait. Two of
the words leave open whether the message was posted; a repeat is not recognised. `&`, `<` and `>`
are the only characters that have to be escaped; `<@U…>` rings a member, and not again when a
message changes (api.slack.com: chat.postMessage, chat.update, chat.postEphemeral, rate limits,
formatting text).
"""

import asyncio
import json
import re
import ssl
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, ValidationError

from services.notifier.destinations.deeds import by_people, happened
from services.notifier.destinations.exchange import (
    Answer,
    Exchange,
    doubtful,
    of_status,
    unreadable,
)
from services.notifier.destinations.rendering import Reading, Templates, fitting, plain, view_of
from services.notifier.destinations.slack_blocks import TEXT, Block, actions, texts
from services.notifier.destinations.transport import Message
from services.notifier.destinations.views import Phrasing, View
from services.notifier.domain.addresses import Slack
from services.notifier.domain.cards import asks_somebody, changes_card
from services.notifier.domain.deliveries import NOTICES, Delivery, Kind
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome, Verdict
from shared.chat_ids import SLACK_USER_ID
from shared.events.stock_alerts import ENDINGS, AlertEvent, Recipient, StockAlert

PATH = "/api/chat.postMessage"
CHANGE = "/api/chat.update"
ALONE = "/api/chat.postEphemeral"

PASSING = {
    "ratelimited",
    "rate_limited",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
}
"""Certainly not posted, and worth another try."""

TOO_MANY = {"429", "ratelimited", "rate_limited"}

IN_DOUBT = {"fatal_error", "internal_error"}
"""\"It's possible some aspect of the operation succeeded\"."""

NOT_THERE = {"user_not_in_channel"}
"""Whom nothing can be shown there: the message is for them alone, so nobody else is told."""

SHORTEST_WAIT = timedelta(seconds=1)
"""A channel takes one message a second."""

_TS = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")

_BROADCAST = ENDINGS | {AlertEvent.LEVEL_CHANGED, AlertEvent.REMINDED, AlertEvent.ESCALATED}

# Quotation mark and asterisk operator, which look alike and mean nothing.
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'", "*": "\u2217"})


def escaped(text: str) -> str:
    """Return a text that mentions nobody and links nowhere."""
    return plain(text).translate(_MARKUP)


def mention(person: Recipient) -> str | None:
    """Return what rings somebody whose member id is known."""
    user_id = person.slack_user_id or ""
    return f"<@{user_id}>" if SLACK_USER_ID.fullmatch(user_id) else None


def render(
    delivery: Delivery, destination: Destination, slack: Slack, templates: Templates
) -> bytes:
    """Return the JSON to send: a message, or changes of messages with the reply that follows."""
    phrasing = templates.phrasing(destination, escaped, mention)
    alert = _alert(delivery)
    user = None if alert is None else _told_alone(alert)
    if user is not None:
        text = _text(delivery, templates, phrasing, Slack.longest_bytes)
        return _json({"alone": {"channel": slack.channel, "user": user, "text": text}})
    buttons = (
        slack.signing_secret is not None
        and alert is not None
        and (delivery.kind is Kind.FIRST or asks_somebody(alert))
    )
    changes = [] if alert is None else _changes(delivery, alert, slack, phrasing)
    if changes and delivery.duplicate_possible:
        return _json({"changes": changes})  # the reply may be there, and is not posted twice
    text = _text(delivery, templates, phrasing, TEXT if buttons else Slack.longest_bytes)
    body: Block = {
        "channel": slack.channel,
        "text": text,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if buttons and alert is not None:
        body["blocks"] = [*texts(text), *actions(alert, delivery.id, phrasing.language)]
    if delivery.thread is not None:
        body["thread_ts"] = delivery.thread
        asks = delivery.kind is Kind.ESCALATION
        body["reply_broadcast"] = asks or delivery.event in _BROADCAST
    return _json({"changes": changes, "message": body} if changes else body)


def _alert(delivery: Delivery) -> StockAlert | None:
    if delivery.kind not in NOTICES:
        return None
    return StockAlert.model_validate_json(delivery.content)


def _told_alone(alert: StockAlert) -> str | None:
    """Return whose refusal a revision is; None for all that a channel is told."""
    if alert.event is not AlertEvent.REFUSED:
        return None
    return next((each.slack_user_id for each in alert.to if each.slack_user_id), None)


def _text(delivery: Delivery, templates: Templates, phrasing: Phrasing, longest_bytes: int) -> str:
    def written(view: View) -> str:
        return templates.written("slack.md.j2", view, phrasing).strip()

    view = fitting(delivery, phrasing, lambda view: len(written(view).encode()), longest_bytes)
    return written(view)


_BRIEF = 80
"""Characters kept of each name or note below a text: five of them, escaped, are 2,000."""


def _changes(
    delivery: Delivery, alert: StockAlert, slack: Slack, phrasing: Phrasing
) -> list[Block]:
    """Return how the messages with buttons change: the first, and the newest of the others."""
    if not changes_card(alert):
        return []
    first_and_newest = dict.fromkeys((*delivery.posted[:1], *delivery.posted[-1:]))
    chosen = [(each.ts, json.loads(each.rendered)["text"]) for each in first_and_newest]
    if not chosen:
        return []
    brief = replace(phrasing, longest=_BRIEF)
    done = by_people(view_of(delivery, brief, shown=0), brief.words)
    said = "\n".join(
        [happened(alert, brief), *(f"{line.label}{brief.words.colon}{line.text}" for line in done)]
    )
    offered = [] if slack.signing_secret is None else actions(alert, delivery.id, brief.language)
    return [
        {
            "channel": slack.channel,
            "ts": ts,
            "text": f"{text}\n{said}",
            "blocks": [*texts(text, said), *offered],
            "parse": "none",
        }
        for ts, text in chosen
    ]


def _json(body: Block) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def read(rendered: bytes) -> Reading:
    """Return what a body says; the text alone counts."""
    body = json.loads(rendered)
    changed = body["changes"][0] if "changes" in body else body
    text = str(body.get("message", body.get("alone", changed))["text"])
    return Reading(text, len(text.encode()))


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    ok: bool
    error: str = ""
    ts: str | None = None


_ALL_SECONDS = 28
"""For everything of an attempt."""


class SlackTransport:
    """Sends to one channel."""

    def __init__(self, slack: Slack, tls: ssl.SSLContext) -> None:
        self._slack = slack
        self._exchange = Exchange(tls, slack.secrets.values())
        self._in_doubt = False

    async def send(self, message: Message) -> Outcome:
        """Change the messages that are there, then post one; or show one to some people alone."""
        self._in_doubt = False
        try:
            async with asyncio.timeout(_ALL_SECONDS):
                return await self._send(message)
        except TimeoutError:
            outcome = doubtful("timeout", "no answer in time")
            return outcome if self._in_doubt else _certain(outcome)

    async def _send(self, message: Message) -> Outcome:
        body = json.loads(message.rendered)
        unchanged = ""
        for each in body.get("changes", ()):
            outcome = await self._post(CHANGE, _json(each), message.now)
            if outcome.verdict is Verdict.PERMANENT:
                # It is gone, or too old to be changed: the reply says it.
                unchanged = f"; not changed: {outcome.code}"
            elif outcome.verdict is not Verdict.ACCEPTED:
                certain = _certain(outcome)
                # Changes have a limit of their own: what is new goes on meanwhile.
                return replace(certain, lane_wait=None) if outcome.code in TOO_MANY else certain
        self._in_doubt = True
        if "alone" in body:
            return await self._show(body["alone"], message.now)
        if "changes" in body and "message" not in body:
            return replace(_NOTHING_TO_SAY, detail=f"{_NOTHING_TO_SAY.detail}{unchanged}")
        outcome = await self._post(PATH, _json(body.get("message", body)), message.now)
        return replace(outcome, detail=f"{outcome.detail}{unchanged}")

    async def _show(self, alone: Block, now: datetime) -> Outcome:
        """Show somebody what is for them alone, if they are there."""
        outcome = await self._post(ALONE, _json(alone), now)
        absent = outcome.code in NOT_THERE
        return replace(outcome, verdict=Verdict.ACCEPTED) if absent else outcome

    async def _post(self, path: str, content: bytes, now: datetime) -> Outcome:
        headers = {"Authorization": f"Bearer {self._slack.token.get_secret_value()}"}
        return await self._exchange.post(
            self._slack.url + path, content, judge, now=now, headers=headers
        )

    async def close(self) -> None:
        """Close kept connections."""
        await self._exchange.close()


_NOTHING_TO_SAY = Outcome(Verdict.ACCEPTED, "ok", "ok")
"""The messages that are there say it."""


def _certain(outcome: Outcome) -> Outcome:
    """Return the outcome of an attempt whose reply was certainly not posted yet."""
    return replace(outcome, verdict=Verdict.TRANSIENT)


def judge(answer: Answer) -> Outcome:
    """Return what an answer means."""
    if answer.status != 200:
        return of_status(answer)
    try:
        said = _Answer.model_validate_json(answer.body)
    except ValidationError:
        return unreadable("ok")
    if said.ok:
        receipt = said.ts if said.ts is not None and _TS.fullmatch(said.ts) else None
        return Outcome(Verdict.ACCEPTED, "ok", "ok", receipt=receipt)
    error = said.error
    if error in IN_DOUBT:
        return doubtful(error, error)
    if error in PASSING:
        wait = answer.retry_after or SHORTEST_WAIT
        return Outcome(Verdict.TRANSIENT, error, error, wait, wait)
    return Outcome(Verdict.PERMANENT, error, error)
