"""Who may do what: bearer tokens checked against public keys, with audience and scopes.

Any OpenID provider's JWKS works; `python -m shared.http.tokens` mints local tokens.
"""

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
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.clock import Clock
from shared.errors import Unavailable
from shared.http.problems import Problem

AUDIENCE = "lowtide"
ALGORITHMS = ("EdDSA", "ES256", "RS256", "PS256")
_CACHE_TOKENS = 4_096
_REFETCH_SECONDS = 60


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

    `through` is the subject of the token, where it speaks for somebody else.
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
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")

    async def find(self, kid: str | None, now: float) -> jwt.PyJWK | None:
        """Return the key of an id; keys are read anew when it is unknown, at most once a minute."""
        if kid not in self._keys and now - self._fetched_at >= _REFETCH_SECONDS:
            self._keys = {
                key.key_id: key for key in jwt.PyJWKSet.from_dict(await self._read()).keys
            }
            self._fetched_at = now
        return self._keys.get(kid)

    async def _read(self) -> dict[str, object]:
        if self._file is not None:
            document: dict[str, object] = json.loads(self._file.read_text())
            return document
        if self._url is None:
            raise Unavailable("the key set (set LOWTIDE_JWKS_FILE or LOWTIDE_JWKS_URL)")
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                answer = await client.get(self._url)
                answer.raise_for_status()
                document = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable("the key set") from error
        return document


class Verifier:
    """Turns bearer tokens into callers; verified ones are remembered by hash until they expire."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._verified: OrderedDict[bytes, Caller] = OrderedDict()

    async def caller(self, token: str) -> Caller:
        """Return who a token speaks for.

        Raises Problem 401 for a token that is malformed, foreign, expired or for another
        audience.
        """
        now = self._clock.now().timestamp()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and known.expires_at > now:
            return known
        caller = await self._verify(token, now)
        self._verified[digest] = caller
        if len(self._verified) > _CACHE_TOKENS:
            self._verified.popitem(last=False)
        return caller

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
                options={"require": ["exp", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise _unauthorised("The token has expired; get a new one.") from error
        except jwt.InvalidTokenError as error:
            raise _unauthorised("The token is not valid here.") from error
        return Caller(
            subject=claims["sub"],
            scopes=frozenset(str(claims.get("scope", "")).split()),
            expires_at=float(claims["exp"]),
            channel=claims.get("channel"),
        )


def _unauthorised(detail: str) -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED, "unauthorised", detail, headers={"WWW-Authenticate": "Bearer"}
    )


_bearer = HTTPBearer(auto_error=False)


async def _caller(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    if credentials is None:
        raise _unauthorised("Send the header Authorization: Bearer <token>.")
    verifier: Verifier = request.app.state.verifier
    return await verifier.caller(credentials.credentials)


def require(*scopes: Scope) -> Callable[[Caller], Coroutine[None, None, Caller]]:
    """Return a FastAPI dependency that yields a caller with any of the scopes, else 401 or 403.

    Use as `caller: Annotated[Caller, Depends(require(Scope.STOCK_READ))]`.
    """

    async def dependency(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        return _allowed(caller, scopes)

    return dependency


async def admit(request: Request, *scopes: Scope) -> Caller:
    """Return who sends a request, if with any of the scopes, else raise what `require` does."""
    return _allowed(await _caller(request, await _bearer(request)), scopes)


def _allowed(caller: Caller, scopes: Sequence[Scope]) -> Caller:
    if not any(map(caller.may, scopes)):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "forbidden",
            f"The token lacks the scope {' or '.join(scopes)}; ask for one that has it.",
        )
    return caller
