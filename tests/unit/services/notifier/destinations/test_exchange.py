"""What the end of a request means, whatever the vendor."""

import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from services.notifier.destinations import exchange as exchange_module
from services.notifier.destinations.exchange import (
    LONGEST_ANSWER_BYTES,
    LONGEST_RETRY_AFTER,
    Answer,
    Exchange,
    of_status,
    retry_after,
)
from services.notifier.domain.outcomes import Outcome, Verdict
from shared.testing.unruly_http import Misconduct, Reply, Request, serving

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
SECRET = "s3cret/with+odd=letters"
TLS = ssl.create_default_context()


def judge(answer: Answer) -> Outcome:
    verdict = Verdict.ACCEPTED if answer.status == 200 else Verdict.PERMANENT
    return Outcome(verdict, str(answer.status), answer.body.decode())


@asynccontextmanager
async def exchanging() -> AsyncIterator[Exchange]:
    exchange = Exchange(TLS, [SecretStr(SECRET), SecretStr("")])
    try:
        yield exchange
    finally:
        await exchange.close()


async def posted(handler: Callable[[Request], Reply | Misconduct]) -> Outcome:
    async with serving(handler) as port, exchanging() as exchange:
        url = f"http://127.0.0.1:{port}/send?key={SECRET}"
        return await exchange.post(url, b"{}", judge, now=NOW, headers={"X-Extra": "1"})


async def test_an_answer_is_judged() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Reply:
        seen.append(request)
        return Reply(200, b"fine")

    assert await posted(answer) == Outcome(Verdict.ACCEPTED, "200", "fine")
    (request,) = seen
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.headers["x-extra"] == "1"


async def test_who_cannot_be_reached_has_certainly_not_accepted() -> None:
    async with serving(lambda _: Reply(200, b"")) as port:
        pass
    async with exchanging() as exchange:
        outcome = await exchange.post(f"http://127.0.0.1:{port}/", b"{}", judge, now=NOW)
    assert (outcome.verdict, outcome.code) == (Verdict.TRANSIENT, "ConnectError")


async def test_of_an_endless_answer_only_the_beginning_is_read() -> None:
    read: list[int] = []
    asked: list[Request] = []

    def measure(answer: Answer) -> Outcome:
        read.append(len(answer.body))
        return Outcome(Verdict.ACCEPTED, "200", "ok")

    def babble(request: Request) -> Misconduct:
        asked.append(request)
        return Misconduct.BABBLE

    async with serving(babble) as port, exchanging() as exchange:
        for _ in range(2):  # the connection is of no more use
            outcome = await exchange.post(f"http://127.0.0.1:{port}/", b"{}", measure, now=NOW)
            assert outcome.verdict is Verdict.ACCEPTED
    assert read == [LONGEST_ANSWER_BYTES] * 2
    assert {request.headers["accept-encoding"] for request in asked} == {"identity"}


async def test_who_hangs_up_without_an_answer_may_have_accepted() -> None:
    outcome = await posted(lambda _: Misconduct.DROP)
    assert (outcome.verdict, outcome.code) == (Verdict.UNKNOWN, "cut")
    assert outcome.lane_wait is not None


async def test_who_stays_silent_may_have_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.notifier.destinations.exchange._HANG_SECONDS", 0.05)
    outcome = await posted(lambda _: Misconduct.HANG)
    assert (outcome.verdict, outcome.code) == (Verdict.UNKNOWN, "timeout")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://[::1", "nonsense"])
async def test_an_url_that_is_none_is_permanent_and_not_repeated_to_anybody(url: str) -> None:
    async with exchanging() as exchange:
        outcome = await exchange.post(f"{url}{SECRET}", b"{}", judge, now=NOW)
    assert (outcome.verdict, outcome.code) == (Verdict.PERMANENT, "url")
    assert SECRET not in outcome.detail


async def test_nothing_is_sent_to_where_a_name_must_not_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[str] = []
    asked: list[Request] = []

    def off_limits(host: str) -> bool:
        looked_at.append(host)
        return True

    def answer(request: Request) -> Reply:
        asked.append(request)
        return Reply(200, b"fine")

    monkeypatch.setattr(exchange_module, "is_off_limits", off_limits)
    async with serving(answer) as port, exchanging() as exchange:
        outcome = await exchange.post(f"http://localhost:{port}/", b"{}", judge, now=NOW)
    assert (outcome.verdict, outcome.code) == (Verdict.PERMANENT, "url")
    assert (looked_at, asked) == (["127.0.0.1"], [])


async def test_a_secret_that_a_server_repeats_goes_no_further(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    escaped = "s3cret%2Fwith%2Bodd%3Dletters"
    outcome = await posted(lambda _: Reply(400, f"no {SECRET}, no {escaped}".encode()))
    assert outcome.detail == "no ****, no ****"
    assert SECRET not in caplog.text


async def test_a_secret_at_the_end_of_what_is_kept_is_not_kept_in_part() -> None:
    outcome = await posted(lambda _: Reply(400, b"." * 190 + SECRET.encode()))
    assert SECRET[:5] not in outcome.detail


async def test_what_a_server_says_becomes_one_line_that_can_be_stored() -> None:
    outcome = await posted(lambda _: Reply(400, b"no:\x00\x1b[31m\r\n  no"))
    assert outcome.detail == "no: [31m no"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (500, Verdict.TRANSIENT),
        (503, Verdict.TRANSIENT),
        (429, Verdict.TRANSIENT),
        (400, Verdict.PERMANENT),
        (301, Verdict.PERMANENT),
    ],
)
def test_a_status_beside_200_decides(status: int, verdict: Verdict) -> None:
    assert of_status(Answer(status, b"")).verdict is verdict


def test_who_asks_for_a_wait_gets_it_for_everything() -> None:
    outcome = of_status(Answer(429, b"", timedelta(seconds=7)))
    assert outcome.retry_after == outcome.lane_wait == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (None, None),
        ("120", timedelta(seconds=120)),
        ("0", timedelta()),
        ("999999999", LONGEST_RETRY_AFTER),
        ("9" * 5_000, None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("Sun, 01 Mar 2026 08:00:30 GMT", timedelta(seconds=30)),
        ("Sun, 01 Mar 2026 07:00:00 GMT", timedelta()),
        ("Sun, 01 Mar 2026 08:00:30 -0000", None),
        ("Sun, 01 Mar 9999 08:00:30 GMT", LONGEST_RETRY_AFTER),
    ],
)
def test_a_wait_is_seconds_or_a_date_and_an_hour_at_the_most(
    said: str | None, wait: timedelta | None
) -> None:
    assert retry_after(said, NOW) == wait
