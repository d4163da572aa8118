"""What happens between the two records around a message: crashes, takeovers, a lost database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from typing_extensions import override

from services.notifier.destinations.kinds import transport_of
from services.notifier.destinations.transport import Means, Message, Transport
from services.notifier.domain.deliveries import Delivery
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome, Verdict
from services.notifier.sending import lane
from services.notifier.store import leases, queue, wakeups
from services.notifier.store.wakeups import listen, wake_senders
from shared.database.engine import create_engine
from shared.testing.vendor import Fault
from shared.testing.waiting import until
from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import KEY, LOOKING_ON, Notifier

pytestmark = pytest.mark.stack


class Killed(BaseException):
    """Ends a sender where it stands, as kill -9 would: nothing is tidied up in the database."""


class Interposed(Transport):
    """Does something before and after the real transport."""

    def __init__(
        self,
        real: Transport,
        before: Callable[[], object],
        after: Callable[[], object],
    ) -> None:
        self._real = real
        self._before = before
        self._after = after

    @override
    async def send(self, message: Message) -> Outcome:
        await _awaited(self._before())
        outcome = await self._real.send(message)
        await _awaited(self._after())
        return outcome

    @override
    async def close(self) -> None:
        await self._real.close()


async def _awaited(result: object) -> None:
    if asyncio.iscoroutine(result):
        await result


def interposed(
    before: Callable[[], object] = lambda: None, after: Callable[[], object] = lambda: None
) -> Callable[[Destination, Means], Transport]:
    def make(destination: Destination, means: Means) -> Transport:
        return Interposed(transport_of(destination, means), before, after)

    return make


def _kill() -> None:
    raise Killed


async def send_until_killed(
    notifier: Notifier, transport: Callable[[Destination, Means], Transport]
) -> None:
    """Run a sender until it is killed; its leases stay where they are."""
    with pytest.raises(BaseExceptionGroup) as caught:
        async with notifier.sending("victim", transport=transport, leaving=False):
            await asyncio.Event().wait()
    assert caught.value.subgroup(Killed) is not None


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_first_notice_cut_off_by_a_kill_is_sent_once_more_and_marked(
    notifier: Notifier, arrived: bool
) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(7))
    killing = interposed(after=_kill) if arrived else interposed(before=_kill)
    await send_until_killed(notifier, killing)
    assert await notifier.states() == ["sending"]
    async with notifier.sending("victim"):
        await notifier.until_states("sent")
    contents = [each.content for each in notifier.wecom.of(KEY)]
    assert len(contents) == 1 + arrived
    assert "可能重复" in contents[-1]
    (row,) = await notifier.rows("SELECT duplicate_possible, attempts FROM delivery")
    assert tuple(row) == (True, 2)


async def test_a_change_cut_off_by_a_kill_is_not_sent_again(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(7))
    async with notifier.sending("victim"):
        await notifier.until_states("sent")
    await notifier.tell(stock_alert(7, revision=2, event="resolved"))
    await send_until_killed(notifier, interposed(after=_kill))
    async with notifier.sending("victim"):
        await notifier.until_states("sent", "suppressed")
    assert len(notifier.wecom.of(KEY)) == 2


async def test_another_sender_takes_over_when_the_lease_lapses(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(7))
    await send_until_killed(notifier, interposed(before=_kill))
    async with notifier.sending("successor"):
        await notifier.until_states("sent")
    assert len(notifier.wecom.of(KEY)) == 1


async def test_an_owner_that_was_paused_can_record_nothing_any_more(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paused one's message may have arrived: its successor marks the repeat."""
    # Who is paused looks for leases as little as it sends, but is woken where it stood.
    monkeypatch.setattr("services.notifier.sending.sender.RENEW_SECONDS", 3600.0)
    await notifier.bot()
    await notifier.tell(stock_alert(7))
    paused, resume = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        paused.set()
        await resume.wait()

    async with notifier.sending("same", transport=interposed(after=pause)):
        await paused.wait()
        async with notifier.sending("same"):
            await notifier.until_states("sent")
            (row,) = await notifier.rows("SELECT attempts, sent_at FROM delivery")
            resume.set()
            await notifier.tell(stock_alert(8))
            await notifier.until_states("sent", "sent")
    (after, _) = await notifier.rows("SELECT attempts, sent_at FROM delivery ORDER BY id")
    assert after == row
    verdicts = await notifier.rows("SELECT verdict FROM attempt ORDER BY started_at")
    assert [each["verdict"] for each in verdicts] == ["unknown", "accepted", "accepted"]
    assert ["可能重复" in each.content for each in notifier.wecom.of(KEY)] == [False, True, False]


