"""The demonstration against a pretended Lowtide: what it sets up, posts, and picks up again."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import jwt
import pytest
from pydantic import SecretStr

from deploy.local.demonstration.assortment import ARTICLES
from deploy.local.demonstration.running import Demonstration, run_name
from deploy.local.demonstration.set_up import GROUP, RULES, destinations, mappings
from deploy.local.demonstration.settings import DemonstrationSettings
from deploy.local.replays.lowtide import Lowtide
from shared.clock import WallClock
from shared.http.tokens import ensure_keys


class PretendedLowtide:
    """Answers everything; `levels` are what the ledger says, `calls` what was asked."""

    def __init__(self, levels: list[dict[str, object]], enough: Callable[[], None]) -> None:
        self.levels = levels
        self.calls: list[tuple[str, str, object]] = []
        self.events: list[tuple[str, list[dict[str, object]]]] = []
        self._enough = enough

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"null")
        self.calls.append((request.method, request.url.path, body))
        if request.url.path == "/v1/levels/query":
            return httpx.Response(200, json={"items": self.levels, "next_cursor": None})
        if request.url.path == "/v1/events":
            token = request.headers["authorization"].removeprefix("Bearer ")
            claims = jwt.decode(token, options={"verify_signature": False})
            self.events.append((claims["channel"], body))
            if len(self.events) >= 6:
                self._enough()
            answer = {"accepted": len(body), "quarantined": 0, "ignored": 0, "rejected": []}
            return httpx.Response(202, json=answer)
        return httpx.Response(200, json={})


@pytest.fixture
def settings(tmp_path: Path) -> DemonstrationSettings:
    ensure_keys(tmp_path / "token-key.pem", tmp_path / "jwks.json")
    return DemonstrationSettings(
        _env_file=None, jwks_file=tmp_path / "jwks.json", service_token=SecretStr("own")
    )


async def run_a_while(
    settings: DemonstrationSettings,
    levels: list[dict[str, object]],
    monkeypatch: pytest.MonkeyPatch,
) -> PretendedLowtide:
    stop = asyncio.Event()
    pretended = PretendedLowtide(levels, stop.set)
    monkeypatch.setattr(
        "deploy.local.demonstration.running.Lowtide",
        lambda urls, token: Lowtide(urls, token, transport=httpx.MockTransport(pretended)),
    )
    async with asyncio.timeout(60):
        await Demonstration(settings, WallClock()).run(stop)
    return pretended


async def test_a_fresh_company_is_set_up_counted_and_opened(
    settings: DemonstrationSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = await run_a_while(settings, [], monkeypatch)
    put = [path for method, path, _ in pretended.calls if method == "PUT"]
    assert {f"/v1/rules/{rule}" for rule in RULES} <= set(put)
    assert f"/v1/routes/{GROUP}" in put
    counted = [
        event
        for _, events in pretended.events
        for event in events
        if str(event["id"]).startswith("OPENING-")
    ]
    assert len({event["id"] for event in counted}) == 120
    assert any(event["type"] == "sale" for _, events in pretended.events for event in events)


async def test_each_channel_posts_with_a_token_of_its_own(
    settings: DemonstrationSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = await run_a_while(settings, [], monkeypatch)
    for channel, events in pretended.events:
        assert {event.get("channel", channel) for event in events} == {channel}


async def test_a_restart_goes_on_from_what_lowtide_knows(
    settings: DemonstrationSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[dict[str, object]] = [
        {"sku": article.sku, "warehouse": warehouse, "on_hand": 77}
        for article in ARTICLES
        for warehouse in ("hangzhou", "shanghai-store")
    ]
    pretended = await run_a_while(settings, levels, monkeypatch)
    ids = [str(event["id"]) for _, events in pretended.events for event in events]
    assert not [one for one in ids if one.startswith("OPENING-")]


def test_a_real_key_sends_to_the_real_group(settings: DemonstrationSettings) -> None:
    stand_in = destinations(settings)[GROUP]["wecom_bot"]
    real = destinations(settings.model_copy(update={"wecom_key": SecretStr("real")}))[GROUP]
    assert isinstance(stand_in, dict)
    assert stand_in["url"] == settings.standin_url
    assert real["wecom_bot"] == {"key": "real"}


def test_only_the_marketplace_needs_its_items_mapped() -> None:
    assert {item["kind"] for item in mappings("marketplace", ARTICLES)} == {"sku", "warehouse"}
    assert mappings("web", ARTICLES) == []
    assert [item["external"] for item in mappings("pos", ARTICLES)] == ["STORE-021"]


def test_runs_are_named_after_their_start_in_local_time() -> None:
    assert run_name(datetime(2026, 3, 2, 20, 15, 1, 234_000, tzinfo=UTC)) == "2603030415012"
