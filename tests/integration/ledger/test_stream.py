"""Clients follow level changes: what they hear, what they miss never, and how a stream ends."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from deploy.local.ports import LOOPBACK, pick_free
from services.ledger.api import stream
from services.ledger.domain.position import Position
from services.ledger.inbound import stock_levels
from services.ledger.wiring import serve as ledger_serve
from shared.clock import Clock, ManualClock, WallClock
from shared.errors import Unavailable
from shared.events.stock_levels import TOPIC, level_key
from shared.events.topics import STOCK_LEVELS
from shared.http.auth import LEEWAY_SECONDS, Scope
from shared.http.problems import MEDIA_TYPE
from shared.http.server import serve
from shared.http.tokens import mint
from shared.kafka.log import LogReader
from shared.kafka.messages import Message, Record
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer
from shared.testing.waiting import PATIENCE_SECONDS, until
from tests.factories.stock_levels import stock_level
from tests.integration.ledger.listener import Listener, listening
from tests.integration.ledger.service import Ledger, change
from tests.integration.ledger.test_topic_made_anew import make_anew

PARTITIONS = STOCK_LEVELS.partitions
PATH = "/v1/stream/levels"


def level(sku: str, version: int, warehouse: str = "W") -> Message:
    """Return the record of a level that has nothing to it but its version."""
    return Message(
        partition_of(sku, PARTITIONS),
        level_key(sku, warehouse),
        stock_level(sku, version, warehouse).encode(),
    )


async def tell(ledger: Ledger, *messages: Message) -> None:
    await ledger.producer.send(TOPIC, messages)


@asynccontextmanager
async def serving(
    ledger: Ledger, clock: Clock | None = None
) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Yield the address of the role `serve`, and what ends it."""
    (port,) = pick_free(1)
    stop = asyncio.Event()
    url = f"http://{LOOPBACK}:{port}"

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{url}/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    app = ledger_serve.application(ledger.settings, clock, stop)
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(app, LOOPBACK, port, stop=stop))
        await until(answers)
        try:
            yield url, stop
        finally:
            stop.set()


@pytest_asyncio.fixture
async def url(ledger: Ledger) -> AsyncIterator[str]:
    async with serving(ledger) as (address, _):
        yield address


