"""WeCom's access tokens: `GET /cgi-bin/gettoken`, one an application, shared by all senders.

The vendor gives the same one to whoever asks while it lasts (7,200 s), and may take it back early.
So it is asked by one sender at a time, a little before it lapses, once more when it is refused, and
anew once the secret is another: whether that is right is learnt at once, and not when the token
lapses.
"""

import asyncio
import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from services.notifier.destinations.exchange import AT_ONCE, Answer, Exchange, by_errcode
from services.notifier.destinations.wecom_bot import PASSING
from services.notifier.domain.addresses import WecomApp
from services.notifier.domain.outcomes import Outcome, Verdict
from services.notifier.store.access_tokens import AccessToken, AccessTokens
from shared.database.engine import DATABASE_ERRORS

GET = "/cgi-bin/gettoken"

EARLY = timedelta(minutes=5)
AGAIN = timedelta(minutes=1)
"""Before it lapses the vendor may give the same token again: it is asked this often at most."""

_ASK_SECONDS = 8

NO_TOKEN = Outcome(Verdict.TRANSIENT, "no_token", "no access token could be had", lane_wait=AT_ONCE)


class _Given(BaseModel):
    model_config = ConfigDict(extra="ignore")

    access_token: str
    expires_in: int


class Tokens:
    """One application's token."""

    def __init__(self, app: WecomApp, lane: str, exchange: Exchange, stored: AccessTokens) -> None:
        self._app = app
        self._lane = lane
        self._exchange = exchange
        self._stored = stored
        self._digest = hashlib.sha256(app.secret.get_secret_value().encode()).hexdigest()

    async def token(self, now: datetime, refused: SecretStr | None) -> SecretStr | Outcome:
        """Return a token other than the one just refused, or what kept us from having one."""
        try:
            current = await self._stored.current(self._lane)
            if not self._serves(current, refused, now):
                return await self._fetched(now, refused)
        except DATABASE_ERRORS:
            return NO_TOKEN
        return self._ready(current)

    async def _fetched(self, now: datetime, refused: SecretStr | None) -> SecretStr | Outcome:
        async with self._stored.turn(self._lane) as turn:
            # Whoever had the turn before may have fetched it.
            if not self._serves(turn.current, refused, now):
                given = await self._ask(now)
                if isinstance(given, Outcome):
                    return given
                await turn.put(given)
                return self._ready(given)
            return self._ready(turn.current)

    def _ready(self, token: AccessToken | None) -> SecretStr | Outcome:
        if token is None:
            return NO_TOKEN
        self._exchange.keep_secret(token.value)
        return token.value

    async def _ask(self, now: datetime) -> AccessToken | Outcome:
        query = urlencode(
            {"corpid": self._app.corp_id, "corpsecret": self._app.secret.get_secret_value()}
        )
        given: list[_Given] = []

        def judge(answer: Answer) -> Outcome:
            outcome = by_errcode(answer, PASSING)
            if outcome.verdict is Verdict.ACCEPTED:
                try:
                    given.append(_Given.model_validate_json(answer.body))
                except ValidationError:
                    return NO_TOKEN
            return outcome

        try:
            # Within a transaction, which the database ends when it idles for longer.
            async with asyncio.timeout(_ASK_SECONDS):
                outcome = await self._exchange.get(f"{self._app.url}{GET}?{query}", judge, now=now)
        except TimeoutError:
            return NO_TOKEN
        if not given:
            # Nothing was sent, so nothing is in doubt.
            unknown = outcome.verdict is Verdict.UNKNOWN
            verdict = Verdict.TRANSIENT if unknown else outcome.verdict
            return replace(outcome, verdict=verdict, detail=f"gettoken: {outcome.detail}")
        lasts = timedelta(seconds=given[0].expires_in)
        return AccessToken(SecretStr(given[0].access_token), self._digest, now, now + lasts)

    def _serves(self, token: AccessToken | None, refused: SecretStr | None, now: datetime) -> bool:
        if token is None or token.value == refused or token.secret_digest != self._digest:
            return False
        return now < token.expires_at - EARLY or now < token.fetched_at + AGAIN
