import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.console.domain.sign_in import (
    CODE_LIFETIME,
    SESSION_LIFETIME,
    Claims,
    Codes,
    Endings,
    Myself,
    Session,
    mint_code,
    mint_session,
    own_path,
    session_as,
    session_of,
)

SECRET = "the console's own"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def codes(started_at: datetime = NOW - SECOND) -> Codes:
    return Codes(SECRET, started_at)


def code(*, at: datetime = NOW, secret: str = SECRET) -> str:
    return mint_code(secret, now=at, nonce="n1")


def test_a_code_is_good_once() -> None:
    desk = codes()
    assert desk.redeem(code(), NOW + SECOND)
    assert not desk.redeem(code(), NOW + SECOND)


def test_another_code_is_good_beside_it() -> None:
    desk = codes()
    assert desk.redeem(code(), NOW)
    assert desk.redeem(mint_code(SECRET, now=NOW, nonce="n2"), NOW)


@pytest.mark.parametrize("at", [NOW + CODE_LIFETIME, NOW - SECOND])
def test_a_code_is_refused_outside_its_quarter_of_an_hour(at: datetime) -> None:
    assert not codes().redeem(code(), at)


def test_a_code_from_before_the_start_is_refused_because_it_may_have_been_used() -> None:
    assert not codes(started_at=NOW + SECOND).redeem(code(), NOW + 2 * SECOND)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "code",
        "code.1.n",
        "..",
        "中.文",
        code(secret="somebody else's"),
        code()[:-1] + "A",
        code().replace("n1", "n9"),
        mint_session(SECRET, now=NOW, nonce="n1"),
    ],
)
def test_what_we_did_not_sign_as_a_code_is_refused(given: str) -> None:
    assert not codes().redeem(given, NOW)


def test_a_session_lasts_its_time_and_no_longer() -> None:
    token = mint_session(SECRET, now=NOW, nonce="s1")
    session = session_of(SECRET, token, NOW + SESSION_LIFETIME - SECOND)
    assert session is not None
    assert session.id == "s1"
    assert session.is_alive(NOW)
    assert session_of(SECRET, token, NOW + SESSION_LIFETIME) is None


@pytest.mark.parametrize("token", ["", "x", code(), mint_session("other", now=NOW, nonce="s1")])
def test_what_we_did_not_sign_as_a_session_is_none(token: str) -> None:
    assert session_of(SECRET, token, NOW) is None


LIN, AN = Myself("lin", "林晓"), Myself("an", "An")


def test_a_session_that_is_somebodys_lasts_as_long_as_before() -> None:
    session = session_of(SECRET, mint_session(SECRET, now=NOW, nonce="s1"), NOW)
    assert session is not None
    assert session.myself is None
    token = session_as(SECRET, session, LIN)
    assert session_of(SECRET, token, NOW) == Session("s1", NOW + SESSION_LIFETIME, LIN)
    assert session_of(SECRET, token, NOW + SESSION_LIFETIME) is None


def test_nobody_else_can_be_put_into_a_signed_session() -> None:
    session = Session("s1", NOW + SESSION_LIFETIME)
    head, person, signature = session_as(SECRET, session, LIN).rsplit(".", 2)
    other = session_as(SECRET, session, AN).rsplit(".", 2)[1]
    assert session_of(SECRET, f"{head}.{person}.{signature}", NOW) is not None
    assert session_of(SECRET, f"{head}.{other}.{signature}", NOW) is None
    assert session_of(SECRET, f"{head}.{signature}", NOW) is None


def test_a_session_never_becomes_another_persons_even_by_its_former_cookie() -> None:
    claims = Claims()
    session = Session("s1", NOW + SESSION_LIFETIME)
    assert claims.claim(session, LIN, NOW) == LIN
    assert claims.claim(session, AN, NOW + SECOND) == LIN
    assert claims.claim(Session("s2", session.ends_at), AN, NOW) == AN


def test_after_a_restart_the_cookie_says_whose_a_session_is() -> None:
    assert Claims().claim(Session("s1", NOW + SESSION_LIFETIME, LIN), AN, NOW) == LIN


async def test_who_waits_for_the_end_of_a_session_hears_of_no_others() -> None:
    endings = Endings()
    mine, other = Session("s1", NOW + SESSION_LIFETIME), Session("s2", NOW + SESSION_LIFETIME)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(endings.of(mine))
        endings.end(other, NOW)
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        endings.end(mine, NOW)
    await endings.of(mine)


def test_an_ended_session_is_remembered_as_long_as_its_cookie_would_be_good() -> None:
    endings = Endings()
    first = Session("s1", NOW + SESSION_LIFETIME)
    endings.end(first, NOW)
    endings.end(Session("s2", NOW + SESSION_LIFETIME), NOW + SESSION_LIFETIME - SECOND)
    assert endings.has(first)
    endings.end(Session("s3", NOW + 2 * SESSION_LIFETIME), NOW + SESSION_LIFETIME)
    assert not endings.has(first)


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/alerts/7", "/alerts/7"),
        ("/stock/A%2FB/hz", "/stock/A%2FB/hz"),
        (None, "/"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example", "/"),
        ("/sign-in?code=x", "/"),
    ],
)
def test_a_remembered_path_never_leads_elsewhere(wanted: str | None, path: str) -> None:
    assert own_path(wanted) == path