async def problem(
    url: str, token: str, *, last_id: str | None = None, **query: str
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    if last_id is not None:
        headers["Last-Event-ID"] = last_id
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        answer = await client.get(url + PATH, params=query, headers=headers)
    assert answer.headers["content-type"] == MEDIA_TYPE
    return answer


def places(listener: Listener) -> list[tuple[object, object]]:
    return [each.place for each in listener.levels]


async def test_a_change_is_told_as_the_level_is_answered(ledger: Ledger, url: str) -> None:
    async with ledger.consuming(), listening(url, ledger.token) as listener:
        await ledger.publish(change(type="receipt", quantity=7))
        await listener.until(lambda: bool(listener.levels))
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(
                f"{url}/v1/levels/A/W", headers={"Authorization": f"Bearer {ledger.token}"}
            )
    (event,) = listener.events
    assert (event.name, event.data) == ("level", answer.json())
    assert event.data["on_hand"] == 7
    assert Position.decode(event.id, PARTITIONS)
    assert listener.retry_ms == stream.RECONNECT_MS
    assert listener.headers["content-type"].startswith("text/event-stream")
    assert listener.headers["cache-control"] == "no-cache"
    assert listener.headers["x-accel-buffering"] == "no"


async def test_a_filter_lets_only_its_levels_through(ledger: Ledger, url: str) -> None:
    async with (
        listening(url, ledger.token, sku=["A", "B"]) as by_sku,
        listening(url, ledger.token, warehouse=["N"]) as by_warehouse,
        listening(url, ledger.token, sku=["A"], warehouse=["N"]) as by_both,
        listening(url, ledger.token) as everything,
    ):
        for sku, warehouse in (("A", "W"), ("A", "N"), ("B", "W"), ("C", "N"), ("C", "W")):
            await tell(ledger, level(sku, 1, warehouse))
        await everything.until(lambda: len(everything.levels) == 5)
        await by_sku.until(lambda: len(by_sku.levels) == 3)
        await by_warehouse.until(lambda: len(by_warehouse.levels) == 2)
        await by_both.until(lambda: len(by_both.levels) == 1)
    assert {each.data["sku"] for each in by_sku.levels} == {"A", "B"}
    assert {each.data["warehouse"] for each in by_warehouse.levels} == {"N"}


@pytest.mark.parametrize("others", [True, False], ids=["with others", "alone"])
async def test_one_who_comes_back_again_and_again_has_missed_nothing(
    ledger: Ledger, url: str, others: bool
) -> None:
    skus = [f"S{number}" for number in range(900)]

    async def keep_telling() -> None:
        for sku in skus:
            await tell(ledger, level(sku, 1))

    heard: set[object] = set()
    visits = 0
    async with AsyncExitStack() as watched, asyncio.TaskGroup() as group:
        if others:
            # The reader that all share stays, and is further on than who comes back.
            await watched.enter_async_context(listening(url, ledger.token, sku=["none"]))
        async with listening(url, ledger.token) as listener:
            last_id = listener.last_id
            telling = group.create_task(keep_telling())
        while len(heard) < len(skus):
            visits += 1
            news = len(heard) + 50
            async with listening(url, ledger.token, last_id=last_id) as listener:
                await listener.until(
                    lambda: len(heard | _skus(listener)) >= min(news, len(skus))  # noqa: B023
                )
            heard |= _skus(listener)
            last_id = listener.last_id
    assert telling.done()
    assert heard == set(skus)
    assert visits > 2


def _skus(listener: Listener) -> set[object]:
    return {each.data["sku"] for each in listener.levels}


async def test_the_position_goes_on_while_nothing_that_is_wanted_happens(
    ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.2)
    async with listening(url, ledger.token, sku=["none"]) as listener:
        at_first = listener.last_id
        await tell(ledger, level("A", 1))
        await listener.until(lambda: listener.last_id != at_first)
        await listener.until_beats(2)
    before, after = (Position.decode(each, PARTITIONS) for each in (at_first, listener.last_id))
    assert sum(after.offsets) == sum(before.offsets) + 1
    assert not listener.events
    async with listening(url, ledger.token, last_id=listener.last_id) as again:
        await tell(ledger, level("A", 2))
        await again.until_told(("A", 2))
    assert places(again) == [("A", 2)]


async def connected(url: str, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a stream that is open, with as little room for what is not read as there can be."""
    host, port = url.removeprefix("http://").split(":")
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.connect((host, int(port)))
    slow.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=slow, limit=4_096)
    writer.write(
        f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    await reader.readuntil(b"retry: ")
    return reader, writer


async def test_a_client_that_does_not_read_hears_the_newest_and_holds_up_nobody(
    ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_levels, "WAITING_LIMIT", 50)
    rounds, skus = 100, 200
    reader, writer = await connected(url, ledger.token)
    async with listening(url, ledger.token, sku=["S0"]) as other:
        for version in range(1, rounds + 1):
            await tell(ledger, *(level(f"S{number}", version) for number in range(skus)))
        await other.until_told(("S0", rounds))
    heard: dict[str, list[int]] = {}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(heard.get(f"S{number}", [0])[-1] < rounds for number in range(skus)):
            line = await reader.readline()
            if line.startswith(b"data: "):
                told = json.loads(line.removeprefix(b"data: "))
                heard.setdefault(told["sku"], []).append(told["version"])
    writer.close()
    assert sum(map(len, heard.values())) < rounds * skus


@pytest.mark.parametrize("last_id", ["nonsense", "AQA", "A" * 9_000])
async def test_an_id_that_is_not_ours_is_refused_with_what_to_do(
    ledger: Ledger, url: str, last_id: str
) -> None:
    answer = await problem(url, ledger.token, last_id=last_id)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:lowtide:problem:bad_event_id")
    assert "leave the header out" in answer.json()["detail"]


async def test_an_id_from_before_the_topic_grew_goes_on_and_hears_all_of_what_is_new(
    ledger: Ledger, url: str
) -> None:
    await tell(ledger, level("A", 1), level("B", 1))
    few = min(partition_of(sku, PARTITIONS) for sku in "AB")
    assert few > 0
    old = Position((0,) * few, 0).encode()
    async with listening(url, ledger.token, last_id=old) as listener:
        await listener.until_told(("A", 1), ("B", 1))
    assert {each.name for each in listener.events} == {"level"}


async def test_a_position_beyond_the_end_is_a_reset_and_the_stream_goes_on(
    ledger: Ledger, url: str
) -> None:
    beyond = Position((5,) * PARTITIONS, 0).encode()
    async with listening(url, ledger.token, last_id=beyond) as listener:
        await listener.until(lambda: bool(listener.events))
        await tell(ledger, level("A", 1))
        await listener.until_told(("A", 1))
    first, second = listener.events
    assert (first.name, first.data["reason"]) == ("reset", "beyond_end")
    assert second.place == ("A", 1)
    async with listening(url, ledger.token, last_id=first.id) as again:
        await again.until_told(("A", 1))
    assert places(again) == [("A", 1)]


async def anew(ledger: Ledger, *messages: Message) -> None:
    """Make the topics anew with these levels."""
    await make_anew(ledger)
    async with Producer(ledger.settings.kafka, ledger.settings.topic_prefix) as producer:
        ledger.producer = producer
        await tell(ledger, *messages)


async def test_a_topic_made_anew_is_a_reset_even_when_it_is_as_long_again(
    ledger: Ledger, url: str
) -> None:
    async with listening(url, ledger.token) as listener:
        await tell(ledger, level("A", 1))
        await listener.until_told(("A", 1))
    await anew(ledger, *(level("A", version) for version in range(1, 4)))
    async with listening(url, ledger.token, last_id=listener.last_id) as again:
        await again.until(lambda: bool(again.events))
    assert (again.events[0].name, again.events[0].data["reason"]) == ("reset", "made_anew")


async def test_a_topic_made_anew_under_an_open_stream_is_a_reset(ledger: Ledger, url: str) -> None:
    async with listening(url, ledger.token) as listener:
        await tell(ledger, *(level("A", version) for version in range(1, 4)))
        await listener.until_told(("A", 3))
        await anew(ledger, level("A", 1))
        await listener.until(lambda: listener.events[-1].name == "reset")
        async with Producer(ledger.settings.kafka, ledger.settings.topic_prefix) as producer:
            ledger.producer = producer
            await tell(ledger, level("A", 9))
            await listener.until_told(("A", 9))


async def test_a_snapshot_comes_first_and_nothing_falls_between_it_and_the_stream(
    ledger: Ledger, url: str
) -> None:
    async with ledger.consuming():
        await ledger.publish(
            change(type="receipt", quantity=7),
            change(id="2", type="receipt", quantity=2, warehouse="N"),
            change(id="3", type="receipt", quantity=3, sku="B"),
        )
        await ledger.until_published(1)
        await ledger.until_recorded(3)
        async with listening(
            url, ledger.token, sku=["A"], warehouse=["W"], snapshot="true"
        ) as listener:
            await ledger.publish(change(id="4"))
            await listener.until(lambda: len(listener.levels) == 2)
    assert [each.data["on_hand"] for each in listener.levels] == [7, 6]
    assert listener.levels[0].id == ""


async def test_a_snapshot_follows_a_reset(ledger: Ledger, url: str) -> None:
    async with ledger.consuming():
        await ledger.publish(change(type="receipt", quantity=7))
        await ledger.until_published(1)
    beyond = Position((5,) * PARTITIONS, 0).encode()
    async with listening(url, ledger.token, last_id=beyond, sku=["A"], snapshot="true") as listener:
        await listener.until(lambda: listener.last_id not in ("", beyond))
    assert [each.name for each in listener.events] == ["reset", "level"]
    assert [each.data["on_hand"] for each in listener.levels] == [7]


async def test_a_snapshot_of_everything_is_refused(ledger: Ledger, url: str) -> None:
    answer = await problem(url, ledger.token, snapshot="true", warehouse="W")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:lowtide:problem:snapshot_needs_sku"


async def test_more_codes_than_allowed_are_refused(ledger: Ledger, url: str) -> None:
    async with httpx.AsyncClient(
        headers={"Authorization": f"Bearer {ledger.token}"}, timeout=PATIENCE_SECONDS
    ) as client:
        for name in ("sku", "warehouse"):
            codes = {name: [f"C{number}" for number in range(101)]}
            assert (await client.get(url + PATH, params=codes)).status_code == 422


async def test_nothing_is_streamed_to_who_may_not_know(ledger: Ledger, url: str, key: Path) -> None:
    other = mint(
        key,
        subject="test",
        scopes=[Scope.EVENTS_WRITE],
        now=WallClock().now(),
        lifetime=timedelta(hours=1),
    )
    assert (await problem(url, "not a token")).status_code == 401
    assert (await problem(url, other)).status_code == 403


async def test_the_stream_ends_when_the_token_does(
    ledger: Ledger, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 3_600.0)  # it does not wait for that
    now, hour, last = WallClock().now(), timedelta(hours=1), timedelta(seconds=2)
    token = partial(mint, key, subject="test", scopes=[Scope.STOCK_READ], lifetime=hour)
    # Of the token's hour, and of what clocks may be apart, two seconds are left, which last until
    # the test says so.
    clock = ManualClock(now + hour + timedelta(seconds=LEEWAY_SECONDS) - last)
    async with serving(ledger, clock) as (url, _):
        async with listening(url, token(now=now)) as listener:
            await tell(ledger, level("A", 1))
            await listener.until_told(("A", 1))
            assert not listener.ended.is_set()
            clock.advance(last)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await listener.ended.wait()
        assert (await problem(url, token(now=now - 2 * hour))).status_code == 401


async def may_open(url: str, token: str) -> bool:
    async with (
        httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_SECONDS
        ) as client,
        client.stream("GET", url + PATH) as answer,
    ):
        return answer.status_code == 200


async def test_one_stream_too_many_is_told_when_to_try_again(ledger: Ledger) -> None:
    ledger.settings = ledger.settings.model_copy(update={"ledger_streams": 1})
    async with serving(ledger) as (url, _):
        async with listening(url, ledger.token):
            answer = await problem(url, ledger.token)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0

        await until(lambda: may_open(url, ledger.token))


async def test_a_client_that_never_reads_loses_its_place(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SEND_SECONDS", 0.2)
    ledger.settings = ledger.settings.model_copy(update={"ledger_streams": 1})
    async with serving(ledger) as (url, _):
        _, writer = await connected(url, ledger.token)
        version = 0

        async def has_room() -> bool:
            nonlocal version
            version += 1
            await tell(ledger, *(level(f"S{number}", version) for number in range(200)))
            return await may_open(url, ledger.token)

        await until(has_room)
        assert version > 1
        writer.close()


async def test_streams_end_with_the_process_and_hold_it_up_no_longer_than_others(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waited for a heartbeat would be cut off in the middle of its answer.
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 3_600.0)
    async with (
        serving(ledger) as (url, stop),
        listening(url, ledger.token) as listener,
        listening(url, ledger.token, last_id=listener.last_id) as resumed,
    ):
        stop.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await listener.ended.wait()
            await resumed.ended.wait()


async def test_while_the_broker_is_away_streams_stay_open_and_then_go_on(
    ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.2)
    reach, read = LogReader.__aenter__, LogReader.poll
    away = asyncio.Event()

    async def reached(reader: LogReader) -> LogReader:
        if away.is_set():
            raise Unavailable("the broker")
        return await reach(reader)

    async def polled(reader: LogReader) -> list[Record]:
        records = await read(reader)
        if away.is_set():
            raise Unavailable("the broker")
        return records

    monkeypatch.setattr(LogReader, "__aenter__", reached)
    monkeypatch.setattr(LogReader, "poll", polled)
    async with listening(url, ledger.token) as listener:
        await tell(ledger, level("A", 1))
        await listener.until_told(("A", 1))
        away.set()
        await tell(ledger, level("A", 2))
        async with listening(url, ledger.token, last_id=listener.last_id) as resumed:
            await listener.until_beats(3)
            await resumed.until_beats(3)
            assert places(listener) == [("A", 1)]
            assert places(resumed) == []
            away.clear()
            await listener.until_told(("A", 2))
            await resumed.until_told(("A", 2))


async def test_without_a_broker_nobody_can_say_where_now_is(ledger: Ledger) -> None:
    (closed,) = pick_free(1)
    ledger.settings = ledger.settings.model_copy(update={"kafka": f"{LOOPBACK}:{closed}"})
    async with serving(ledger) as (url, _):
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(
                url + PATH, headers={"Authorization": f"Bearer {ledger.token}"}
            )
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
