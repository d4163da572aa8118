"""Secrets go in and never come out: not in answers, logs, errors, or the database."""

import re
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

import asyncpg
import httpx
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.notifier.domain.addresses import DestinationKind
from services.notifier.wiring import serve as notifier_serve
from shared.testing.unruly_http import Misconduct, Reply, Request, serving
from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import KEY, PASSWORD, Notifier, Row

pytestmark = pytest.mark.stack

TOKEN = "tok-0f6b2a1c-6a5e-4f43-9f0a-6a0d5d6f7e44"
SECRET = "SEC-77aa2a1c-6a5e-4f43-9f0a-6a0d5d6f7e55"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
SIGNING = "whsec_bG93dGlkZSB3YXJucyBiZWZvcmUgdGhlIHNoZWxm"


class Case(NamedTuple):
    """A kind's part, its secrets, and what becomes of a delivery at a server that repeats all."""

    part: Row
    secrets: dict[str, str]
    state: str


CASES = {
    "wecom_bot": Case({}, {"key": TOKEN}, "dead"),
    "wecom_app": Case(
        {"corp_id": "wx5823bf96d3bd56c7", "agent_id": 1_000_002, "to": ["zhangsan"]},
        {"secret": TOKEN, "callback_token": SECRET, "encoding_aes_key": AES_KEY},
        "dead",
    ),
    "dingtalk_bot": Case({}, {"token": TOKEN, "secret": SECRET}, "dead"),
    "feishu_bot": Case({}, {"token": TOKEN, "secret": SECRET}, "dead"),
    "slack": Case({"channel": "C024BE91L"}, {"token": TOKEN, "signing_secret": SECRET}, "dead"),
    "email": Case(
        {
            "to": ["buyer@example.com"],
            "from": "lowtide@example.com",
            "host": "127.0.0.1",
            "port": 1,
            "username": "lowtide",
        },
        {"password": PASSWORD},
        "failed",
    ),
    "webhook": Case({}, {"secret": SIGNING}, "sent"),
}


def test_every_kind_is_tried() -> None:
    assert set(CASES) == set(DestinationKind)


def indiscreet() -> Callable[[Request], Reply | Misconduct]:
    """Return a server that hangs up once, then refuses and repeats all that it was told.

    Where its words are cut off to be stored lies within a secret.
    """
    numbers = count()

    def answer(request: Request) -> Reply | Misconduct:
        if next(numbers) == 0:
            return Misconduct.DROP
        told = f"{request.path} {dict(request.query)} {dict(request.headers)} {TOKEN} {SECRET}"
        told = f"{TOKEN[:3]}{TOKEN} {told}"
        cut = "." * 160 + f"{TOKEN} {SECRET}"
        code = {"errcode": 77, "code": 77, "ok": False}
        return Reply.of(code | {"errmsg": told, "msg": cut, "error": told})

    return answer


@pytest.mark.parametrize("kind", CASES)
async def test_what_a_kind_knows_is_seen_nowhere(
    notifier: Notifier, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """Sends, fails, is refused, is asked for everything; then everything is searched."""
    case = CASES[kind]
    async with serving(indiscreet()) as port:
        url = {} if kind == "email" else {"url": f"http://127.0.0.1:{port}"}
        await notifier.put("place", kind, case.part | url | case.secrets)
        async with notifier.sending():
            await notifier.tell(stock_alert(7))
            await notifier.until_states(case.state)
    seen = await asked_for_everything(notifier, kind, case)
    seen += await dumped(notifier)
    output = capsys.readouterr()
    everything = "\n".join([*seen, output.out, output.err])
    for secret in case.secrets.values():
        assert secret[:11] not in everything
        assert (f"****{secret[-4:]}" if len(secret) >= 32 else "****") in everything
    assert "SKU-7" in everything


async def asked_for_everything(notifier: Notifier, kind: str, case: Case) -> list[str]:
    """Return all answers about a destination, those to requests that make no sense included."""
    (row,) = await notifier.rows("SELECT id FROM delivery")
    await notifier.put("place", kind, case.part | place(kind, 1) | case.secrets, name="elsewhere")
    seen = [
        (await notifier.client.get(path)).text
        for path in (
            "/v1/destinations",
            "/v1/destinations/place",
            "/v1/routes",
            "/v1/audit",
            "/v1/deliveries",
            "/v1/deliveries/summary",
            f"/v1/deliveries/{row['id']}",
        )
    ]
    known = {"kind": kind, "name": "x", "language": "en", kind: case.part | case.secrets}
    for wrong in (
        {"language": "xx"},
        {"kind": "wecom_bot" if kind == "email" else "email"},
        {kind: case.part | case.secrets | {"surprise": "x"}},
        {kind: {name: [value] for name, value in case.secrets.items()}},
        {kind: case.part | case.secrets | {"url": "nowhere", "port": "none"}},
    ):
        answer = await notifier.client.put("/v1/destinations/again", json=known | wrong)
        assert answer.is_client_error
        seen.append(answer.text)
    return seen


async def dumped(notifier: Notifier) -> list[str]:
    """Return every column of every table of the notifier as text."""
    connection = await asyncpg.connect(notifier.database.url("notifier"))
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'notifier'"
        )
        found: list[str] = []
        for table in tables:
            rows = await connection.fetch(
                f"SELECT t::text AS row FROM {table['tablename']} AS t"  # noqa: S608 - a test's own
            )
            found += [row["row"] for row in rows]
            if table["tablename"] == "attempt":
                sent = await connection.fetch("SELECT rendered FROM attempt")
                found += [row["rendered"].decode() for row in sent]
        assert len(found) > 5
        return found
    finally:
        await connection.close()


