"""E-mail over SMTP: one connection per message, an answer per recipient.

Each mail has text and HTML, is marked as sent by a machine, keeps its Message-ID when it is
repeated, and hangs under the first notice of its episode. A repeat is not
recognised. 4xx is tried again, 5xx is not, recipient by recipient.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPResponseException,
)

from services.notifier.destinations.exchange import (
    AT_ONCE,
    MASK,
    REPEAT_AFTER_CUT,
    REPEAT_AFTER_HANG,
    doubtful,
)
from services.notifier.destinations.links import Links, answers
from services.notifier.destinations.mail_headers import POLICY
from services.notifier.destinations.order_views import (
    LINK_PLACE,
    for_supplier,
    order_in,
    order_view,
)
from services.notifier.destinations.rendering import Reading, Templates, plain, view_of
from services.notifier.destinations.transport import Message
from services.notifier.domain.addresses import Email
from services.notifier.domain.contents import DIGEST_LINES, Digest, FailureNote
from services.notifier.domain.deliveries import NOTICES, Delivery, Kind, Reason, Recipients
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome, Verdict, legible
from shared.events.alert_reports import PurchaseOrder
from shared.events.stock_alerts import AlertEvent, Recipient, StockAlert
from shared.sealing import Sealed

_TOKEN = re.compile(r"[\w.~=-]{40,}", re.ASCII)
"""What lets somebody act, in a link; words of servers, their links' and numbers are shorter."""

_SUBJECT_CHARACTERS = 180

_TIMEOUT_SECONDS = 10
"""For each of the server's answers."""
_ALL_SECONDS = 28
"""For a whole attempt, whose end `Transport.send` promises within 30."""
_CONTENT_SECONDS = 10
"""What is left of them when content is begun: without time for an answer it would be in doubt."""

_ONE_BY_ONE_SECONDS = 5
"""For the people of one attempt, the last one's mail besides: what has come so far is recorded
before a sender that is told to end is gone (`sending.sender.STOP_SECONDS`)."""

_NOBODY_YET = Recipients(left=())

_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def render(
    delivery: Delivery, destination: Destination, email: Email, templates: Templates, now: datetime
) -> bytes:
    """Return the whole mail of a delivery."""
    phrasing = templates.phrasing(destination, plain)
    order: PurchaseOrder | None = None
    if delivery.kind is Kind.ORDER:
        report, order = order_in(delivery)
        phrasing = for_supplier(order, phrasing)
        view = order_view(report, order, phrasing, possible_duplicate=delivery.duplicate_possible)
        to = [order.to]
    else:
        view = view_of(delivery, phrasing, shown=DIGEST_LINES)
        to = _recipients(delivery, email)
    if email.personal and templates.public_url is not None:
        view = replace(view, answers=answers(delivery, phrasing.language, templates.public_url))
    message = EmailMessage(policy=POLICY)
    message["Subject"] = view.title[:_SUBJECT_CHARACTERS]
    message["From"] = email.sender
    message["To"] = ", ".join(to)
    message["Date"] = format_datetime(now)
    message["Auto-Submitted"] = "auto-generated"
    _thread(message, delivery, destination, email)
    message.set_content(templates.written("email.txt.j2", view, phrasing))
    message.add_alternative(templates.written("email.html.j2", view, phrasing), subtype="html")
    message.set_boundary(f"=_{delivery.id.hex}")
    if order is not None:
        name = f"{order.reference}.xlsx"
        message.add_attachment(order.sheet, *_WORKBOOK.split("/"), filename=name)
        message.set_boundary(f"=_{delivery.id.hex}.order")
    return message.as_bytes()


def _recipients(delivery: Delivery, email: Email) -> list[str]:
    """Return whom a mail goes to: of a personal destination whoever it is for, if anybody."""
    to: Sequence[Recipient] = ()
    others = False
    if email.personal and delivery.kind is Kind.DIGEST:
        digest = Digest.model_validate_json(delivery.content)
        to, others = digest.to, digest.to_others
    elif email.personal and delivery.kind in NOTICES:
        alert = StockAlert.model_validate_json(delivery.content)
        to = alert.to
        if alert.event is AlertEvent.REFUSED:
            return [each.email for each in to if each.email]
    elif email.personal and delivery.kind is Kind.META:
        note = FailureNote.model_validate_json(delivery.content)
        to = () if note.order is None else note.order.buyers
    named = [each.email for each in to if each.email]
    return list(dict.fromkeys([*named, *email.to] if others or not named else named))