async def test_an_outcome_is_recorded_when_the_database_is_back(notifier: Notifier) -> None:
    await notifier.bot()

    async with notifier.sending(transport=interposed(after=lambda: cut_connections(notifier))):
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
    (row,) = await notifier.rows("SELECT attempts, duplicate_possible FROM delivery")
    assert tuple(row) == (1, False)
    assert len(notifier.wecom.of(KEY)) == 1


@pytest.mark.parametrize("asked", ["hold", "renew"])
async def test_a_query_that_takes_too_long_ends_no_sender(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    really, slow = getattr(leases, asked), [True]

    async def slowly(connection: AsyncConnection, about: object) -> object:
        if slow:
            slow.clear()
            await connection.execute(text("SET LOCAL statement_timeout = 50"))
            await connection.execute(text("SELECT pg_sleep(60)"))
        return await really(connection, about)

    monkeypatch.setattr(leases, asked, slowly)
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
    assert not slow


class CommitAnswerLost:
    """An engine that commits an attempt's record and then says that the connection is gone."""

    def __init__(self, real: AsyncEngine) -> None:
        self._real = real
        self.lost = False

    def connect(self) -> AsyncConnection:
        return self._real.connect()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._real.begin() as connection:
            yield connection
        if not self.lost:
            async with self._real.connect() as connection:
                self.lost = bool(await connection.scalar(text("SELECT count(*) FROM attempt")))
            if self.lost:
                raise ConnectionResetError


async def test_wake_ups_come_again_after_the_database_was_away(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "POLL_SECONDS", 600.0)
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(stock_alert(1))
        await notifier.until_states("sent")
        before = await listeners(notifier)
        await cut_connections(notifier)

        async def listens_anew() -> bool:
            return bool(await listeners(notifier) - before)

        await until(listens_anew)
        await notifier.tell(stock_alert(2))
        await notifier.until_states("sent", "sent")


async def test_a_listener_alone_finds_back_without_others_mending_the_pool(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeups, "_PROBE_SECONDS", 600.0)
    heard: list[Collection[str] | None] = []
    engine = create_engine(notifier.settings.database_url.get_secret_value())

    async def connected(times: int) -> bool:
        return heard.count(None) >= times

    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listen(engine, heard.append))
        await until(lambda: connected(1))
        await cut_connections(notifier)
        await until(lambda: connected(2))
        async with notifier.engine.begin() as connection:
            await wake_senders(connection, ["buyers"])

        async def woken() -> bool:
            return ["buyers"] in heard

        await until(woken)
        listening.cancel()
    await engine.dispose()


async def listeners(notifier: Notifier) -> set[int]:
    """Return the server processes whose last statement was LISTEN."""
    rows = await notifier.rows(
        """SELECT pid FROM pg_stat_activity
           WHERE datname = current_database() AND query LIKE 'LISTEN%'"""
    )
    return {row["pid"] for row in rows}


