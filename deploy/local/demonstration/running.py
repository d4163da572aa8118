"""Runs the shops in real time: set up, look at the shelves, then post what happens."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from deploy.local.addresses import PROCESS_TOKEN_LIFETIME
from deploy.local.demonstration.assortment import ARTICLES, ONLINE, WAREHOUSES, ZONE
from deploy.local.demonstration.set_up import set_up
from deploy.local.demonstration.settings import DemonstrationSettings
from deploy.local.demonstration.shop import Shop, opening_units
from deploy.local.demonstration.telling import CHANNELS, POS, WEB, Event, Place, Post
from deploy.local.replays.lowtide import Lowtide
from shared.clock import Clock
from shared.http.auth import Scope
from shared.http.tokens import mint
from shared.observability.logs import get_logger

STEP_SECONDS = 0.5
MAX_EVENTS_A_POST = 500

_log = get_logger("demonstration")


class Demonstration:
    """The shops and their three channels, each with a token that lets it speak only for itself."""

    def __init__(self, settings: DemonstrationSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._urls = {
            "ingest": settings.ingest_url,
            "ledger": settings.ledger_url,
            "alerting": settings.alerting_url,
            "notifier": settings.notifier_url,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Post until told to stop.

        Raises RefusedError or TimeoutError when Lowtide refuses or stays away; the next start
        goes on from what Lowtide knows then.
        """
        async with AsyncExitStack() as stack:
            office = await stack.enter_async_context(Lowtide(self._urls, self._own_token()))
            channels = {
                channel: await stack.enter_async_context(
                    Lowtide(self._urls, self._channel_token(channel))
                )
                for channel in CHANNELS
            }
            await set_up(office, self._settings)
            start = self._clock.now()
            shelves = await self._shelves(office, channels, start)
            shop = Shop(
                ARTICLES,
                shelves,
                start=start,
                run=run_name(start),
                seed=self._settings.demonstration_seed,
                zone=ZONE,
            )
            _log.info("the shops are open", levels=len(shelves))
            while not stop.is_set():
                await self._post_all(channels, shop.step(self._clock.now()))
                await _pause(stop)

    async def _shelves(
        self, office: Lowtide, channels: Mapping[str, Lowtide], now: datetime
    ) -> dict[Place, int]:
        """Return what Lowtide believes; shelves it has never heard of are counted first."""
        skus = [article.sku for article in ARTICLES]
        answer = await office.post("ledger", "/v1/levels/query", {"skus": skus})
        known: dict[Place, int] = {
            (level["sku"], level["warehouse"]): max(level["on_hand"], 0)
            for level in answer["items"]
        }
        seed = self._settings.demonstration_seed
        opening = {
            (article.sku, warehouse.id): opening_units(article, warehouse, seed)
            for article in ARTICLES
            for warehouse in WAREHOUSES
            if (article.sku, warehouse.id) not in known
        }
        by_channel: dict[str, list[Event]] = {WEB: [], POS: []}
        for place, units in opening.items():
            by_channel[WEB if place[1] == ONLINE.id else POS].append(_opening(place, units, now))
        posts = [Post(channel, tuple(events)) for channel, events in by_channel.items() if events]
        await self._post_all(channels, posts)
        return known | opening

    async def _post_all(self, channels: Mapping[str, Lowtide], posts: list[Post]) -> None:
        # One after the other: a repeat must come after what it repeats.
        for post in posts:
            for start in range(0, len(post.events), MAX_EVENTS_A_POST):
                some = post.events[start : start + MAX_EVENTS_A_POST]
                answer = await channels[post.channel].post("ingest", "/v1/events", some)
                if answer["quarantined"] or answer["rejected"]:
                    _log.warning("not all was taken", channel=post.channel, answer=answer)

    def _own_token(self) -> str:
        if self._settings.service_token is None:
            raise ValueError("set LOWTIDE_SERVICE_TOKEN to a token with the scope config:write")
        return self._settings.service_token.get_secret_value()

    def _channel_token(self, channel: str) -> str:
        return mint(
            self._signing_key(),
            subject=f"channel-{channel}",
            scopes=[Scope.EVENTS_WRITE],
            now=self._clock.now(),
            lifetime=PROCESS_TOKEN_LIFETIME,
            channel=channel,
        )

    def _signing_key(self) -> Path:
        """The local stack keeps the signing key beside its public set."""
        if self._settings.jwks_file is None:
            raise ValueError("set LOWTIDE_JWKS_FILE to the local stack's key set")
        return self._settings.jwks_file.with_name("token-key.pem")


def run_name(start: datetime) -> str:
    """Return a name for a run that no other run has: its start, to the tenth of a second."""
    local = start.astimezone(ZoneInfo(ZONE))
    return f"{local:%y%m%d%H%M%S}{local.microsecond // 100_000}"


def _opening(place: Place, units: int, now: datetime) -> Event:
    """Return the count that opens a shelf; its identity never changes, so it counts once."""
    return {
        "id": f"OPENING-{place[0]}-{place[1]}",
        "type": "count",
        "sku": place[0],
        "warehouse": place[1],
        "quantity": units,
        "occurred_at": now.isoformat(),
        "reference": "PD-OPENING",
        "actor": "店长 阿敏",
    }


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(STEP_SECONDS):
            await stop.wait()
    except TimeoutError:
        return
