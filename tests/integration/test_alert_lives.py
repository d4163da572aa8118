"""The life of an alert against what must be true of it, whatever happens in whatever order.

Hypothesis chooses how levels move, what people do and press, how time passes, which process dies
at which seam and what the vendors answer. After each step the tables, the group and the phones are
looked at; in the end, far ahead, nothing is left waiting without a reason.
"""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from services.alerting.domain.attention import AttentionPolicy
from shared.clock import ManualClock
from shared.events.stock_alerts import AlertEvent
from shared.testing.stack import Stack, fresh_database
from shared.testing.unruly_http import serving
from shared.testing.vendor import Fault
from shared.testing.wecom import FakeWecom
from shared.testing.wecom_app import SEND, FakeWecomApp
from tests.depth import examples
from tests.integration.lives import judge
from tests.integration.lives.shop import KEY, SETTINGS, Around, Premises, Shop

pytestmark = pytest.mark.stack

T = TypeVar("T")

BEGAN = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""A Monday, three hours before people are told of what can wait."""
DAY = timedelta(days=1)
FAR = timedelta(days=20)
"""Beyond every silence, snooze and the patience with what was ordered."""
FOR_GOOD = 40058
"""A parameter is wrong: what gets this answer is dead."""
SKUS = ("A1", "C1", "C2", "N1")
"""Of class A, of class C, of class C and dear, of none."""
CROWD = tuple(f"A{number}" for number in range(2, 14))
"""More of class A than fit into a group's minute when all run out."""
WAREHOUSES = ("north", "south")
OWNERS = {"north": "lin", "south": "an"}
PEOPLE = ("lin", "an", "mei", "boss", "guest")
USERS = (*PEOPLE, "stranger")
POLICY = AttentionPolicy(money=Decimal(500), zone="UTC", interruptions_a_day=2)
PARAMETERS = {
    "A1": {"stock_class": "A", "supplier": "ACME", "price": "1.00", "unit_cost": "1.00"},
    "C1": {"stock_class": "C", "supplier": "ACME", "price": "1.00", "unit_cost": "1.00"},
    "C2": {"stock_class": "C", "supplier": "BETA", "price": "90.00", "unit_cost": "50.00"},
} | {sku: {"stock_class": "A", "supplier": "ACME"} for sku in CROWD}
PLAYBOOK = {
    "name": {"zh-CN": "快速处理", "en": "Quick"},
    "steps": [
        {
            "whom": [{"role": "owner"}],
            "expects": "acknowledge",
            "within_minutes": 30,
            "late": [
                {"do": "remind"},
                {"do": "escalate", "after_minutes": 15, "to": [{"role": "manager"}]},
            ],
        },
        {
            "expects": "act",
            "within_minutes": 120,
            "late": [{"do": "widen", "to": [{"role": "deputy"}]}],
        },
    ],
}
RULES: dict[str, dict[str, object]] = {
    "low": {
        "kind": "below",
        "levels": [
            {"level": "watch", "enter": 20, "exit": 30},
            {"level": "urgent", "enter": 10, "exit": 15},
            {"level": "out", "enter": 1, "exit": 3},
        ],
        "recovery_seconds": 60,
        "playbook": "quick",
    },
    "empty": {
        "kind": "stock_out",
        "levels": [{"level": "out", "enter": 0}],
        "pending_seconds": 30,
    },
}
DUE = """
SELECT min(at) FROM (
    SELECT due_at AS at FROM alerting.timer
    UNION ALL SELECT due_at FROM alerting.condition
    UNION ALL SELECT snoozed_until FROM alerting.alert WHERE resolved_at IS NULL
    UNION ALL SELECT ends_at FROM alerting.silence
    UNION ALL SELECT late_at FROM alerting.action WHERE state IN ('approved', 'ordered')
) AS moments WHERE at > $1
"""
STANDING = """
SELECT level, owner, acknowledged_at, acknowledged_by, snoozed_until, resolved_at
FROM alerting.alert WHERE id = $1
"""


