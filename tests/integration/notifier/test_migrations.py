"""Migrations on the data of the version before."""

import hashlib
import json
from uuid import uuid4

import pytest
from pydantic import SecretStr

from services.notifier.store.secrets import Vault
from shared.database import migrations
from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import KEY, PASSWORD, Notifier, Row

pytestmark = pytest.mark.stack


async def back_to(notifier: Notifier, revision: str) -> None:
    """Make the schema anew as it was at a revision, empty."""
    tables = await notifier.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'notifier'")
    for table in tables:
        await notifier.rows(f"DROP TABLE {table['tablename']} CASCADE")
    await migrations.upgrade(notifier.database.url("notifier"), "notifier", revision)


async def forward(notifier: Notifier) -> None:
    await migrations.upgrade(notifier.database.url("notifier"), "notifier")


async def test_secrets_stay_sealed_and_a_bot_keeps_its_minute(notifier: Notifier) -> None:
    vault = Vault(notifier.settings.secret_key)
    lane = f"wecom:{hashlib.sha256(KEY.encode()).hexdigest()[:32]}"
    await back_to(notifier, "0001")
    mail: Row = {"to": ["b@example.com"], "sender": "l@example.com", "host": "127.0.0.1", "port": 1}
    mail |= {"username": None, "starttls": False}
    signed_in = mail | {"username": "l", "starttls": True}
    for id_, kind, settings, secret, its_lane in (
        ("buyers", "wecom_bot", {"url": notifier.wecom_url}, KEY, lane),
        ("post", "email", signed_in, PASSWORD, "email:post"),
        ("open-relay", "email", mail, None, "email:open-relay"),
    ):
        await notifier.rows(
            """INSERT INTO destination (id, kind, name, language, timezone, settings, secret, lane)
               VALUES ($1, $2, $1, 'en', 'UTC', CAST($3 AS jsonb), $4, $5)""",
            id_,
            kind,
            json.dumps(settings),
            None if secret is None else vault.seal(SecretStr(secret)),
            its_lane,
        )
    await notifier.rows(
        """INSERT INTO delivery (kind, destination, state, priority, content, recorded_at)
           VALUES ('test', 'buyers', 'sent', 0, '{}', now())"""
    )
    await notifier.rows(
        """INSERT INTO attempt (id, delivery, lane, kind, number, marked, rendered, started_at)
           SELECT CAST($1 AS uuid), id, $2, 'test', 1, false, '', now() FROM delivery""",
        uuid4(),
        lane,
    )
    await forward(notifier)
    (attempt,) = await notifier.rows("SELECT lane FROM attempt")
    (bot,) = await notifier.rows("SELECT lane FROM destination WHERE id = 'buyers'")
    assert attempt["lane"] == bot["lane"] == lane.replace("wecom:", "wecom_bot:")
    items = (await notifier.client.get("/v1/destinations")).json()["items"]
    shown = {item["id"]: item[item["kind"]] for item in items}
    assert shown["buyers"] == {"key": f"****{KEY[-4:]}", "url": notifier.wecom_url}
    assert shown["post"]["password"] == "****"
    assert "password" not in shown["open-relay"]
    assert [shown[id_]["tls"] for id_ in ("post", "open-relay")] == ["starttls", "none"]
    await notifier.bot(enabled=True)  # put again, it is the same lane and no second one
    (again,) = await notifier.rows("SELECT lane FROM destination WHERE id = 'buyers'")
    assert again == bot
    async with notifier.sending():
        await notifier.tell(stock_alert(1))
        await notifier.until_states("sent", kind="first", destination="buyers")
    assert len(notifier.wecom.of(KEY)) == 1
