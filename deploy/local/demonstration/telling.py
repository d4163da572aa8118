"""What the channels tell Lowtide: in their own words, sometimes late, sometimes twice."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deploy.local.demonstration.assortment import ONLINE, STORE, Article

WEB, POS, MARKETPLACE = "web", "pos", "marketplace"
CHANNELS = {WEB: "官网商城", POS: "门店收银", MARKETPLACE: "集市旗舰店"}

Place = tuple[str, str]
"""A SKU in a warehouse."""

Event = dict[str, str | int]
"""One event as it is posted."""

TILL_OFFLINE_FROM_SECONDS = 130.0
TILL_OFFLINE_SECONDS = 45.0
TILL_OFFLINE_EVERY_SECONDS = 420.0

_REPEATED = 0.02


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened `at` seconds after the start; `said` are further fields."""

    at: float
    channel: str
    kind: str
    place: Place
    quantity: int
    said: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Post:
    """Events that one channel sends together."""

    channel: str
    events: tuple[Event, ...]


class Tellers:
    """The three channels. `run` is part of every identity, so that two runs never meet."""

    def __init__(
        self, articles: Sequence[Article], *, start: datetime, run: str, draw: random.Random
    ) -> None:
        self._articles = {article.sku: article for article in articles}
        self._start = start
        self._run = run
        self._draw = draw
        self._numbers = dict.fromkeys(CHANNELS, 0)
        self._waiting_at_till: list[Event] = []

    def tell(self, happenings: Sequence[Happening], now: float) -> list[Post]:
        """Return what is sent at `now`: what happened, and repeats of some of it afterwards."""
        by_channel: dict[str, list[Event]] = {channel: [] for channel in CHANNELS}
        for happening in sorted(happenings, key=lambda one: one.at):
            by_channel[happening.channel].append(self._event(happening))
        till = by_channel[POS]
        if till_is_offline(now):
            # The till goes on selling and sends everything when it is back: late.
            self._waiting_at_till += till
            till.clear()
        else:
            till[:0] = self._waiting_at_till
            self._waiting_at_till.clear()
        posts = [Post(channel, tuple(some)) for channel, some in by_channel.items() if some]
        # A sender that missed the answer sends once more, exactly the same.
        repeats = [
            Post(post.channel, (event,))
            for post in posts
            for event in post.events
            if self._draw.random() < _REPEATED
        ]
        return posts + repeats

    def _event(self, happening: Happening) -> Event:
        channel, (sku, warehouse) = happening.channel, happening.place
        self._numbers[channel] += 1
        article = self._articles[sku]
        spelled = {POS: article.barcode, MARKETPLACE: article.marketplace_code}
        place = ONLINE if warehouse == ONLINE.id else STORE
        return {
            "id": f"{channel[:3].upper()}-{self._run}-{self._numbers[channel]:06d}",
            "channel": channel,
            "type": happening.kind,
            "sku": spelled.get(channel, sku),
            "warehouse": place.spellings.get(channel, warehouse),
            "quantity": happening.quantity,
            "occurred_at": (self._start + timedelta(seconds=happening.at)).isoformat(),
            **happening.said,
        }


def till_is_offline(now: float) -> bool:
    """Return whether the store's till has no network at a second after the start."""
    since = now - TILL_OFFLINE_FROM_SECONDS
    return since >= 0 and since % TILL_OFFLINE_EVERY_SECONDS < TILL_OFFLINE_SECONDS