def _thread(
    message: EmailMessage, delivery: Delivery, destination: Destination, email: Email
) -> None:
    """Identify the message for good, and put it under the episode's first notice."""
    domain = email.sender.rpartition("@")[2].strip("> ") or "lowtide.invalid"
    root = f"<{delivery.alert_id}.{destination.id}@{domain}>"
    if delivery.kind is Kind.FIRST:
        message["Message-ID"] = root
        return
    message["Message-ID"] = f"<{delivery.id}@{domain}>"
    if delivery.alert_id is not None:
        message["In-Reply-To"] = root
        message["References"] = root


def read(rendered: bytes) -> Reading:
    """Return the plain part of a mail; all of it counts."""
    part = message_from_bytes(rendered, policy=policy.default).get_body(("plain",))
    text = "" if part is None else str(part.get_content()).replace("\r\n", "\n")
    return Reading(text.replace(LINK_PLACE, "[…]"), len(rendered))


def recipients_in(rendered: bytes) -> tuple[str, ...]:
    """Return whom a mail is to."""
    message = message_from_bytes(rendered, policy=policy.default)
    return tuple(each.addr_spec for each in message["To"].addresses)


class EmailTransport:
    """Sends to one list of recipients, together or one by one, through one server."""

    def __init__(self, email: Email, tls: ssl.SSLContext, links: Links) -> None:
        self._email = email
        self._tls = tls
        self._links = links
        # aiosmtplib would ask the resolver for a full name, which may take seconds.
        self._hostname = socket.gethostname()

    async def send(self, message: Message) -> Outcome:
        """Send one message to the recipients that are left."""
        if message.link is not None:
            try:
                rendered = self._links.with_link(message.rendered, message.link)
            except Sealed as error:
                return _permanent("sealed", str(error))
            message = replace(message, rendered=rendered, link=None)
        progress = (message.recipients or _NOBODY_YET).of(recipients_in(message.rendered))
        client = SMTP(
            hostname=self._email.host,
            port=self._email.port,
            timeout=_TIMEOUT_SECONDS,
            local_hostname=self._hostname,
            use_tls=self._email.tls == "implicit",
            start_tls=self._email.tls == "starttls",
            tls_context=None if self._email.tls == "none" else self._tls,
        )
        ends = asyncio.get_running_loop().time() + _ALL_SECONDS
        try:
            async with asyncio.timeout_at(ends - _CONTENT_SECONDS):
                await self._greet(client)
            if self._email.personal:
                return await self._one_by_one(client, message, progress, ends)
            async with asyncio.timeout_at(ends - _CONTENT_SECONDS):
                progress, taken = await self._prepare(client, progress)
            if not taken:
                return _of_recipients(progress)
            return await self._hand_over(client, message.rendered, progress, taken, ends)
        except (SMTPException, OSError) as error:
            return _not_begun(error)
        finally:
            client.close()

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _greet(self, client: SMTP) -> None:
        await client.connect()
        if self._email.password is not None:
            await client.login(self._email.username or "", self._email.password.get_secret_value())

    async def _one_by_one(
        self, client: SMTP, message: Message, progress: Recipients, ends: float
    ) -> Outcome:
        """Send to each of those that are left; what goes wrong with one keeps what is done.

        Where they are many or the server is slow, the others come with the next attempt.
        """
        now = asyncio.get_running_loop().time
        begins = ends - _CONTENT_SECONDS
        enough = min(now() + _ONE_BY_ONE_SECONDS, begins)
        for number, address in enumerate(progress.left):
            if number and now() >= enough:
                others_next = Reason.OTHERS_NEXT
                return Outcome(Verdict.TRANSIENT, others_next, others_next, recipients=progress)
            others = tuple(each for each in progress.left if each != address)
            try:
                async with asyncio.timeout_at(min(now() + _TIMEOUT_SECONDS, begins)):
                    own, taken = await self._prepare(client, replace(progress, left=(address,)))
                    if not taken:
                        await client.rset()
            except (SMTPException, OSError) as error:
                return replace(_not_begun(error), recipients=progress)
            progress = replace(own, left=(*others, *own.left))
            if not taken:
                continue
            mail = self._links.personal(message.rendered, message.delivery, address, message.now)
            outcome = await self._hand_over(client, mail, progress, taken, ends)
            if outcome.lane_wait is not None or outcome.recipients is None:
                return outcome
            if outcome.verdict is Verdict.PERMANENT:
                # This one's mail; what the server says to the others' is seen when it has them.
                refused = (*progress.refused, f"{address} ({outcome.code})")
                progress = replace(progress, refused=refused)
            else:
                progress = outcome.recipients
        return _of_recipients(progress)

    async def _prepare(
        self, client: SMTP, progress: Recipients
    ) -> tuple[Recipients, tuple[str, ...]]:
        await client.mail(parseaddr(self._email.sender)[1])
        return await _offer(client, progress)

    async def _hand_over(
        self,
        client: SMTP,
        rendered: bytes,
        progress: Recipients,
        taken: tuple[str, ...],
        ends: float,
    ) -> Outcome:
        try:
            async with asyncio.timeout_at(ends):
                await client.data(rendered)
        except SMTPResponseException as error:
            undone = replace(progress, left=progress.left + taken)
            # What the server says about the content may repeat the links in it.
            told = SMTPResponseException(error.code, _TOKEN.sub(MASK, error.message))
            return replace(_refused(told), recipients=undone)
        except TimeoutError:
            return _doubtful("timeout", "no answer in time", progress, taken, REPEAT_AFTER_HANG)
        except (SMTPException, OSError):
            return _doubtful(
                "cut", "the connection ended without an answer", progress, taken, REPEAT_AFTER_CUT
            )
        return _of_recipients(replace(progress, reached=progress.reached + taken))