async def cut_connections(notifier: Notifier) -> None:
    """End every connection of the notifier, as a restart of the server does; not the test's own."""
    await notifier.engine.dispose()  # the test's own
    administrator = await asyncpg.connect(notifier.database.administrator_url)
    await administrator.execute(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE usename = 'notifier' AND datname = $1 AND application_name <> $2""",
        notifier.database.name,
        LOOKING_ON,
    )
    await administrator.close()


async def test_an_attempt_recorded_but_not_made_is_taken_back_and_not_in_doubt(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(7))
    engines: list[CommitAnswerLost] = []

    def losing(real: AsyncEngine) -> AsyncEngine:
        engines.append(CommitAnswerLost(real))
        return cast("AsyncEngine", engines[0])

    async with notifier.sending(through=losing):
        await notifier.until_states("sent")
    assert engines[0].lost
    (row,) = await notifier.rows("SELECT attempts, duplicate_possible FROM delivery")
    assert tuple(row) == (1, False)
    assert len(notifier.wecom.of(KEY)) == 1


async def six_bots(notifier: Notifier) -> list[str]:
    """Make six destinations; returns their keys."""
    keys = [f"key-of-bot-number-{number}" for number in range(6)]
    for number, key in enumerate(keys):
        await notifier.bot(f"bot-{number}", key)
    notifier.accept(*keys)
    return keys


async def owners(notifier: Notifier) -> dict[str, int]:
    """Return how many destinations each sender holds."""
    rows = await notifier.rows(
        "SELECT owner, count(*) AS amount FROM lease WHERE owner IS NOT NULL GROUP BY 1"
    )
    return {row["owner"]: row["amount"] for row in rows}


async def test_two_senders_share_the_destinations_and_send_everything_once(
    notifier: Notifier,
) -> None:
    keys = await six_bots(notifier)
    async with notifier.sending("one"), notifier.sending("two"):

        async def shared() -> bool:
            return await owners(notifier) == {"one": 3, "two": 3}

        await until(shared)
        await notifier.tell(*(stock_alert(number) for number in range(1, 6)))
        await notifier.until_states(*["sent"] * 30)
    assert sorted(each.key for each in notifier.wecom.accepted) == sorted(keys * 5)
    assert await notifier.rows("SELECT 1 FROM lease WHERE owner IS NOT NULL") == []


async def test_what_an_earlier_process_had_is_kept_by_nobody_who_does_not_serve_it(
    notifier: Notifier,
) -> None:
    keys = await six_bots(notifier)

    async def one_has_all() -> bool:
        return await owners(notifier) == {"one": 6}

    async def two_is_there() -> bool:
        return len(await notifier.rows("SELECT FROM sender WHERE id = 'two'")) == 1

    async def shared() -> bool:
        return await owners(notifier) == {"one": 3, "two": 3}

    async with notifier.sending("one", leaving=False):
        await until(one_has_all)
    # As after a kill a moment ago, however long the rest of this takes.
    await notifier.rows("UPDATE lease SET until = clock_timestamp() + interval '1 hour'")
    await notifier.rows("UPDATE sender SET seen_at = clock_timestamp() + interval '1 hour'")
    async with notifier.sending("two"):
        await until(two_is_there)
        async with notifier.sending("one"):
            await until(shared)
            await notifier.tell(stock_alert(1))
            await notifier.until_states(*["sent"] * 6)
    assert sorted(each.key for each in notifier.wecom.accepted) == sorted(keys)


async def test_what_is_disabled_takes_no_place_of_what_is_not(notifier: Notifier) -> None:
    keys = {id_: f"key-of-bot-number-{id_}" for id_ in ("a", "b", "c")}
    for id_, key in keys.items():
        await notifier.bot(id_, key)
    notifier.accept(*keys.values())

    async def served(*expected: str) -> None:
        async def as_expected() -> bool:
            rows = await notifier.rows(
                "SELECT destination FROM lease WHERE owner IS NOT NULL ORDER BY 1"
            )
            return [row["destination"] for row in rows] == list(expected)

        await until(as_expected, seconds=20)

    async with notifier.sending():
        await served("a", "b", "c")
        await notifier.bot("a", keys["a"], enabled=False)
        await served("b", "c")
        await notifier.tell(stock_alert(1))
        await notifier.until_states("sent", destination="c")
        await notifier.bot("a", keys["a"])
        await served("a", "b", "c")


async def test_an_error_of_the_database_while_a_message_is_written_is_not_the_messages_fault(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = queue.rendered_before
    failed: list[UUID] = []

    async def failing_once(
        connection: AsyncConnection, delivery: Delivery, destination: Destination
    ) -> tuple[bytes, str | None] | None:
        if not failed:
            failed.append(delivery.id)
            failure = "RAISE EXCEPTION 'deadlock' USING ERRCODE = 'deadlock_detected'"
            await connection.execute(text(f"DO $$ BEGIN {failure}; END $$"))
        return await real(connection, delivery, destination)

    monkeypatch.setattr(queue, "rendered_before", failing_once)
    await notifier.bot()
    notifier.wecom.order(Fault.STATUS_500)
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
    assert len(failed) == 1


async def test_an_unexpected_error_of_a_client_tells_no_secret_and_stops_nothing(
    notifier: Notifier, capsys: pytest.CaptureFixture[str]
) -> None:
    await notifier.bot()

    def fail() -> None:
        raise RuntimeError(f"https://wecom.example/send?key={KEY}")

    async with notifier.sending(transport=interposed(before=fail)):
        await notifier.tell(stock_alert(7))
        await notifier.until_states("dead")
    attempts = await notifier.rows("SELECT verdict, code, detail FROM attempt")
    assert {(row["verdict"], row["code"]) for row in attempts} == {
        (Verdict.UNKNOWN, "RuntimeError")
    }
    assert KEY not in capsys.readouterr().out
