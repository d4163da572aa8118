"""Levels that open, worsen and resolve episodes, people who answer, are late and order.

All of it is published, asked or pressed from outside, and noted: what must come of it is known
without looking at any table.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID

import asyncpg

from shared.testing.ingest import FakeIngest
from shared.testing.mailbox import Mailbox
from shared.testing.waiting import until
from shared.testing.webhook import FakeReceiver
from shared.testing.wecom import FakeWecom
from shared.testing.wecom_app import FakeWecomApp, Shown
from tests.integration.alerting.service import Alerting

WAREHOUSE = "W"
SKUS = [f"SKU {number}" for number in range(12)]
LATE, BOUGHT = "LATE", "BOUGHT"
"""How the names of further SKUs begin, with one episode each."""
BANDS = {100: None, 18: "watch", 8: "urgent", 0: "out"}
"""Units that are told, and the level of the rule that they mean, whatever was told before."""
LOW = 18
RULE = {
    "name": {"zh-CN": "低库存", "en": "Low"},
    "kind": "below",
    "levels": [
        {"level": "watch", "enter": 20, "exit": 30},
        {"level": "urgent", "enter": 10, "exit": 15},
        {"level": "out", "enter": 1, "exit": 3},
    ],
    "playbook": "quick",
}
MEASURES = ("reminded", "escalated")
"""What follows when people are late, one after the other."""
PLAYBOOK = {
    "name": {"zh-CN": "快速处理", "en": "Quick"},
    "steps": [
        {
            "expects": "acknowledge",
            # Longer than any run: nobody is late before the test says so.
            "within_minutes": 1_440,
            "late": [
                {"do": "remind"},
                {"do": "escalate", "after_minutes": 1_440, "to": [{"role": "manager"}]},
            ],
        }
    ],
}
USER = "lin"
ASKS = "acknowledge"
"""The key of the button that is pressed."""

WITHIN_S = 120.0
"""A process that is started anew waits for nobody, but a group has its limit a minute."""

CARD_S = 5.0
"""How long one more crossing of a limit may take to become a card: with one a second there are more
than a person is told of in a minute, and digests have no button."""

_EVALUATED = """
SELECT a.sku, array_agg(h.event || ' ' || h.level ORDER BY a.number, h.revision) AS events
FROM alerting.alert AS a JOIN alerting.alert_history AS h ON h.alert_id = a.id
WHERE h.event IN ('opened', 'level_changed', 'resolved')
GROUP BY a.sku
"""

_UNRECORDED = """
SELECT EXISTS (SELECT FROM alerting.outbox) OR EXISTS (
    SELECT FROM alerting.alert_history AS h
    WHERE NOT EXISTS (SELECT FROM notifier.delivery AS d
                      WHERE d.alert_id = h.alert_id AND d.revision = h.revision))
"""

_UNSETTLED = """
SELECT EXISTS (SELECT FROM notifier.delivery WHERE state IN ('waiting', 'sending', 'failed'))
    OR EXISTS (SELECT FROM notifier.response_outbox)
    OR EXISTS (SELECT FROM alerting.call)
    OR EXISTS (SELECT FROM alerting.timer WHERE due_at <= clock_timestamp())
    OR EXISTS (SELECT FROM notifier.response AS r
               WHERE NOT EXISTS (SELECT FROM alerting.response AS a WHERE a.id = r.id))
