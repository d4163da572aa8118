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
from deploy.local.demonstration.set_up import GROUP, RULES, destinations, mappings, set_up
from deploy.local.demonstration.settings import DemonstrationSettings
from deploy.local.replays.lowtide import Lowtide
from shared.clock import WallClock
from shared.http.tokens import ensure_keys


class PretendedLowtide:
    """Keeps what is put; `levels` are what the ledger says, `calls` what was asked."""

    def __init__(self, levels: list[dict[str, object]], enough: Callable[[], None]) -> None:
        self.levels = levels
        self.calls: list[tuple[str, str, object]] = []
        self.events: list[tuple[str, list[dict[str, object]]]] = []
        self.company = PretendedCompany()
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
        return self.company(request)


class PretendedCompany:
    """What the services keep of a company, by path; `changes` are what has been changed."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, object]] = {}
        self.tables: dict[str, list[dict[str, object]]] = {}
        self.policy: dict[str, object] = {"version": 0}
        self.changes: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "GET":
            return httpx.Response(200, json=self._answer(path))
        self.changes.append(path)
        body = json.loads(request.content)
        if path == "/v1/attention-policy":
            self.policy = {**body, "version": 1}
        elif "items" in body:
            self.tables[path] = self.tables.get(path, []) + body["items"]
        else:
            self.kept[path] = body
        return httpx.Response(200, json={})

    def _answer(self, path: str) -> dict[str, object]:
        if path == "/v1/attention-policy":
            return self.policy
        items = [*self.tables.get(path, [])]
        for kept, body in self.kept.items():
            parent, _, name = kept.rpartition("/")
            if parent == path:
                items.append({"id": name, **_masked(body)})
        return {"items": items, "next_cursor": None}


def _masked(body: dict[str, object]) -> dict[str, object]:
    bot = body.get("wecom_bot")
    if not isinstance(bot, dict):
        return body
    return body | {"wecom_bot": {"url": "", **bot, "key": f"••••{bot['key'][-4:]}"}}


async def set_up_again(company: PretendedCompany, settings: DemonstrationSettings) -> list[str]:
    company.changes.clear()
    urls = {name: f"http://{name}" for name in ("ingest", "alerting", "notifier")}
    async with Lowtide(urls, "own", transport=httpx.MockTransport(company)) as lowtide:
        await set_up(lowtide, settings)
    return company.changes


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


async def test_a_second_start_changes_nothing(settings: DemonstrationSettings) -> None:
    company = PretendedCompany()
    assert await set_up_again(company, settings)
    assert await set_up_again(company, settings) == []


async def test_a_restart_leaves_what_the_operator_has_made_of_it(
    settings: DemonstrationSettings,
) -> None:
    company = PretendedCompany()
    await set_up_again(company, settings)
    company.kept["/v1/rules/hero-soon"]["enabled"] = False
    company.kept["/v1/people/buyer"]["name"] = "采购 小陈"
    company.kept[f"/v1/routes/{GROUP}"]["enabled"] = False
    company.tables["/v1/responsibilities"] = [{"owner": "somebody-else"}]
    company.policy = {"enabled": False, "version": 2}
    assert await set_up_again(company, settings) == []


async def test_what_a_killed_start_left_out_is_made_up_for(
    settings: DemonstrationSettings,
) -> None:
    company = PretendedCompany()
    await set_up_again(company, settings)
    del company.kept["/v1/rules/hero-soon"]
    company.tables["/v1/skus"].pop()
    company.tables["/v1/channels/marketplace/mappings"].pop()
    assert await set_up_again(company, settings) == [
        "/v1/skus",
        "/v1/channels/marketplace/mappings",
        "/v1/rules/hero-soon",
    ]
    assert len(company.tables["/v1/skus"]) == len(ARTICLES)


async def test_a_key_that_comes_later_moves_the_group_away_from_the_stand_in(
    settings: DemonstrationSettings,
) -> None:
    company = PretendedCompany()
    await set_up_again(company, settings)
    company.kept[f"/v1/destinations/{GROUP}"]["name"] = "our group"
    real = settings.model_copy(update={"wecom_key": SecretStr("693a91f6-7000-4bc4-97a0-0ec2c0de")})
    assert await set_up_again(company, real) == [f"/v1/destinations/{GROUP}"]
    assert await set_up_again(company, real) == []
    group = company.kept[f"/v1/destinations/{GROUP}"]
    assert group["name"] == "our group"
    assert group["wecom_bot"] == {"key": "693a91f6-7000-4bc4-97a0-0ec2c0de"}
    assert await set_up_again(company, settings) == []


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