@dataclass
class World:
    """What all courses share: a database, and the loop in which everything happens."""

    runner: asyncio.Runner
    premises: Premises
    administrator: asyncpg.Connection
    clock: ManualClock
    tables: str = ""

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.get_loop().run_until_complete(work)

    async def begin(self) -> Shop:
        """Make everything as it was in the beginning, and open."""
        # As a replica no trigger refuses it: some tables are only ever added to.
        await self.administrator.execute(
            f"SET session_replication_role = replica; TRUNCATE {self.tables}; "
            "RESET session_replication_role"
        )
        await self.administrator.execute(
            "UPDATE notifier.lease SET paused_until = NULL, failures = 0"
        )
        if self.premises.shop is not None:
            await self.premises.shop.close()
        self.clock.set(BEGAN)
        return self.premises.open(self.clock, USERS)

    async def furnish(self, bot_url: str, app_url: str) -> None:
        """Make people, rules and destinations, which every course has."""
        shop = self.premises.open(self.clock, USERS)

        async def put(path: str, body: object, service: str = "alerting") -> None:
            answer = await shop.ask("boss", "PUT", path, body, service)
            assert answer.is_success, answer.text

        for person in PEOPLE:
            await put(f"/v1/people/{person}", {"name": person, "wecom_userid": person})
        rows = [
            {"warehouse": place, "owner": owner, "deputy": "mei", "manager": "boss"}
            for place, owner in OWNERS.items()
        ]
        await put("/v1/responsibilities", {"items": rows})
        policy = {"money": "500", "zone": "UTC", "interruptions_a_day": 2}
        await put("/v1/attention-policy", policy)
        await put("/v1/playbooks/quick", PLAYBOOK)
        limits = [{"role": "owner", "amount": "100"}, {"role": "manager", "amount": None}]
        await put("/v1/approval-limits", {"items": limits})
        for sku, values in PARAMETERS.items():
            await put(f"/v1/parameters?sku={sku}", values)
        for rule_id, body in RULES.items():
            await put(f"/v1/rules/{rule_id}", {"name": {"en": rule_id}} | body)
        app = shop.app
        part = {
            "corp_id": app.corp_id,
            "agent_id": app.agent_id,
            "secret": app.secret,
            "callback_token": app.callback_token,
            "encoding_aes_key": app.encoding_aes_key,
            "to": ["boss"],
            "url": app_url,
        }
        shared: dict[str, object] = {"language": "zh-CN"}
        for id_, kind, address in (
            ("bot", "wecom_bot", {"key": KEY, "url": bot_url}),
            ("app", "wecom_app", part),
        ):
            body = {"kind": kind, "name": id_, kind: address} | shared
            await put(f"/v1/destinations/{id_}", body, "notifier")
        match = {"destination": "bot", "match": {"levels": ["urgent", "out"]}}
        await put("/v1/routes/worse", match, "notifier")
        tables = await self.administrator.fetch(
            "SELECT relnamespace::regnamespace || '.' || relname AS name, relname FROM pg_class "
            "WHERE relnamespace IN ('alerting'::regnamespace, 'notifier'::regnamespace) "
            "AND relkind IN ('r', 'p') AND NOT relispartition"
        )
        self.tables = ", ".join(row["name"] for row in tables if row["relname"] not in SETTINGS)


skus = st.sampled_from(SKUS)
warehouses = st.sampled_from(WAREHOUSES)
units = st.sampled_from([100, 25, 18, 12, 8, 2, 0, 0, -3])
places = st.integers(0, 50)
services = st.sampled_from(["alerting", "notifier"])
destinations = st.sampled_from(["app", "bot"])


