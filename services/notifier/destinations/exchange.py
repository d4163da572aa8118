"""One HTTP request to a destination, and what its end means for the message.

    no connection was made         certainly not accepted: tried again
    it would lead off limits       never begun
    there is an answer             the kind's own judge decides
    cut off, or silent             may have been accepted: unknown

Nothing that leaves here holds a secret: httpx puts URLs, and so keys, into its log lines and
exceptions, and a server may repeat what it was sent.
"""

import asyncio
import json
import logging
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from services.notifier.domain.off_limits import is_off_limits
from services.notifier.domain.outcomes import Outcome, Verdict, legible, of_errcode

_TIMEOUT = httpx.Timeout(10, connect=5)
_HANG_SECONDS = 15
"""For the whole exchange: httpx bounds each read, and a server may drip."""

_KEEP_ALIVE_SECONDS = 2
"""Far less than any server's own limit: a request on a connection that the server is just
closing ends without an answer, and would be an unknown outcome for nothing."""

REPEAT_AFTER_HANG = timedelta(seconds=30)
"""Who did not answer in time will hardly do so a moment later, and the repeat is the last."""
REPEAT_AFTER_CUT = timedelta(seconds=1)

LONGEST_ANSWER_BYTES = 64 * 1024
"""What is read of an answer; a vendor's is below a kilobyte."""

LONGEST_RETRY_AFTER = timedelta(hours=1)
"""Whatever a server asks for: a delivery is given up after a day."""

AT_ONCE = timedelta()

MASK = "****"