async def _offer(client: SMTP, progress: Recipients) -> tuple[Recipients, tuple[str, ...]]:
    """Name the recipients; returns who is still left or refused for good, and who is taken."""
    taken: list[str] = []
    left: list[str] = []
    refused = list(progress.refused)
    for address in progress.left:
        try:
            await client.rcpt(address)
        except SMTPRecipientRefused as refusal:
            if refusal.code >= 500:
                refused.append(f"{address} ({refusal.code})")
            else:
                left.append(address)
        else:
            taken.append(address)
    return replace(progress, left=tuple(left), refused=tuple(refused)), tuple(taken)


def _not_begun(error: SMTPException | OSError) -> Outcome:
    """Judge what went wrong before anything of the content was sent."""
    match error:
        case SMTPNotSupported():
            return _permanent("unsupported", error.message)
        case SMTPResponseException():
            return _refused(error)
        case _:
            return Outcome(
                Verdict.TRANSIENT,
                type(error).__name__,
                "the server could not be reached or hung up",
                lane_wait=AT_ONCE,
            )


def _of_recipients(progress: Recipients) -> Outcome:
    if progress.left:
        detail = f"put off by the server: {', '.join(progress.left)}"
        return Outcome(Verdict.TRANSIENT, "4xx", detail, recipients=progress)
    if progress.reached or progress.in_doubt:
        return Outcome(Verdict.ACCEPTED, "250", "ok", recipients=progress)
    detail = f"refused by the server: {', '.join(progress.refused)}"
    return Outcome(Verdict.PERMANENT, "5xx", detail, recipients=progress)


def _refused(error: SMTPResponseException) -> Outcome:
    # What the server says about a sign-in may repeat what was sent.
    said = "signing in failed" if isinstance(error, SMTPAuthenticationError) else error.message
    if error.code >= 500:
        return _permanent(str(error.code), said)
    return Outcome(
        Verdict.TRANSIENT, str(error.code), f"{error.code} {legible(said)}", lane_wait=AT_ONCE
    )


def _permanent(code: str, said: str) -> Outcome:
    return Outcome(Verdict.PERMANENT, code, f"{code} {legible(said)}")


def _doubtful(
    code: str, detail: str, progress: Recipients, taken: tuple[str, ...], wait: timedelta
) -> Outcome:
    recipients = replace(progress, in_doubt=progress.in_doubt + taken)
    return replace(doubtful(code, detail, wait), recipients=recipients)
