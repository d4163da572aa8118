"""Who may do what: bearer tokens checked against public keys, with audience and scopes.

Any OpenID provider's JWKS works; `python -m shared.http.tokens` mints local tokens.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import httpx
import jwt
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from shared.clock import Clock
from shared.errors import Unavailable
from shared.http.problems import Problem
from shared.observability.logs import get_logger

AUDIENCE = "lowtide"
ALGORITHMS = ("EdDSA", "ES256", "RS256", "PS256")
_CACHE_TOKENS = 4_096
LEEWAY_SECONDS = 30
"""How far the clocks of who makes tokens and of who checks them may be apart."""

_REREAD_SECONDS = 60
_RETRY_SECONDS = 5
"""How long a set that could not be read is left alone: what callers are told to wait."""

_FRESH_SECONDS = 300
"""After so long the set is read again in any case: a key that its issuer has withdrawn must end."""

_log = get_logger("auth")


class Scope(StrEnum):
    """What a token allows."""

    EVENTS_WRITE = "events:write"
    STOCK_READ = "stock:read"
    RESERVATIONS_WRITE = "reservations:write"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"
    ALERTS_ACT_FOR = "alerts:act_for"
    """Say, in the name of a person who signed in elsewhere, what that person does."""
    CONFIG_WRITE = "config:write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `channel` limits a channel's token to writing as that channel.

    `through` is the subject of the token, where it speaks for somebody else. `expires_at` is when
    the token counts no longer, in seconds since 1970, what clocks may be apart included.
    """

    subject: str
    scopes: frozenset[str]
    expires_at: float
    channel: str | None = None
    through: str | None = None

    def may(self, scope: Scope) -> bool:
        """Return whether the caller has a scope; admin has all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


class Keys:
    """The public keys that tokens are signed with, from a JWKS file or URL."""

    def __init__(self, *, file: Path | None = None, url: str | None = None) -> None:
        self._file = file
        self._url = url
        self._document: dict[str, object] | None = None
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._reading = asyncio.Lock()
        self._due_at = float("-inf")
        self._failure: Unavailable | None = None
        self.edition = 0
        """Grows when the set is another one: what it vouched for may have ended."""

    async def find(self, kid: str | None, now: float) -> jwt.PyJWK | None:
        """Return the key of an id, or None; `now` is in seconds.

        The set is read anew at once when the key is unknown: at most once a minute, five seconds
        after a failure, and by one caller at a time. Raises Unavailable where the key is unknown
        because the set cannot be read; keys that are known stay so.
        """
        if kid not in self._keys:
            async with self._reading:
                if kid not in self._keys and now >= self._due_at:
                    await self._read_anew(now)
        found = self._keys.get(kid)
        if found is None and self._failure is not None:
            raise Unavailable(self._failure.what) from self._failure
        return found

    async def check(self, now: float) -> str | None:
        """Return why no token can be checked, or None; for readiness."""
        if not self._keys:
            try:
                await self.find(None, now)
            except Unavailable as error:
                return f"{error.what} cannot be read"
        return None

    async def refresh(self, now: float) -> float:
        """Read the set anew if it is due; return after how many seconds to do so again."""
        async with self._reading:
            if now >= self._due_at:
                await self._read_anew(now)
        return _FRESH_SECONDS if self._failure is None else _RETRY_SECONDS

    async def _read_anew(self, now: float) -> None:
        """Read the set; one that cannot be read or holds no keys leaves what is known as it is."""
        self._due_at = now + _RETRY_SECONDS
        try:
            document = await self._read()
            keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys}
        except Unavailable as error:
            self._failure = error
        except Exception as error:  # noqa: BLE001 - others write it: anything may be wrong with it
            _log.warning("the key set cannot be read", reason=repr(error))
            self._failure = Unavailable("the key set")
        else:
            if document != self._document:
                self._document, self._keys = document, keys
                self.edition += 1
            self._failure = None
            self._due_at = now + _REREAD_SECONDS

    async def _read(self) -> dict[str, object]:
        if self._file is not None:
            document: dict[str, object] = json.loads(self._file.read_text())
        elif self._url is not None:
            async with httpx.AsyncClient(timeout=5) as client:
                answer = await client.get(self._url)
            answer.raise_for_status()
            document = answer.json()
        else:
            raise Unavailable("the key set (set LOWTIDE_JWKS_FILE or LOWTIDE_JWKS_URL)")
        return document


class Verifier:
    """Turns bearer tokens into callers.

    Verified ones are remembered by hash until they expire or the keys change.
    """

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._verified: OrderedDict[bytes, Caller] = OrderedDict()
        self._edition = keys.edition

    async def caller(self, token: str) -> Caller:
        """Return who a token speaks for.

        Raises Problem 401 for a token that is malformed, foreign, expired or for another
        audience.
        """
        now = self._clock.now().timestamp()
        self._forget_former()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and known.expires_at > now:
            return known
        caller = await self._verify(token, now)
        self._forget_former()
        self._verified[digest] = caller
        if len(self._verified) > _CACHE_TOKENS:
            self._verified.popitem(last=False)
        return caller

    def _forget_former(self) -> None:
        """Forget what was verified with another set of keys than there is now."""
        if self._edition != self._keys.edition:
            self._edition = self._keys.edition
            self._verified.clear()

    async def check(self) -> str | None:
        """Return why no token can be checked, or None; for readiness."""
        return await self._keys.check(self._clock.now().timestamp())

    async def follow(self) -> None:
        """Keep the keys fresh, for ever, so that no request waits for them."""
        while True:
            seconds = await self._keys.refresh(self._clock.now().timestamp())
            await asyncio.sleep(seconds)

    async def _verify(self, token: str, now: float) -> Caller:
        try:
            key = await self._keys.find(jwt.get_unverified_header(token).get("kid"), now)
            if key is None:
                raise _unauthorised("The token is signed with a key that is not trusted here.")
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=AUDIENCE,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            raise _unauthorised(_fault(error)) from error
        return Caller(
            subject=claims["sub"],
            scopes=frozenset(str(claims.get("scope", "")).split()),
            expires_at=float(claims["exp"]) + LEEWAY_SECONDS,
            channel=claims.get("channel"),
        )


def _fault(error: jwt.InvalidTokenError) -> str:
    """Return what is wrong with a token, and what to do."""
    match error:
        case jwt.ExpiredSignatureError():
            return "The token has expired; get a new one."
        case jwt.ImmatureSignatureError():
            return "The token counts only later (nbf, iat); compare the clock of who made it."
        case jwt.MissingRequiredClaimError():
            return f"The token lacks the claim {error.claim}; get one that has it."
        case jwt.InvalidAudienceError():
            return f"The token is for another audience (aud); get one for {AUDIENCE}."
        case jwt.InvalidAlgorithmError():
            return f"The token must be signed by one of {', '.join(ALGORITHMS)}, as its key says."
        case jwt.InvalidSignatureError():
            return "The token's signature is not that of its key (kid); get a new one."
        case _:
            return f"The token cannot be read ({error}); send it whole, or get a new one."


def _unauthorised(detail: str) -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED, "unauthorised", detail, headers={"WWW-Authenticate": "Bearer"}
    )


_bearer = HTTPBearer(auto_error=False)


async def _caller(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    return await _speaker(request, "" if credentials is None else credentials.credentials)


async def _speaker(request: Request, token: str) -> Caller:
    if not token:
        raise _unauthorised("Send the header Authorization: Bearer <token>.")
    verifier: Verifier = request.app.state.verifier
    return await verifier.caller(token)


def require(*scopes: Scope) -> Callable[[Caller], Coroutine[None, None, Caller]]:
    """Return a FastAPI dependency that yields a caller with any of the scopes, else 401 or 403.

    Use as `caller: Annotated[Caller, Depends(require(Scope.STOCK_READ))]`.
    """
    # FastAPI documents all of them as needed: where any will do, the operation's text says so.
    needed = scopes if len(scopes) == 1 else ()

    async def dependency(caller: Annotated[Caller, Security(_caller, scopes=needed)]) -> Caller:
        return _allowed(caller, scopes)

    return dependency


async def admit(request: Request, *scopes: Scope) -> Caller:
    """Return who sends a request, if with any of the scopes, else raise what `require` does."""
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    return _allowed(await _speaker(request, token if scheme.lower() == "bearer" else ""), scopes)


def _allowed(caller: Caller, scopes: Sequence[Scope]) -> Caller:
    if not any(map(caller.may, scopes)):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "forbidden",
            f"The token lacks the scope {' or '.join(scopes)}; ask for one that has it.",
        )
    return caller
