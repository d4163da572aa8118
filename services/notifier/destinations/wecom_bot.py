"""WeCom group bot: `POST /cgi-bin/webhook/send?key=`, judged by the body's errcode."""

import asyncio
import logging
import ssl
from dataclasses import replace
from datetime import timedelta

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from services.notifier.domain.deliveries import Recipients
from services.notifier.domain.destinations import WecomBot
from services.notifier.domain.outcomes import Outcome, Verdict, of_errcode

PATH = "/cgi-bin/webhook/send"

_TIMEOUT = httpx.Timeout(10, connect=5)
_HANG_SECONDS = 15
"""For the whole exchange: httpx bounds each read, and a server may drip."""

_KEEP_ALIVE_SECONDS = 2
"""Far less than any server's own limit: a request on a connection that the server is just
closing ends without an answer, and would be an unknown outcome for nothing."""

REPEAT_AFTER_HANG = timedelta(seconds=30)
"""Who did not answer in time will hardly do so a moment later, and the repeat is the last."""
REPEAT_AFTER_CUT = timedelta(seconds=1)

# httpx names the whole URL, and so the key, in its log lines.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    errcode: int
    errmsg: str = ""


class WecomBotTransport:
    """Sends to one bot. Nothing that leaves here, errors included, holds the key."""

    def __init__(self, bot: WecomBot, tls: ssl.SSLContext) -> None:
        self._bot = bot
        self._client = httpx.AsyncClient(
            verify=tls,
            timeout=_TIMEOUT,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=2, keepalive_expiry=_KEEP_ALIVE_SECONDS),
            headers={"Content-Type": "application/json; charset=utf-8"},
        )

    async def send(self, rendered: bytes, recipients: Recipients | None) -> Outcome:  # noqa: ARG002 - a group has no recipients
        """Post one message."""
        outcome = await self._post(rendered)
        return _without(self._bot.key.get_secret_value(), outcome)

    async def _post(self, rendered: bytes) -> Outcome:
        # Built here and dropped here: httpx puts the URL into exceptions, so none may leave.
        url = f"{self._bot.url}{PATH}?key={self._bot.key.get_secret_value()}"
        try:
            async with asyncio.timeout(_HANG_SECONDS):
                answer = await self._client.post(url, content=rendered)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return _not_reached(type(error).__name__)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return Outcome(Verdict.PERMANENT, "url", "the destination's URL is not one")
        except (httpx.TimeoutException, TimeoutError):
            return _doubtful("timeout", "no answer in time", REPEAT_AFTER_HANG)
        except httpx.HTTPError as error:
            name = type(error).__name__
            return _doubtful("cut", f"the connection ended without an answer ({name})")
        return _judge(answer)

    async def close(self) -> None:
        """Close kept connections."""
        await self._client.aclose()


def _judge(answer: httpx.Response) -> Outcome:
    status = answer.status_code
    if status >= 500 or status == 429:
        return Outcome(Verdict.TRANSIENT, str(status), f"HTTP {status}", lane_wait=timedelta())
    if status != 200:
        return Outcome(Verdict.PERMANENT, str(status), f"HTTP {status}")
    try:
        body = _Answer.model_validate_json(answer.content)
    except ValidationError:
        # Somebody answered 200, but not WeCom as we know it: it may have been accepted.
        return _doubtful("unreadable", "HTTP 200 without an errcode")
    return of_errcode(body.errcode, body.errmsg)


def _not_reached(code: str) -> Outcome:
    detail = "no connection could be made"
    return Outcome(Verdict.TRANSIENT, code, detail, lane_wait=timedelta())


def _doubtful(code: str, detail: str, wait: timedelta = REPEAT_AFTER_CUT) -> Outcome:
    return Outcome(Verdict.UNKNOWN, code, detail, retry_after=wait, lane_wait=timedelta())


def _without(key: str, outcome: Outcome) -> Outcome:
    """Take the key out of what the server said, should it have repeated it."""
    if key and key in outcome.detail:
        return replace(outcome, detail=outcome.detail.replace(key, "****"))
    return outcome
