"""What waits, what sends it on its way, and that nothing is lost or sent twice for nothing."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from services.ingest import replaying
from services.ingest.domain.quarantine import Entry, State
from services.ingest.outbound.stock_changes import ChangeRecord, StockChanges
from services.ingest.settings import IngestSettings
from services.ingest.store import quarantine
from services.ingest.store.database import Connection
from services.ingest.store.quarantine import Filter
from shared.clock import ManualClock, WallClock
from shared.database import migrations
from shared.database.engine import create_engine
from shared.errors import Unavailable
from shared.http.pages import encode_cursor
from shared.testing.waiting import until
from tests.integration.ingest.service import Ingest, event, running

pytestmark = pytest.mark.stack


class KilledError(Exception):
    """Stands for a kill between two lines."""


MAPPINGS = "/v1/channels/shop/mappings"


async def waiting(ingest: Ingest, **params: str) -> list[dict[str, object]]:
    answer = await ingest.client.get("/v1/quarantine", params=params)
    assert answer.is_success, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def nothing_waits(ingest: Ingest) -> bool:
    return not await waiting(ingest)


async def become_known(ingest: Ingest, *skus: str) -> None:
    """Create SKUs as another process would that died before it replayed what waited."""
    for sku in skus:
        await ingest.rows(
            """
            WITH next AS (UPDATE catalogue_version SET version = version + 1 RETURNING version)
            INSERT INTO sku (sku, version, unit, life_cycle, barcodes, aliases, tags, attributes,
                             changed_in, created_at, updated_at)
            SELECT $1, 1, 'piece', 'active', '{}', '{}', '{}', '{}', version, now(), now() FROM next
            """,
            sku,
        )


async def test_unknown_codes_wait_with_what_to_do_and_a_guess(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.ask("POST", "/v1/skus", {"items": [{"sku": "85123A"}]})
    answer = await ingest.post(
        [event(id="1", sku="85123a"), event(id="2", warehouse="mian"), event(id="3")]
    )
    assert answer == {"accepted": 1, "quarantined": 2, "ignored": 0, "rejected": []}
    first, second = await waiting(ingest)
    assert (first["reason"], first["event_id"]) == ("unknown_sku", "1")
    assert "create" in str(first["detail"])
    assert first["suggestion"] == {"sku": {"code": "85123A", "by": "case_or_space"}}
    assert (second["reason"], second["event_id"]) == ("unknown_warehouse", "2")
    assert second["suggestion"] == {"warehouse": {"code": "main", "by": "similar"}}
    assert [each["id"] for each in await ingest.published()] == ["3"]


async def test_a_repeated_request_is_one_entry_and_other_content_another(ingest: Ingest) -> None:
    await ingest.set_up()
    for quantity in (1, 1, 2):
        assert (await ingest.post(event(sku="x", quantity=quantity)))["quarantined"] == 1
    assert len(await waiting(ingest)) == 2


async def test_the_list_is_filtered_and_paged_in_order_of_arrival(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.ask("PUT", "/v1/channels/till", {"name": "Till"})
    await ingest.post([event(id=str(number), sku=f"x{number % 2}") for number in range(5)])
    await ingest.post(event(id="5", channel="till", warehouse="w"))

    async def ids(**params: str) -> list[object]:
        return [each["event_id"] for each in await waiting(ingest, **params)]

    assert await ids() == ["0", "1", "2", "3", "4", "5"]
    assert await ids(code="x1") == ["1", "3"]
    assert await ids(channel="till") == ["5"]
    assert await ids(reason="unknown_warehouse") == ["5"]
    assert await ids(code="w", channel="shop") == []
    assert await ids(state="replayed") == []
    page = (await ingest.client.get("/v1/quarantine", params={"limit": 4})).json()
    assert await ids(cursor=page["next_cursor"]) == ["4", "5"]
    answer = await ingest.client.get("/v1/quarantine", params={"reason": "boredom"})
    assert answer.status_code == 422


async def test_what_waits_goes_on_its_way_as_it_came_in_order_of_arrival(ingest: Ingest) -> None:
    await ingest.set_up()
    events = [
        event(id=str(n), sku="x", occurred_at=f"2026-03-0{9 - n}T12:00:00Z") for n in range(5)
    ]
    await ingest.post(events)
    received = {each["event_id"]: each["received_at"] for each in await waiting(ingest)}
    items = [{"kind": "sku", "external": "x", "target": "A"}]
    answer = await ingest.ask("PUT", MAPPINGS, {"items": items})
    assert answer == {"mapped": 1, "replayed": 5, "ignored": 0}
    published = await ingest.published()
    assert [each["id"] for each in published] == ["0", "1", "2", "3", "4"]
    assert {each["sku"] for each in published} == {"A"}
    assert [each["occurred_at"] for each in published] == [each["occurred_at"] for each in events]
    assert {each["id"]: each["received_at"] for each in published} == received
    assert await waiting(ingest) == []
    assert len(await waiting(ingest, state="replayed")) == 5


async def test_numbers_that_no_entry_has_are_refused(ingest: Ingest) -> None:
    for cursor in (encode_cursor("1" * 30), encode_cursor(10**30), encode_cursor("x")):
        answer = await ingest.client.get("/v1/quarantine", params={"cursor": cursor})
        assert answer.status_code == 422, cursor
    for ids in ([10**30], [2**63], [0], [1, -1]):
        answer = await ingest.client.post("/v1/quarantine/replay", json={"ids": ids})
        assert answer.status_code == 422, ids
    assert await ingest.ask("POST", "/v1/quarantine/replay", {"ids": [2**63 - 1]})


async def test_a_replay_that_does_not_say_of_what_replays_nothing(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.post(event(sku="x"))
    await become_known(ingest, "x")
    for body in ({}, {"ids": None}, {"code": None, "channel": None, "reason": None}):
        answer = await ingest.client.post("/v1/quarantine/replay", json=body)
        assert answer.status_code == 422, body
    assert len(await waiting(ingest)) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/skus", {"items": [{"sku": "x"}]}),
        ("POST", "/v1/skus", {"items": [{"sku": "B", "aliases": ["x"]}]}),
        ("POST", "/v1/skus", {"items": [{"sku": "B", "barcodes": ["x"]}]}),
        ("PUT", MAPPINGS, {"items": [{"kind": "sku", "external": "x", "target": "B"}]}),
    ],
)
async def test_whatever_makes_a_code_known_replays_what_waited_for_it(
    ingest: Ingest, method: str, path: str, body: dict[str, object]
) -> None:
    await ingest.set_up()
    await ingest.post(
        [event(sku="x"), event(id="2", sku="y"), event(id="3", sku="x", warehouse="w")]
    )
    assert (await ingest.ask(method, path, body))["replayed"] == 1
    assert [each["id"] for each in await ingest.published()] == ["1"]
    answer = await ingest.ask("PUT", "/v1/warehouses/w", {"name": "W", "zone": "Asia/Shanghai"})
    assert answer["replayed"] == 1
    assert [each["event_id"] for each in await waiting(ingest)] == ["2"]


TRANSFER: dict[str, object] = {"type": "transfer_shipped", "counterparty": "sied"}


async def test_a_transfer_waits_for_its_counterparty_and_goes_once_it_is_known(
    ingest: Ingest,
) -> None:
    await ingest.set_up()
    await ingest.ask("PUT", "/v1/warehouses/side", {"name": "Side", "zone": "Asia/Shanghai"})
    eta = "2026-03-04T09:00:00+08:00"
    assert (await ingest.post(event(**TRANSFER, eta=eta)))["quarantined"] == 1
    (entry,) = await waiting(ingest, reason="unknown_warehouse")
    assert (entry["warehouse"], entry["counterparty"]) == ("main", "sied")
    assert entry["suggestion"] == {"counterparty": {"code": "side", "by": "similar"}}
    assert "'sied'" in str(entry["detail"])
    assert await waiting(ingest, code="sied") == [entry]
    items = [{"kind": "warehouse", "external": "sied", "target": "side"}]
    answer = await ingest.ask("PUT", MAPPINGS, {"items": items})
    assert answer == {"mapped": 1, "replayed": 1, "ignored": 0}
    (change,) = await ingest.published()
    assert (change["warehouse"], change["counterparty"]) == ("main", "side")
    assert change["eta"] == "2026-03-04T01:00:00Z"
    assert await waiting(ingest) == []


@pytest.mark.parametrize(("first", "then"), [("x", "y"), ("y", "x")])
async def test_a_transfer_between_two_unknown_warehouses_goes_with_the_second(
    ingest: Ingest, first: str, then: str
) -> None:
    await ingest.set_up()
    await ingest.post(event(**TRANSFER | {"warehouse": "x", "counterparty": "y"}))
    zone = {"name": "New", "zone": "Asia/Shanghai"}
    assert (await ingest.ask("PUT", f"/v1/warehouses/{first}", zone))["replayed"] == 0
    assert (await ingest.ask("PUT", f"/v1/warehouses/{then}", zone))["replayed"] == 1
    (change,) = await ingest.published()
    assert (change["warehouse"], change["counterparty"]) == ("x", "y")


async def test_a_transfer_mapped_to_one_warehouse_waits_until_the_mapping_is_corrected(
    ingest: Ingest,
) -> None:
    await ingest.set_up()
    await ingest.ask("PUT", "/v1/warehouses/side", {"name": "Side", "zone": "Asia/Shanghai"})
    await ingest.post(event(**TRANSFER))
    for target, replayed in (("main", 0), ("side", 1)):
        items = [{"kind": "warehouse", "external": "sied", "target": target}]
        assert (await ingest.ask("PUT", MAPPINGS, {"items": items}))["replayed"] == replayed
    assert [each["counterparty"] for each in await ingest.published()] == ["side"]


async def test_a_transfer_whose_counterparty_is_to_be_ignored_is_dropped(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.post(event(**TRANSFER))
    items = [{"kind": "warehouse", "external": "sied", "action": "ignore"}]
    assert (await ingest.ask("PUT", MAPPINGS, {"items": items}))["ignored"] == 1
    assert await waiting(ingest) == []
    assert await ingest.published() == []


@pytest.mark.parametrize("other", [{"counterparty": "z"}, {"eta": "2026-03-05T00:00:00Z"}], ids=str)
async def test_a_transfer_that_says_something_else_is_another_entry(
    ingest: Ingest, other: dict[str, object]
) -> None:
    await ingest.set_up()
    for fields in (TRANSFER, TRANSFER, TRANSFER | other):
        assert (await ingest.post(event(**fields)))["quarantined"] == 1
    assert len(await waiting(ingest)) == 2


async def test_what_was_stored_before_changes_had_a_counterparty_is_replayed(
    ingest: Ingest,
) -> None:
    await ingest.set_up()
    await ingest.post(event(sku="x", reference="order 7"))
    (stored,) = await ingest.rows("SELECT payload FROM quarantine")
    assert not {"counterparty", "bucket", "eta"} & set(json.loads(stored["payload"]))
    await ingest.rows(
        "ALTER TABLE quarantine DROP COLUMN counterparty, DROP COLUMN unknown_counterparty"
    )
    (now,) = await ingest.rows("SELECT version_num FROM schema_version")
    await ingest.rows("UPDATE schema_version SET version_num = '0001'")
    await migrations.upgrade(ingest.database.url("ingest"), "ingest", "0002")
    await ingest.rows("UPDATE schema_version SET version_num = $1", now["version_num"])
    assert (await ingest.post(event(sku="x", reference="order 7")))["quarantined"] == 1
    (entry,) = await waiting(ingest)
    assert (entry["event_id"], entry["counterparty"]) == ("1", None)
    await become_known(ingest, "x")
    assert (await ingest.serving.parts.replay.run(Filter())).replayed == 1


async def test_a_replay_sends_what_is_known_and_leaves_the_rest(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.post([event(id=str(n), sku=f"x{n}") for n in range(3)])
    await become_known(ingest, "x0", "x1")
    chosen = [each["id"] for each in await waiting(ingest, code="x0")]
    answer = await ingest.ask("POST", "/v1/quarantine/replay", {"ids": chosen})
    assert answer == {"replayed": 1, "ignored": 0, "still_quarantined": 0}
    for replayed in (1, 0):
        answer = await ingest.ask("POST", "/v1/quarantine/replay", {"reason": "unknown_sku"})
        assert answer == {"replayed": replayed, "ignored": 0, "still_quarantined": 1}
    assert sorted(str(each["id"]) for each in await ingest.published()) == ["0", "1"]
    answer = (await ingest.client.post("/v1/quarantine/replay", json={})).json()
    assert answer["status"] == 422


async def test_what_is_mapped_to_ignore_is_dropped_and_waits_again_when_it_is_not(
    ingest: Ingest,
) -> None:
    await ingest.set_up()
    await ingest.post(event(sku="POST"))
    mapping = {"kind": "sku", "external": "POST"}
    answer = await ingest.ask("PUT", MAPPINGS, {"items": [mapping | {"action": "ignore"}]})
    assert answer == {"mapped": 1, "replayed": 0, "ignored": 1}
    assert await waiting(ingest) == []
    await ingest.ask("PUT", MAPPINGS, {"items": [mapping | {"action": "remove"}]})
    assert (await ingest.post(event(sku="POST")))["quarantined"] == 1
    assert len(await waiting(ingest)) == 1
    assert await ingest.published() == []


async def test_what_was_ignored_by_mistake_is_sent_once_its_codes_are_mapped_otherwise(
    ingest: Ingest,
) -> None:
    await ingest.set_up()
    await ingest.ask("PUT", "/v1/channels/till", {"name": "Till", "kind": "api"})
    await ingest.post(
        [event(id="1", sku="x"), event(id="2", sku="y", warehouse="w"), event(id="3", sku="POST")]
    )
    await ingest.post(event(id="4", sku="x", channel="till"))
    sku = {"kind": "sku", "external": "x"}
    items = [sku, {"kind": "warehouse", "external": "w"}, sku | {"external": "POST"}]
    ignoring = {"items": [each | {"action": "ignore"} for each in items]}
    assert (await ingest.ask("PUT", MAPPINGS, ignoring))["ignored"] == 3
    assert (await ingest.ask("PUT", "/v1/channels/till/mappings", ignoring))["ignored"] == 1

    # Only what was ignored for such a code, and of this channel.
    answer = await ingest.ask("PUT", MAPPINGS, {"items": [sku | {"target": "A"}]})
    assert answer == {"mapped": 1, "replayed": 1, "ignored": 0}
    assert [each["id"] for each in await ingest.published()] == ["1"]
    # A code that is mapped no more: the entry waits for the other that nobody knows.
    answer = await ingest.ask("PUT", MAPPINGS, {"items": [items[1] | {"target": "main"}]})
    assert answer == {"mapped": 1, "replayed": 0, "ignored": 0}
    assert [each["event_id"] for each in await waiting(ingest)] == ["2"]
    await ingest.ask("POST", "/v1/skus", {"items": [{"sku": "y"}]})
    assert sorted(str(each["id"]) for each in await ingest.published()) == ["1", "2"]


async def test_what_is_dismissed_is_never_sent_until_it_is_reopened(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.post([event(id=str(n), sku="x") for n in range(3)])
    first, second, _ = [each["id"] for each in await waiting(ingest)]
    for dismissed in (2, 0):
        answer = await ingest.ask("POST", "/v1/quarantine/dismiss", {"ids": [first, second]})
        assert answer == {"dismissed": dismissed}
    await ingest.post(event(id="0", sku="x"))  # a repeat
    assert len(await waiting(ingest)) == 1
    assert len(await waiting(ingest, state="dismissed")) == 2
    answer = await ingest.ask("PUT", MAPPINGS, {"items": [
        {"kind": "sku", "external": "x", "target": "A"}
    ]})  # fmt: skip
    assert answer["replayed"] == 1
    assert [each["id"] for each in await ingest.published()] == ["2"]
    for reopened in (1, 0):
        answer = await ingest.ask("POST", "/v1/quarantine/reopen", {"ids": [first]})
        assert answer == {"reopened": reopened, "replayed": reopened, "ignored": 0}
    assert [each["id"] for each in await ingest.published()] == ["2", "0"]
    audited = (await ingest.ask("GET", "/v1/audit?what=quarantine"))["items"]
    assert isinstance(audited, list)
    assert [(each["what"], each["after"]) for each in audited] == [
        ("quarantine.reopened", {"entries": 1, "ids": [first]}),
        ("quarantine.dismissed", {"entries": 2, "ids": [first, second]}),
    ]
    for wrong in ([], [0], None):
        refused = await ingest.client.post("/v1/quarantine/dismiss", json={"ids": wrong})
        assert refused.status_code == 422


async def test_two_replays_at_once_send_each_entry_once(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.post([event(id=str(n), sku="x") for n in range(300)])
    await become_known(ingest, "x")
    replay = ingest.serving.parts.replay
    outcomes = await asyncio.gather(*(replay.run(Filter()) for _ in range(4)))
    assert sum(each.replayed for each in outcomes) == 300
    assert [each["id"] for each in await ingest.published()] == [str(n) for n in range(300)]


async def test_a_replay_that_dies_after_sending_is_repeated_with_the_same_bytes(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ingest.set_up()
    await ingest.post([event(id=str(n), sku="x") for n in range(3)])
    await become_known(ingest, "x")
    publish = StockChanges.publish

    async def publish_and_die(
        self: StockChanges, changes: Sequence[ChangeRecord], traceparent: str
    ) -> None:
        await publish(self, changes, traceparent)
        raise KilledError

    replay = ingest.serving.parts.replay
    with monkeypatch.context() as patched:
        patched.setattr(StockChanges, "publish", publish_and_die)
        with pytest.raises(KilledError):
            await replay.run(Filter())
    assert len(await waiting(ingest)) == 3
    assert (await replay.run(Filter())).replayed == 3
    sent = [each.value for each in await ingest.records()]
    assert len(sent) == 6
    assert sent[:3] == sent[3:]


async def test_what_a_dead_process_left_is_replayed_by_the_next_start(
    ingest: Ingest, settings: IngestSettings
) -> None:
    await ingest.set_up()
    await ingest.post([event(sku="x"), event(id="2", sku="y")])
    await become_known(ingest, "x")
    async with running(settings, ingest.database, ingest.key) as anew:

        async def only_the_other_waits() -> bool:
            return [each["event_id"] for each in await waiting(anew)] == ["2"]

        await until(only_the_other_waits)
    assert [each["id"] for each in await ingest.published()] == ["1"]


@pytest.mark.parametrize("broker_away", [False, True])
async def test_what_comes_to_wait_while_its_code_becomes_known_is_sent(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, *, broker_away: bool
) -> None:
    await ingest.set_up()
    put, publish = quarantine.put, StockChanges.publish

    async def away_once(*_: object) -> None:
        monkeypatch.setattr(StockChanges, "publish", publish)
        raise Unavailable("the broker")

    async def put_late(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
        monkeypatch.setattr(quarantine, "put", put)
        items = [{"kind": "sku", "external": "x", "target": "A"}]
        answer = await ingest.ask("PUT", MAPPINGS, {"items": items})
        assert answer["replayed"] == 0, "it is not there yet"
        if broker_away:
            monkeypatch.setattr(StockChanges, "publish", away_once)
        await put(connection, entries, now)

    monkeypatch.setattr(quarantine, "put", put_late)
    assert (await ingest.post(event(sku="x")))["quarantined"] == 1
    await until(lambda: nothing_waits(ingest))
    assert [each["sku"] for each in await ingest.published()] == ["A"]


async def test_a_replay_that_finds_no_broker_is_repeated_until_it_does(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ingest.set_up()
    await ingest.post(event(sku="x"))

    async def away(*_: object) -> None:
        raise Unavailable("the broker")

    with monkeypatch.context() as patched:
        patched.setattr(StockChanges, "publish", away)
        items = [{"kind": "sku", "external": "x", "target": "A"}]
        answer = await ingest.ask("PUT", MAPPINGS, {"items": items})
        assert answer == {"mapped": 1, "replayed": 0, "ignored": 0}
    await until(lambda: nothing_waits(ingest))
    assert [each["sku"] for each in await ingest.published()] == ["A"]


async def test_skus_whose_first_answer_was_lost_are_replayed_when_they_are_sent_again(
    ingest: Ingest,
) -> None:
    await ingest.set_up()
    await ingest.post(event(sku="x"))
    await become_known(ingest, "x")
    answer = await ingest.ask("POST", "/v1/skus", {"items": [{"sku": "x"}]})
    assert (answer["unchanged"], answer["replayed"]) == (1, 1)


async def test_what_another_process_left_is_sent_by_one_that_runs_on(
    ingest: Ingest, settings: IngestSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ingest.set_up()
    monkeypatch.setattr(replaying, "LOOK_AGAIN_SECONDS", 0.1)
    async with running(settings, ingest.database, ingest.key):
        await ingest.post(event(sku="x"))
        await become_known(ingest, "x")
        await until(lambda: nothing_waits(ingest))
    assert [each["id"] for each in await ingest.published()] == ["1"]


async def test_an_entry_of_a_newer_release_waits_and_holds_up_no_other(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.post([event(id=str(n), sku="x") for n in range(3)])
    await become_known(ingest, "x")
    await ingest.rows(
        """
        UPDATE quarantine SET payload = replace(payload, '"sale"', '"teleported"')
        WHERE event_id = '1'
        """
    )
    answer = await ingest.ask("POST", "/v1/quarantine/replay", {"code": "x"})
    assert answer == {"replayed": 2, "ignored": 0, "still_quarantined": 1}
    assert [each["id"] for each in await ingest.published()] == ["0", "2"]


async def test_what_came_too_early_is_sent_once_its_time_has_come(
    ingest: Ingest, settings: IngestSettings
) -> None:
    await ingest.set_up()
    await ingest.post(event(sku="x", occurred_at="2099-03-01T12:00:00Z"))
    await become_known(ingest, "x")
    # As if the ledger had refused it.
    await ingest.rows("UPDATE quarantine SET reason = 'from_the_future'")
    body = {"reason": "from_the_future"}
    answer = await ingest.ask("POST", "/v1/quarantine/replay", body)
    assert answer == {"replayed": 0, "ignored": 0, "still_quarantined": 1}
    clock = ManualClock(WallClock().now())
    async with running(settings, ingest.database, ingest.key, clock=clock) as later:
        clock.advance(timedelta(days=365 * 80))
        done = await later.serving.parts.replay.run(Filter())
        assert done.replayed == 1


async def test_an_entry_once_stored_stays_as_it_first_came(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.post(event(sku="x", occurred_at="2026-03-01T12:00:00Z"))
    await ingest.post(event(sku="x", occurred_at="2026-03-02T12:00:00Z"))
    engine = create_engine(ingest.database.url("ingest"))
    async with engine.begin() as connection:
        (entry,) = await quarantine.take(connection, Filter(state=State.WAITING), 0, 10)
    await engine.dispose()
    assert '"occurred_at":"2026-03-01T12:00:00Z"' in entry.payload