class Lives(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.shop = self.world.run(self.world.begin())
        self.clock = self.world.clock
        self.refusals_ordered = 0
        self.silences: list[str] = []

    @initialize(first=st.sampled_from([100, 100, 12]), sold=st.sampled_from([0, 700]))
    def open(self, first: int, sold: int) -> None:
        """Every level is heard of; of some, for long enough to know what sells."""
        for sku in SKUS:
            for warehouse in WAREHOUSES:
                self.shop.hear(sku, warehouse, 100, last_change_at=BEGAN - 14 * DAY)
                units = first if sku != "A1" else 100
                self.shop.hear(sku, warehouse, units, sold_total=sold)
        for sku in CROWD:
            self.shop.hear(sku, "north", 100)
        self.sold = sold
        self._work()

    def _work(self) -> None:
        self.world.run(self.shop.work())

    def _ask(self, who: str, method: str, path: str, body: object = None) -> httpx.Response:
        answer = self.world.run(self.shop.ask(who, method, path, body))
        assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, answer.text
        return answer

    # Levels and time.

    @rule(moves=st.lists(st.tuples(skus, warehouses, units), min_size=1, max_size=8))
    def levels_move(self, moves: list[tuple[str, str, int]]) -> None:
        for sku, warehouse, available in moves:
            self.shop.hear(sku, warehouse, available, sold_total=self.sold)
        self._work()

    @rule(sku=skus, warehouse=warehouses)
    def a_level_swings(self, sku: str, warehouse: str) -> None:
        for available in (0, 100):
            self.shop.hear(sku, warehouse, available, sold_total=self.sold)
            self._work()
            self._pass(timedelta(seconds=61))

    @rule(warehouse=warehouses, available=st.sampled_from([8, 0, 100]))
    def all_levels_of_a_warehouse_move(self, warehouse: str, available: int) -> None:
        for sku in SKUS:
            self.shop.hear(sku, warehouse, available, sold_total=self.sold)
        self._work()

    @rule(available=st.sampled_from([0, 0, 100]))
    def a_crowd_runs_out_or_comes_back(self, available: int) -> None:
        for sku in CROWD:
            self.shop.hear(sku, "north", available)
        self._work()

    @rule(
        span=st.sampled_from(
            [
                timedelta(seconds=1),
                timedelta(seconds=40),
                timedelta(minutes=6),
                timedelta(minutes=50),
                timedelta(hours=4),
                DAY,
            ]
        )
    )
    def time_passes(self, span: timedelta) -> None:
        self._pass(span)

    @rule(minutes=st.sampled_from([1, 20, 300]))
    def nobody_is_there_for_a_while(self, minutes: int) -> None:
        """Nothing runs meanwhile."""
        self.clock.advance(timedelta(minutes=minutes))
        self._work()

    def _pass(self, span: timedelta) -> None:
        async def due() -> datetime | None:
            found: datetime | None = await self.world.administrator.fetchval(DUE, self.clock.now())
            return found

        self.world.run(self.shop.pass_time(span, due))

    # What people do.

    def _alert(self, place: int) -> str | None:
        """Return an alert, most likely an open one."""
        rows = self.world.run(
            self.world.administrator.fetch(
                "SELECT id FROM alerting.alert ORDER BY resolved_at IS NOT NULL, number DESC"
            )
        )
        return str(rows[place % len(rows)]["id"]) if rows else None

    @rule(
        place=places,
        who=st.sampled_from(["lin", "an", "boss"]),
        what=st.sampled_from(
            [
                ("acknowledge", {}),
                ("assign", {"to": "mei"}),
                ("assign", {"to": "lin"}),
                ("snooze", {"minutes": 10}),
                ("snooze", {"minutes": 1_500}),
                ("feedback", {"reason": "useful"}),
                ("feedback", {"reason": "data_wrong"}),
                ("resolve", {"note": "seen to"}),
                ("resolve", {"note": "seen to"}),
            ]
        ),
    )
    def somebody_acts(self, place: int, who: str, what: tuple[str, dict[str, Any]]) -> None:
        alert = self._alert(place)
        if alert is not None:
            act, body = what
            self._ask(who, "POST", f"/v1/alerts/{alert}/{act}", body)
            self._work()

    @rule(place=places, quantity=st.sampled_from([5, 90]), who=st.sampled_from(["lin", "an"]))
    def somebody_asks_to_buy(self, place: int, quantity: int, who: str) -> None:
        alert = self._alert(place)
        if alert is not None:
            body = {"kind": "buy", "quantity": quantity}
            self._ask(who, "POST", f"/v1/alerts/{alert}/actions", body)
            self._work()

    @rule(
        place=places,
        step=st.sampled_from(["approve", "order", "cancel", "receive", "reject"]),
        days=st.sampled_from([1, 5]),
    )
    def an_action_goes_on(self, place: int, step: str, days: int) -> None:
        found = self._ask("boss", "GET", "/v1/actions").json()["items"]
        if found:
            body = {"due_at": (self.clock.now() + days * DAY).isoformat()}
            id_ = found[place % len(found)]["id"]
            self._ask(
                "boss", "POST", f"/v1/actions/{id_}/{step}", body if step == "order" else None
            )
            self._work()

    @rule(
        minutes=st.sampled_from([5, 200]),
        what=st.sampled_from([{"warehouse": "north"}, {"sku": "C1"}, {"rule": "low"}]),
    )
    def a_silence_begins(self, minutes: int, what: dict[str, str]) -> None:
        ends_at = (self.clock.now() + timedelta(minutes=minutes)).isoformat()
        answer = self._ask(
            "boss", "POST", "/v1/silences", what | {"ends_at": ends_at, "comment": "盘点"}
        )
        assert answer.is_success, answer.text
        self.silences.append(answer.json()["id"])

    @rule(place=places)
    def a_silence_ends(self, place: int) -> None:
        if self.silences:
            id_ = self.silences[place % len(self.silences)]
            self._ask("boss", "DELETE", f"/v1/silences/{id_}")
            self._work()

    @rule(
        place=places,
        who=st.sampled_from([None, None, "stranger", "guest"]),
        key=st.sampled_from(["acknowledge", "false_alarm", "ordered", "snooze"]),
        times=st.integers(1, 3),
    )
    def a_button_is_pressed(self, place: int, who: str | None, key: str, times: int) -> None:
        """By whose phone it is, or by somebody who was shown it."""
        shown = [
            (user, each)
            for user, phone in sorted(self.shop.app.phones.items())
            for each in phone
            if key in each.keys and each.task_id is not None
        ]
        if not shown:
            return
        owner, card = shown[place % len(shown)]
        presser = who or owner
        assert card.task_id is not None
        envelope = self.shop.app.envelope(presser, key, card.task_id)
        alert = self.world.run(
            self.world.administrator.fetchval(
                "SELECT alert_id FROM notifier.delivery WHERE replace(id::text, '-', '') = $1",
                card.task_id.removeprefix("lowtide-"),
            )
        )
        before = self.world.run(self.world.administrator.fetchrow(STANDING, alert))
        heard = len(self.shop.published)
        for _ in range(times):
            answer = self.world.run(self._press(envelope.query, envelope.body))
            assert (answer.status_code, answer.content) == (HTTPStatus.OK, b"")
        self._work()
        if who is not None:
            self._nothing_changed(alert, before, self.shop.published[heard:], who)

    async def _press(self, query: Any, body: Any) -> httpx.Response:  # noqa: ANN401
        client = self.shop.clients["notifier:boss"]
        return await client.post("/callbacks/wecom/app", params=query, content=body)

    def _nothing_changed(self, alert: object, before: Any, news: Any, who: str) -> None:  # noqa: ANN401
        after = self.world.run(self.world.administrator.fetchrow(STANDING, alert))
        assert tuple(after) == tuple(before)
        told = [
            each
            for each in self.shop.published[: -len(news) or None]
            if each.alert_id == alert
            and each.event is AlertEvent.REFUSED
            and each.to[0].wecom_userid == who
            and each.recorded_at > self.clock.now() - timedelta(hours=1)
        ]
        of_it = [each for each in news if each.alert_id == alert]
        if before["resolved_at"] is None and told:
            assert of_it == [], "whoever presses on is told once an hour"
        elif before["resolved_at"] is None:
            (refusal,) = of_it
            assert refusal.event is AlertEvent.REFUSED
            assert [each.wecom_userid for each in refusal.to] == [who]
        else:
            assert news == []

    # What befalls them.

    @rule(service=services, after=st.integers(0, 12))
    def a_process_will_die(self, service: str, after: int) -> None:
        self.shop.kill_at[service] = after

    @rule()
    def a_process_will_forget(self) -> None:
        self.shop.loses_memory = True

    @rule(destination=destinations, around=st.sampled_from(Around))
    def a_sender_will_die(self, destination: str, around: Around) -> None:
        self.shop.around[destination] = around

    @rule(
        destination=destinations,
        fault=st.sampled_from([Fault.LOSE_ANSWER, Fault.DROP, Fault.STATUS_500, Fault.ERRCODE]),
        errcode=st.sampled_from([-1, judge.TOO_OFTEN]),
        times=st.integers(1, 3),
    )
    def a_vendor_will_misbehave(
        self, destination: str, fault: Fault, errcode: int, times: int
    ) -> None:
        vendor = self._vendor(destination)
        if fault is Fault.ERRCODE and errcode == judge.TOO_OFTEN:
            self.refusals_ordered += times
        vendor.order(fault, times=times, errcode=errcode)

    def _vendor(self, destination: str) -> FakeWecom | FakeWecomApp:
        return self.shop.bot if destination == "bot" else self.shop.app

    @rule(destination=destinations, times=st.sampled_from([1, 4, 20]))
    def a_vendor_will_take_nothing(self, destination: str, times: int) -> None:
        """What is sent dies for a while, at the longest until somebody mends it."""
        key = SEND if destination == "app" else None
        self._vendor(destination).order(Fault.ERRCODE, key=key, times=times, errcode=FOR_GOOD)

    @rule(limit=st.sampled_from([1, 500]))
    def all_is_mended_and_what_died_is_sent_again(self, limit: int) -> None:
        for destination in ("app", "bot"):
            self._vendor(destination).relent()
            body = {"destination": destination, "limit": limit}
            answer = self.world.run(
                self.shop.ask("boss", "POST", "/v1/deliveries/replay", body, "notifier")
            )
            assert answer.is_success, answer.text
        self._work()

    # What must be true.

    @invariant()
    def lives_are_as_promised(self) -> None:
        self.world.run(self._look())

    async def _look(self) -> None:
        administrator = self.world.administrator
        seen = await judge.account(administrator, self.shop, POLICY)
        await judge.one_open_episode(administrator)
        await judge.lives_end(administrator, seen)
        await judge.what_goes_on_is_open_or_was_ended(administrator)
        await judge.what_opens_risen_is_worse_than_what_was_ended(administrator)
        judge.announced_once(seen)
        judge.nothing_after_the_end(seen)
        judge.limits_hold(seen, self.refusals_ordered)
        judge.sums_agree(seen)
        judge.duplicates_say_so(seen)
        judge.attention_is_kept(seen)
        judge.easings_are_heard(seen)
        judge.timers_are_void(seen)

    @override
    def teardown(self) -> None:
        if sys.exception() is None:  # a course that has failed already ends nowhere
            self._finish()

    def _finish(self) -> None:
        """Let everything come to rest, far ahead, and look at it."""
        self.shop.bot.relent()
        self.shop.app.relent()
        self.shop.kill_at.clear()
        self._work()
        self._pass(FAR)
        self.world.run(self._look())
        seen = self.world.run(judge.account(self.world.administrator, self.shop, POLICY))
        self.world.run(judge.nothing_waits(self.world.administrator, seen))


@pytest.fixture
def world(stack: Stack, template: str, tmp_path: Path) -> Iterator[World]:
    with asyncio.Runner() as runner:
        run = runner.get_loop().run_until_complete
        held = AsyncExitStack()
        made: list[World] = []

        async def make() -> None:
            database = await held.enter_async_context(fresh_database(stack, template))
            clock = ManualClock(BEGAN)
            premises = Premises(database, stack.bootstrap, tmp_path, clock, PEOPLE)
            held.push_async_callback(premises.close)
            administrator = await asyncpg.connect(database.administrator_url)
            held.push_async_callback(administrator.close)
            made.append(World(runner, premises, administrator, clock))
            bot = await held.enter_async_context(serving(premises.answer_bot))
            app = await held.enter_async_context(serving(premises.answer_app))
            await made[0].furnish(f"http://127.0.0.1:{bot}", f"http://127.0.0.1:{app}")

        run(make())
        yield made[0]
        run(held.aclose())


@pytest.mark.timeout(3_600)  # hypothesis may take its time to find the shortest course
def test_whatever_happens_an_alert_lives_as_promised(world: World) -> None:
    class Course(Lives):
        pass

    Course.world = world
    run_state_machine_as_test(
        Course,
        settings=settings(
            max_examples=examples(6),
            stateful_step_count=25,
            deadline=None,
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_what_dies_and_is_sent_again_lives_as_promised(world: World) -> None:
    """One course of which chance would seldom think: beginnings and digests die, ends do not."""

    class Course(Lives):
        pass

    Course.world = world
    course = Course()
    course.open(first=100, sold=0)
    course.a_vendor_will_take_nothing(destination="bot", times=1)
    course.levels_move(moves=[("A1", "north", 0)])
    course.levels_move(moves=[("A1", "north", 100)])
    course.time_passes(span=timedelta(minutes=6))
    course.all_is_mended_and_what_died_is_sent_again(limit=500)
    course.lives_are_as_promised()
    course.a_vendor_will_take_nothing(destination="bot", times=20)
    course.a_crowd_runs_out_or_comes_back(available=0)
    for warehouse in WAREHOUSES:
        course.all_levels_of_a_warehouse_move(warehouse=warehouse, available=0)
    course.time_passes(span=timedelta(minutes=6))
    course.all_is_mended_and_what_died_is_sent_again(limit=1)
    course.lives_are_as_promised()
    course.a_crowd_runs_out_or_comes_back(available=100)
    course.time_passes(span=timedelta(minutes=6))
    course.all_is_mended_and_what_died_is_sent_again(limit=500)
    course.lives_are_as_promised()
    course.teardown()
