"""Sign-in codes and sessions: short texts signed with the console's secret, nothing stored.

A code is good once and for a quarter of an hour; it buys a session. Both have the form
`<purpose>.<issued, ms since 1970>.<nonce>.<HMAC-SHA256>`, so neither can stand for the other. Once
a viewer has said who they are, `<person, base64 of JSON>` comes before the HMAC.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from services.console.domain.broadcast import Broadcast

# Long enough to fetch a coffee while the stack starts, short enough for a terminal's scrollback.
CODE_LIFETIME = timedelta(minutes=15)
# One working day: whoever sits at the machine signs in once in the morning.
SESSION_LIFETIME = timedelta(hours=12)

_CODE = "code"
_SESSION = "session"


class Myself(NamedTuple):
    """Who a viewer has said they are: a person's id, and what to call them."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in; may act until `ends_at`."""

    id: str
    ends_at: datetime
    myself: Myself | None = None

    def is_alive(self, now: datetime) -> bool:
        """Return whether the session may still be used."""
        return now < self.ends_at


def mint_code(secret: str, *, now: datetime, nonce: str) -> str:
    """Return a code that signs one person in; `nonce` is a fresh random text without dots."""
    return _signed(secret, _CODE, now, nonce)


def mint_session(secret: str, *, now: datetime, nonce: str) -> str:
    """Return a session token that lasts SESSION_LIFETIME."""
    return _signed(secret, _SESSION, now, nonce)


def session_as(secret: str, session: Session, myself: Myself) -> str:
    """Return a token for the same session, which is this person's from here on."""
    person = base64.urlsafe_b64encode(json.dumps(myself).encode()).rstrip(b"=").decode()
    return _signed(secret, _SESSION, session.ends_at - SESSION_LIFETIME, session.id, person)


def session_of(secret: str, token: str, now: datetime) -> Session | None:
    """Return the living session that a token stands for, or None."""
    stamp = _verified(secret, _SESSION, token)
    if stamp is None:
        return None
    session = Session(stamp.nonce, stamp.issued_at + SESSION_LIFETIME, stamp.myself)
    return session if session.is_alive(now) else None


def own_path(path: str | None) -> str:
    """Return a path of ours to go to: never another host's, whatever a cookie or link says."""
    if path is None or not path.startswith("/") or path.startswith(("//", "/\\", "/sign-")):
        return "/"
    if any(char < " " for char in path):  # browsers leave some out: two slashes may meet
        return "/"
    return path


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


class Claims:
    """Remembers whose each session is: it never becomes another person's.

    In this process only; after a restart the cookie alone says whose it is.
    """

    def __init__(self) -> None:
        self._claimed: dict[str, tuple[datetime, Myself]] = {}

    def claim(self, session: Session, wanted: Myself, now: datetime) -> Myself:
        """Return whose a session is: `wanted`, unless it is somebody's already."""
        for known in [known for known, (ends, _) in self._claimed.items() if ends <= now]:
            del self._claimed[known]
        return self._claimed.setdefault(session.id, (session.ends_at, session.myself or wanted))[1]


class Endings:
    """Remembers the sessions that ended before their time: their cookies are worth nothing.

    In this process only; after a restart a copied cookie is good again until its time is up.
    """

    def __init__(self) -> None:
        self._ended: Broadcast[dict[str, datetime]] = Broadcast({})
        """Until when their cookies would be good, by the id of the session."""

    def end(self, session: Session, now: datetime) -> None:
        """End a session, and tell whoever waits for its end."""
        known = {one: until for one, until in self._ended.value.items() if now < until}
        self._ended.publish(known | {session.id: session.ends_at})

    def has(self, session: Session) -> bool:
        """Return whether a session was ended."""
        return session.id in self._ended.value

    async def of(self, session: Session) -> None:
        """Return as soon as a session was ended."""
        async for ended in self._ended.values():
            if session.id in ended:
                return


@dataclass(frozen=True, slots=True)
class _Stamp:
    issued_at: datetime
    nonce: str
    myself: Myself | None


def _signed(secret: str, purpose: str, now: datetime, nonce: str, person: str = "") -> str:
    body = f"{purpose}.{int(now.timestamp() * 1000)}.{nonce}"
    if person:
        body += f".{person}"
    return f"{body}.{_signature(secret, body)}"


def _verified(secret: str, purpose: str, token: str) -> _Stamp | None:
    body, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_signature(secret, body).encode(), signature.encode()):
        return None
    given, issued_ms, nonce, *person = body.split(".")
    if given != purpose:
        return None
    issued_at = datetime.fromtimestamp(int(issued_ms) / 1000, UTC)
    return _Stamp(issued_at, nonce, _myself(person[0]) if person else None)


def _myself(person: str) -> Myself:
    padding = "=" * (-len(person) % 4)
    return Myself(*json.loads(base64.urlsafe_b64decode(person + padding)))


def _signature(secret: str, body: str) -> str:
    digest = hmac.digest(secret.encode(), body.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