for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; `retry_after` is None where it asked for no wait."""

    status: int
    body: bytes
    retry_after: timedelta | None = None


Judge = Callable[[Answer], Outcome]
"""What it repeats of the answer need not be legible, nor free of secrets."""


class _OffLimits(Exception):  # noqa: N818 - a state, not a mistake
    """A name leads where nothing is sent."""


async def _look_where(event: str, told: Mapping[str, Any]) -> None:
    """Hang up before a byte is sent, where a connection leads off limits.

    Looked up beforehand, a name could lead elsewhere by the time it is connected to. Raises
    _OffLimits.
    """
    if event != "connection.connect_tcp.complete":
        return
    stream = told["return_value"]
    if is_off_limits(stream.get_extra_info("server_addr")[0]):
        await stream.aclose()
        raise _OffLimits


class Exchange:
    """Posts to one destination, over a connection that is kept for a moment."""

    def __init__(self, tls: ssl.SSLContext, secrets: Iterable[SecretStr]) -> None:
        self._secrets: list[str] = []
        self.keep_secret(*secrets)
        self._client = httpx.AsyncClient(
            verify=tls,
            timeout=_TIMEOUT,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=2, keepalive_expiry=_KEEP_ALIVE_SECONDS),
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "Accept-Encoding": "identity",  # little may unpack to very much
            },
        )

    def keep_secret(self, *secrets: SecretStr) -> None:
        """Mask more secrets from now on."""
        told = {secret.get_secret_value() for secret in secrets} - {""}
        # In a URL or a JSON text a secret may look different.
        forms = told | {quote(each, safe="") for each in told}
        forms |= {json.dumps(each)[1:-1] for each in told}
        self._secrets = sorted(forms.union(self._secrets), key=len, reverse=True)

    async def post(
        self,
        url: str,
        content: bytes,
        judge: Judge,
        *,
        now: datetime,
        headers: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Post a JSON body once and return what became of it, in words that may be stored."""
        outcome = await self._request("POST", url, content, judge, now, headers)
        return self._told(outcome)

    async def get(self, url: str, judge: Judge, *, now: datetime) -> Outcome:
        """Ask for something once and return what became of it, likewise."""
        return self._told(await self._request("GET", url, None, judge, now, None))

    def _told(self, outcome: Outcome) -> Outcome:
        return replace(
            outcome, code=self._discreet(outcome.code), detail=self._discreet(outcome.detail)
        )

    def _discreet(self, said: str) -> str:
        """Mask secrets before anything is cut off: half a secret would not be found."""
        for secret in self._secrets:
            said = said.replace(secret, MASK)
        return legible(said)

    async def _request(
        self,
        method: str,
        url: str,
        content: bytes | None,
        judge: Judge,
        now: datetime,
        headers: Mapping[str, str] | None,
    ) -> Outcome:
        try:
            async with asyncio.timeout(_HANG_SECONDS):
                return judge(await self._answer(method, url, content, now, headers))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            name = type(error).__name__
            return Outcome(
                Verdict.TRANSIENT, name, "no connection could be made", lane_wait=AT_ONCE
            )
        except _OffLimits:
            return Outcome(Verdict.PERMANENT, "url", "the URL leads to a link-local address")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return Outcome(Verdict.PERMANENT, "url", "the destination's URL is not one")
        except (httpx.TimeoutException, TimeoutError):
            return doubtful("timeout", "no answer in time", REPEAT_AFTER_HANG)
        except httpx.HTTPError as error:
            name = type(error).__name__
            return doubtful("cut", f"the connection ended without an answer ({name})")

    async def _answer(
        self,
        method: str,
        url: str,
        content: bytes | None,
        now: datetime,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        """Return what a server says, as much of it as is of use; the rest is not read."""
        body = bytearray()
        async with self._client.stream(
            method, url, content=content, headers=headers, extensions={"trace": _look_where}
        ) as response:
            async for part in response.aiter_bytes():
                body += part
                if len(body) >= LONGEST_ANSWER_BYTES:
                    break
        wait = retry_after(response.headers.get("retry-after"), now)
        return Answer(response.status_code, bytes(body[:LONGEST_ANSWER_BYTES]), wait)

    async def close(self) -> None:
        """Close kept connections."""
        await self._client.aclose()


def of_status(answer: Answer) -> Outcome:
    """Judge an answer whose status is no success."""
    status = answer.status
    if status >= 500 or status == 429:
        wait = answer.retry_after or AT_ONCE
        return Outcome(Verdict.TRANSIENT, str(status), f"HTTP {status}", wait, wait)
    return Outcome(Verdict.PERMANENT, str(status), f"HTTP {status}")


class _Errcode(BaseModel):
    model_config = ConfigDict(extra="ignore")

    errcode: int
    """Also read from a text, as DingTalk writes some of them."""
    errmsg: str = ""


def by_errcode(answer: Answer, passing: Mapping[int, timedelta]) -> Outcome:
    """Judge an answer of a vendor that says HTTP 200 and means the body's errcode."""
    if answer.status != 200:
        return of_status(answer)
    try:
        said = _Errcode.model_validate_json(answer.body)
    except ValidationError:
        return unreadable("an errcode")
    return of_errcode(said.errcode, said.errmsg, passing)


def unreadable(missing: str) -> Outcome:
    """Judge a 200 that is not of the vendor's form: whoever answered may have accepted it."""
    return doubtful("unreadable", f"HTTP 200 without {missing}")


def doubtful(code: str, detail: str, wait: timedelta = REPEAT_AFTER_CUT) -> Outcome:
    """Return the outcome of a message that may have been accepted."""
    return Outcome(Verdict.UNKNOWN, code, detail, retry_after=wait, lane_wait=AT_ONCE)


_SECONDS = re.compile(r"[0-9]{1,9}")


def retry_after(said: str | None, now: datetime) -> timedelta | None:
    """Read a `Retry-After`, seconds or a date (RFC 9110, section 10.2.3); None if it is neither."""
    if said is None:
        return None
    if _SECONDS.fullmatch(said):
        wait = timedelta(seconds=int(said))
    else:
        try:
            wait = parsedate_to_datetime(said) - now
        except (ValueError, TypeError, OverflowError):  # no date, or one without a zone
            return None
    return min(max(wait, AT_ONCE), LONGEST_RETRY_AFTER)
