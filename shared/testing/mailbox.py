"""A mailbox on a real SMTP server, which can be told to refuse recipients or to hang up."""

import asyncio
import re
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from shared.clock import Clock, WallClock

_GREETING_NAME = "mailbox.lowtide.example"


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it was accepted; `recipients` are those of the envelope."""

    number: int
    at: datetime
    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    raw: bytes
    answer_lost: bool

    @property
    def text(self) -> str:
        """The plain part."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part."""
        return self._part("html")

    def _part(self, subtype: str) -> str:
        part = self.message.get_body((subtype,))
        return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


@dataclass(slots=True)
class _Refusal:
    code: int
    times: int | None
    quotes: str = ""


class Mailbox:
    """The server and what it has received. With a password it wants to be signed in to.

    `tls` is for who asks for it (STARTTLS), or, if it is `implicit`, there from the first byte on.
    """

    def __init__(
        self,
        *,
        username: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        clock: Clock | None = None,
        told: Callable[[Mail], None] | None = None,
    ) -> None:
        self.mails: list[Mail] = []
        self.answers_lost = 0
        self.hung = 0
        self.connections = 0
        self._clock = clock or WallClock()
        self._credentials = None if password is None else (username or "", password)
        self._tls_at_once = tls if implicit else None
        self._tls = None if implicit else tls
        self._told = told
        self._refusals: dict[str, _Refusal] = {}
        self._content_code: _Refusal | None = None
        self._drops: list[bool] = []
        self._hangs = 0

    def refuse(self, recipient: str, code: int, *, times: int | None = None) -> None:
        """Answer RCPT for one address with `code` (4xx or 5xx), `times` times or always."""
        self._refusals[recipient] = _Refusal(code, times)

    def refuse_content(self, code: int, *, times: int = 1, quotes: str = "") -> None:
        """Answer the next messages' content with `code`, and what of its text fits a pattern."""
        self._content_code = _Refusal(code, times, quotes)

    def lose_answer(self, times: int = 1) -> None:
        """Accept the next messages, then reset the connection instead of answering."""
        self._drops += [True] * times

    def drop(self, times: int = 1) -> None:
        """Reset the connection after the next messages' content and accept nothing."""
        self._drops += [False] * times

    def hang(self, times: int = 1) -> None:
        """Never answer the next messages' content, and accept nothing."""
        self._hangs += times

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[int]:
        """Serve on the loopback and yield the port."""
        loop = asyncio.get_running_loop()
        protocols: list[SMTP] = []

        def connected() -> SMTP:
            self.connections += 1
            protocol = self._protocol(loop)
            protocols.append(protocol)
            return protocol

        server = await loop.create_server(connected, "127.0.0.1", port, ssl=self._tls_at_once)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for protocol in protocols:
                _hang_up(protocol)
            await server.wait_closed()
            await asyncio.sleep(0)  # an aborted transport closes its socket in the next round

    def _protocol(self, loop: asyncio.AbstractEventLoop) -> SMTP:
        with warnings.catch_warnings():
            # It warns of passwords without TLS; on the loopback there is nobody to overhear.
            warnings.simplefilter("ignore", UserWarning)
            return SMTP(
                self,
                hostname=_GREETING_NAME,
                loop=loop,
                enable_SMTPUTF8=True,
                auth_required=self._credentials is not None,
                auth_require_tls=self._tls is not None,
                authenticator=self._authenticate,
                tls_context=self._tls,
            )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object
    ) -> AuthResult:
        right = (
            self._credentials is not None
            and isinstance(given, LoginPassword)
            and (given.login.decode(), given.password.decode()) == self._credentials
        )
        return AuthResult(success=right, handled=False)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's hook
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Take or refuse one recipient."""
        refusal = self._refusals.get(address)
        if refusal is not None and _strikes(refusal):
            return f"{refusal.code} refused as ordered"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's hook
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take or refuse a message, or hang up."""
        if self._content_code is not None and _strikes(self._content_code):
            return f"{self._content_code.code} refused as ordered{self._quoted(envelope)}"
        if self._hangs:
            self._hangs -= 1
            self.hung += 1
            await asyncio.Event().wait()
        lost = bool(self._drops)
        if not self._drops or self._drops.pop(0):
            self._accept(envelope, answer_lost=lost)
        if lost:
            self.answers_lost += 1
            _hang_up(server)
        return "250 OK"

    def _quoted(self, envelope: Envelope) -> str:
        assert self._content_code is not None
        if not self._content_code.quotes:
            return ""
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        assert isinstance(message, EmailMessage)
        part = message.get_body(("plain",))
        found = re.search(self._content_code.quotes, "" if part is None else part.get_content())
        return "" if found is None else f": {found[0]}"

    def _accept(self, envelope: Envelope, *, answer_lost: bool) -> None:
        raw = envelope.original_content or b""
        message = message_from_bytes(raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        mail = Mail(
            number=len(self.mails) + 1,
            at=self._clock.now(),
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            message=message,
            raw=raw,
            answer_lost=answer_lost,
        )
        self.mails.append(mail)
        if self._told is not None:
            self._told(mail)


def _hang_up(protocol: SMTP) -> None:
    if isinstance(protocol.transport, asyncio.WriteTransport):
        protocol.transport.abort()


def _strikes(refusal: _Refusal) -> bool:
    if refusal.times is None:
        return True
    refusal.times -= 1
    return refusal.times >= 0
