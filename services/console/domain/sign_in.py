"""Sign-in codes and sessions: short texts signed with the console's secret, nothing stored.

A code is good once and for a quarter of an hour; it buys a session. Both have the form
`<purpose>.<issued, ms since 1970>.<nonce>.<HMAC-SHA256>`, so neither can stand for the other.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# Long enough to fetch a coffee while the stack starts, short enough for a terminal's scrollback.
CODE_LIFETIME = timedelta(minutes=15)
# One working day: whoever sits at the machine signs in once in the morning.
SESSION_LIFETIME = timedelta(hours=12)

_CODE = "code"
_SESSION = "session"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in; may act until `ends_at`."""

    id: str
    ends_at: datetime

    def is_alive(self, now: datetime) -> bool:
        """Return whether the session may still be used."""
        return now < self.ends_at


def mint_code(secret: str, *, now: datetime, nonce: str) -> str:
    """Return a code that signs one person in; `nonce` is a fresh random text without dots."""
    return _signed(secret, _CODE, now, nonce)


def mint_session(secret: str, *, now: datetime, nonce: str) -> str:
    """Return a session token that lasts SESSION_LIFETIME."""
    return _signed(secret, _SESSION, now, nonce)


def session_of(secret: str, token: str, now: datetime) -> Session | None:
    """Return the living session that a token stands for, or None."""
    stamp = _verified(secret, _SESSION, token)
    if stamp is None:
        return None
    session = Session(stamp.nonce, stamp.issued_at + SESSION_LIFETIME)
    return session if session.is_alive(now) else None


class Codes:
    """Redeems each code once.

    What was redeemed is remembered only in this process, so codes minted before it started are
    refused: a restart must not make a used one good again.
    """

    def __init__(self, secret: str, started_at: datetime) -> None:
        self._secret = secret
        self._started_at = started_at
        self._redeemed: dict[str, datetime] = {}

    def redeem(self, code: str, now: datetime) -> bool:
        """Return whether the code is good, and make it useless from here on."""
        stamp = _verified(self._secret, _CODE, code)
        if stamp is None or stamp.issued_at < self._started_at:
            return False
        if not stamp.issued_at <= now < stamp.issued_at + CODE_LIFETIME:
            return False
        self._forget_expired(now)
        if stamp.nonce in self._redeemed:
            return False
        self._redeemed[stamp.nonce] = stamp.issued_at + CODE_LIFETIME
        return True

    def _forget_expired(self, now: datetime) -> None:
        for nonce in [nonce for nonce, end in self._redeemed.items() if end <= now]:
            del self._redeemed[nonce]


@dataclass(frozen=True, slots=True)
class _Stamp:
    issued_at: datetime
    nonce: str


def _signed(secret: str, purpose: str, now: datetime, nonce: str) -> str:
    body = f"{purpose}.{int(now.timestamp() * 1000)}.{nonce}"
    return f"{body}.{_signature(secret, body)}"


def _verified(secret: str, purpose: str, token: str) -> _Stamp | None:
    body, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_signature(secret, body).encode(), signature.encode()):
        return None
    given, issued_ms, nonce = body.split(".")
    if given != purpose:
        return None
    return _Stamp(datetime.fromtimestamp(int(issued_ms) / 1000, UTC), nonce)


def _signature(secret: str, body: str) -> str:
    digest = hmac.digest(secret.encode(), body.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