async def test_who_has_one_bots_key_is_told_of_no_other(notifier: Notifier) -> None:
    """A key in use is refused without naming whose it is."""
    await notifier.bot()
    body = {"kind": "wecom_bot", "name": "x", "language": "en", "wecom_bot": {"key": KEY}}
    answer = await notifier.client.put("/v1/destinations/again", json=body)
    assert answer.status_code == 409
    assert KEY not in answer.text
    assert "buyers" not in answer.text


async def test_stored_secrets_cannot_be_read_without_the_key(notifier: Notifier) -> None:
    await notifier.put("place", "feishu_bot", {"token": TOKEN, "secret": SECRET})
    (row,) = await notifier.rows(
        "SELECT secrets->>'token' AS token, secrets->>'secret' AS secret FROM destination"
    )
    assert all(re.fullmatch(r"gAAAA[\w=-]+", sealed) for sealed in row)
    assert row["token"] != row["secret"]


async def put(client: httpx.AsyncClient, kind: str, part: Row) -> tuple[int, list[str]]:
    """Put a destination; return the status, and the fields that are wrong."""
    body = {"kind": kind, "name": "x", "language": "en", kind: part}
    answer = await client.put("/v1/destinations/place", json=body)
    return answer.status_code, [each["field"] for each in answer.json().get("errors", ())]


def place(kind: str, port: int) -> Row:
    """Return where a kind's server is."""
    if kind == "email":
        return {"host": "127.0.0.1", "port": port}
    return {"url": f"http://127.0.0.1:{port}"}


@pytest.mark.parametrize("kind", CASES)
async def test_a_secret_does_not_follow_to_another_server(notifier: Notifier, kind: str) -> None:
    case = CASES[kind]
    assert (await put(notifier.client, kind, case.part | place(kind, 1) | case.secrets))[0] == 201
    for name in case.secrets:
        others = {each: value for each, value in case.secrets.items() if each != name}
        moved = await put(notifier.client, kind, case.part | place(kind, 2) | others)
        assert moved == (422, [f"{kind}.{name}"])
        assert (await put(notifier.client, kind, case.part | place(kind, 1) | others))[0] == 200
    assert (await put(notifier.client, kind, case.part | place(kind, 2) | case.secrets))[0] == 200


@pytest.mark.parametrize("kind", CASES)
async def test_what_cannot_be_read_any_more_is_shown_so_and_put_anew(
    notifier: Notifier, kind: str
) -> None:
    case = CASES[kind]
    whole = case.part | place(kind, 1) | case.secrets
    await notifier.bot()
    await put(notifier.client, kind, whole)
    another = SecretStr(Fernet.generate_key().decode())
    app = notifier_serve.application(notifier.settings.model_copy(update={"secret_key": another}))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://notifier",
            headers=notifier.client.headers,
        ) as client,
    ):
        every = (await client.get("/v1/destinations")).json()["items"]
        shown = (await client.get("/v1/destinations/place")).json()
        assert [each["id"] for each in every] == ["buyers", "place"]
        assert {shown[kind][name] for name in case.secrets} == {"unreadable"}
        for name in case.secrets:
            others = {each: value for each, value in whole.items() if each != name}
            assert await put(client, kind, others) == (422, [f"{kind}.{name}"])
        assert (await put(client, kind, whole))[0] == 200
        mended = (await client.get("/v1/destinations/place")).json()
        assert "unreadable" not in mended[kind].values()