"""


@dataclass(frozen=True)
class Outside:
    """Whom the notifier writes to, and ingest."""

    bot: FakeWecom
    app: FakeWecomApp
    mailbox: Mailbox
    receiver: FakeReceiver
    ingest: FakeIngest


@dataclass
class Traffic:
    """What was told, pressed and asked for so far."""

    alerting: Alerting
    outside: Outside
    callback: str
    tables: asyncpg.Connection
    """A superuser's connection, past all proxies."""
    chance: random.Random
    told: dict[str, list[int]] = field(default_factory=dict)
    """Units of each SKU, in order."""
    late: Counter[str] = field(default_factory=Counter)
    """How often people were late with the only episode of a SKU."""
    ordered: dict[str, str] = field(default_factory=dict)
    """The purchase of the only episode of a SKU, by SKU."""
    pressed: list[UUID] = field(default_factory=list)
    """The deliveries whose cards a button was pressed on."""

    async def begin(self) -> None:
        """Say of every level what it is."""
        await self._tell(dict.fromkeys(SKUS, 100))

    async def levels(self) -> None:
        """Let one level cross a limit."""
        sku = self.chance.choice(SKUS)
        others = [units for units in BANDS if units != self.told[sku][-1]]
        await self._tell({sku: self.chance.choice(others)})

    async def burst(self) -> None:
        """Let more levels fall and rise than a group is told of in a minute."""
        for units in (8, 0):
            await self._tell({sku: units for sku in SKUS if self.told[sku][-1] != units})

    async def lateness(self) -> None:
        """Let people be late with an episode: the present measure of its playbook is due."""
        sku = next((each for each, times in self.late.items() if times < len(MEASURES)), None)
        if sku is None:
            sku = f"{LATE} {len(self.late)}"
            self.late[sku] = 0
            await self._runs_low(sku)

        async def is_late() -> bool:
            done: str = await self.tables.execute(
                "UPDATE alerting.timer SET due_at = clock_timestamp() "
                "WHERE due_at > clock_timestamp() AND taken = $2 "
                "AND alert_id = (SELECT id FROM alerting.alert WHERE sku = $1)",
                sku,
                self.late[sku],
            )
            return done == "UPDATE 1"

        await until(is_late, seconds=WITHIN_S)
        self.late[sku] += 1

    async def order(self) -> None:
        """Buy what an episode lacks, at once."""
        sku = f"{BOUGHT} {len(self.ordered)}"
        self.ordered[sku] = ""
        await self._runs_low(sku)
        alert = await self._alert(sku)
        body = {"kind": "buy", "quantity": 100}
        path = f"/v1/alerts/{alert}/actions"
        action = await self.alerting.ask("POST", path, body, HTTPStatus.CREATED)
        await self.alerting.ask("POST", f"/v1/actions/{action['id']}/order")
        self.ordered[sku] = action["id"]

    async def press(self) -> None:
        """Press a button on somebody's phone; a card for it comes first where there is none."""
        until_at = time.monotonic() + WITHIN_S
        while not (fresh := self._pressable()):
            assert time.monotonic() < until_at, "no card comes"
            await self.levels()
            await some_time(lambda: bool(self._pressable()), seconds=CARD_S)
        card, delivery = fresh[0]
        told = await self.outside.app.press(self.callback, USER, ASKS, shown=card, seconds=30)
        assert told.statuses[-1] == HTTPStatus.OK, told
        self.pressed.append(delivery)

    def _pressable(self) -> list[tuple[Shown, UUID]]:
        """Return the cards on a phone whose button was not pressed yet, with their deliveries.

        Of what people are to be late with, or buy, none.
        """
        cards = [
            each
            for each in self.outside.app.phones[USER]
            if ASKS in each.keys and LATE not in each.text and BOUGHT not in each.text
        ]
        found = [(each, UUID(str(each.task_id).removeprefix("lowtide-"))) for each in cards]
        return [each for each in found if each[1] not in self.pressed]

    async def arrives(self) -> None:
        """Wait until all that was told is evaluated, and recorded by the notifier."""

        expected = {sku: events for sku in self.told if (events := self.expected(sku))}
        found: dict[str, list[str]] = {}
        unrecorded = True

        async def is_there() -> bool:
            nonlocal found, unrecorded
            rows = await self.tables.fetch(_EVALUATED)
            found = {row["sku"]: row["events"] for row in rows}
            unrecorded = await self.tables.fetchval(_UNRECORDED)
            return found == expected and not unrecorded

        try:
            await until(is_there, seconds=WITHIN_S)
        except TimeoutError:
            missing = {sku: found.get(sku) for sku in expected if found.get(sku) != expected[sku]}
            raise AssertionError(f"not evaluated: {missing}; unrecorded: {unrecorded}") from None

    async def settles(self) -> None:
        """Wait until nothing waits anywhere."""

        async def is_settled() -> bool:
            return not await self.tables.fetchval(_UNSETTLED)

        await self.arrives()
        await until(is_settled, seconds=WITHIN_S)
        await self.arrives()  # what was due until now, and what was answered, has revisions too
        await until(is_settled, seconds=WITHIN_S)

    def expected(self, sku: str) -> list[str]:
        """Return what must have happened to a SKU's episodes: events with their level."""
        events, before = [], None
        for band in (BANDS[units] for units in self.told[sku]):
            if band == before:
                continue
            event = "opened" if before is None else "resolved" if band is None else "level_changed"
            events.append(f"{event} {before if band is None else band}")
            before = band
        return events

    async def sender_of(self, destination: str) -> int:
        """Return the number of the sender that serves a destination."""
        owner: str = await self.tables.fetchval(
            "SELECT owner FROM notifier.lease WHERE destination = $1", destination
        )
        return int(owner.removeprefix("instance-"))

    async def _runs_low(self, sku: str) -> None:
        """Open the only episode of a SKU; what is low when first heard of is nobody's to act on."""
        for units in (100, LOW):
            await self._tell({sku: units})

    async def _tell(self, levels: dict[str, int]) -> None:
        for sku, units in levels.items():
            self.told.setdefault(sku, []).append(units)
        await self.alerting.tell(
            *(
                self.alerting.level(units, sku=sku, warehouse=WAREHOUSE)
                for sku, units in levels.items()
            )
        )

    async def _alert(self, sku: str) -> UUID:
        found: list[UUID] = []

        async def is_open() -> bool:
            rows = await self.tables.fetch("SELECT id FROM alerting.alert WHERE sku = $1", sku)
            found[:] = [row["id"] for row in rows]
            return bool(found)

        await until(is_open, seconds=WITHIN_S)
        return found[0]


async def some_time(condition: Callable[[], bool] = lambda: False, seconds: float = 1) -> None:
    """Let some time go by, but no more once a condition holds: a rate, not a wait for something."""
    until_at = time.monotonic() + seconds
    while not condition() and time.monotonic() < until_at:  # noqa: ASYNC110 - it lives elsewhere
        await asyncio.sleep(0.02)
