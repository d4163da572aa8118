"""Rules, people and responsibilities of an alerting that forgets everything at the end.

Rules are checked by alerting's own definition, so that what is wrong reads as it does there.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from services.alerting.api.rule_bodies import text_of
from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.playbook import PlaybookDefinition
from shared.http.problems import field_errors
from tests.browser.fake_moment import NOW

Body = dict[str, Any]


def _rule(number: int, name: tuple[str, str], kind: str, **parts: object) -> Body:
    definition = RuleDefinition.model_validate(
        {"name": {"zh-CN": name[0], "en": name[1]}, "kind": kind} | parts
    )
    return _told(f"rule-{number}", 1, definition)


def _told(rule_id: str, version: int, definition: RuleDefinition) -> Body:
    return definition.model_dump(mode="json") | {
        "id": rule_id,
        "version": version,
        "changed_by": "lin" if version % 2 else "console",
        "changed_at": (NOW - timedelta(hours=50 - version)).isoformat(),
        "cel": text_of(definition.condition),
        "clear_cel": text_of(definition.clear_condition),
    }


def _playbook(playbook_id: str, name: tuple[str, str], **parts: object) -> Body:
    definition = PlaybookDefinition.model_validate(
        {"name": {"zh-CN": name[0], "en": name[1]}, "steps": [STEP]} | parts
    )
    return definition.model_dump(mode="json") | {"id": playbook_id, "version": 1}


STEP = {"expects": "acknowledge", "within_minutes": 30}
PLAYBOOKS = [
    _playbook("calm", ("慢慢来", "Take your time"), default_for=["watch", "urgent"]),
    _playbook("old", ("老办法", "The old way"), enabled=False),
    _playbook("quick", ("马上处理", "At once")),
]


class FakeConfiguration:
    """What alerting keeps beside alerts."""

    def __init__(self, there: Callable[[str], None]) -> None:
        self._there = there
        made = [
            _rule(1, ("断货", "Out of stock"), "stock_out", recovery_seconds=600),
            _rule(
                2,
                ("爆款快卖完", "Bestsellers running low"),
                "days_of_cover",
                levels=[
                    {"level": "watch", "enter": 7, "exit": 9},
                    {"level": "urgent", "enter": 3, "exit": 4},
                ],
                scope={"warehouses": ["hangzhou"], "categories": ["饮料", "粮油"], "tags": ["hot"]},
                filters={"min_daily_sales": 2, "covered_by_inbound": True},
                pending_seconds=900,
            ),
            _rule(
                3,
                ("低于补货点", "Below the reorder point"),
                "below_reorder_point",
                scope={"skus": [f"SKU-{number}" for number in range(1001, 1006)]},
            ),
            _rule(
                4,
                ("A 类卖得快且不够", "Class A, selling fast, too few"),
                "custom",
                levels=[{"level": "urgent"}],
                condition='available < reorder_point && trend_7d > 1.2 && stock_class == "AX"',
                labels={"team": "kitchen"},
            ),
            _rule(5, ("积压", "Overstock"), "overstock", levels=[{"level": "watch", "enter": 120}])
            | {"enabled": False},
        ]
        self.rules: dict[str, list[Body]] = {one["id"]: [one] for one in made}
        self.people: dict[str, Body] = {
            one: {
                "name": name,
                "language": language,
                "email": f"{one}@shop.example",
                "wecom_userid": one if language != "en" else None,
                "dingtalk_userid": None,
                "feishu_open_id": None,
                "slack_user_id": "U012AB3CD" if language == "en" else None,
                "away_until": away,
            }
            for one, name, language, away in (
                ("anna", "Anna Berg", "en", None),
                ("li", "李雷", "zh-CN", (NOW + timedelta(days=4)).isoformat()),
                ("lin", "林晓", "zh-CN", None),
            )
        }
        self.table: list[Body] = [
            _row("饮料", "hangzhou", "lin", "li"),
            _row("饮料", None, "lin", None),
            _row(None, "shanghai-store", "anna", "lin"),
            _row(None, None, "lin", "anna") | {"warehouse_group": "east"},
            _row(None, None, None, None, "li"),
        ]
        self.groups: dict[str, Body] = {"east": {"name": "华东门店", "warehouses": ["hangzhou"]}}
        self.without_supplier: list[Body] = []
        self.held_up = asyncio.Lock()
        """Nothing is put, and nobody is told who there is, while a test holds it."""
        self.router = APIRouter()
        self._rules()
        self._people()
        self._groups()

    def _rules(self) -> None:  # noqa: C901 - one small route after the other
        router = self.router

        @router.get("/v1/rules")
        def rules() -> Body:
            self._there("alerting")
            return {"items": [versions[-1] for versions in self.rules.values()]}

        @router.get("/v1/rules/export")
        def export() -> Response:
            self._there("alerting")
            return Response("rules: []\n", media_type="application/yaml")

        @router.post("/v1/rules/import")
        async def take() -> Body:
            self._there("alerting")
            async with self.held_up:
                return {"created": ["new"], "changed": [], "unchanged": list(self.rules)}

        @router.get("/v1/rules/{rule_id}")
        def rule(rule_id: str) -> Body:
            self._there("alerting")
            return self._versions(rule_id)[-1]

        @router.get("/v1/rules/{rule_id}/versions")
        def versions(rule_id: str) -> Body:
            self._there("alerting")
            return {"items": self._versions(rule_id)[::-1]}

        @router.post("/v1/rules/validate")
        async def validate(request: Request) -> Body:
            self._there("alerting")
            try:
                rule = RuleDefinition.model_validate(await request.json())
            except ValidationError as error:
                return {"valid": False, "errors": field_errors(error.errors())}
            texts = {name: told for name, told in _told("", 0, rule).items() if "cel" in name}
            return {"valid": True, "rule": rule.model_dump(mode="json")} | texts

        @router.put("/v1/rules/{rule_id}")
        async def put(rule_id: str, request: Request) -> Body:
            self._there("alerting")
            definition = RuleDefinition.model_validate(await request.json())
            async with self.held_up:
                pass
            versions = self.rules.setdefault(rule_id, [])
            versions.append(_told(rule_id, len(versions) + 1, definition))
            return versions[-1]

        @router.post("/v1/rules/{rule_id}/rollback")
        async def roll_back(rule_id: str, request: Request) -> Body:
            self._there("alerting")
            versions = self._versions(rule_id)
            former = versions[(await request.json())["version"] - 1]
            versions.append(former | {"version": len(versions) + 1})
            return versions[-1]

        @router.get("/v1/playbooks")
        def playbooks() -> Body:
            self._there("alerting")
            self._there("alerting's playbooks")
            return {"items": PLAYBOOKS}

        @router.get("/v1/working-calendars")
        def calendars() -> Body:
            self._there("alerting")
            return {"items": [{"id": "office"}]}

    def _versions(self, rule_id: str) -> list[Body]:
        if rule_id not in self.rules:
            raise HTTPException(404)
        return self.rules[rule_id]

    def _people(self) -> None:
        router = self.router

        @router.get("/v1/people")
        async def people() -> Body:
            self._there("alerting")
            self._there("alerting's people")
            async with self.held_up:
                pass
            return {"items": [{"id": one} | body for one, body in sorted(self.people.items())]}

        @router.get("/v1/people/{person_id}")
        def person(person_id: str) -> Body:
            self._there("alerting")
            if person_id not in self.people:
                raise HTTPException(404)
            return {"id": person_id} | self.people[person_id]

        @router.put("/v1/people/{person_id}")
        async def put(person_id: str, request: Request) -> Body:
            self._there("alerting")
            self.people[person_id] = await request.json()
            return {"id": person_id} | self.people[person_id]

        @router.delete("/v1/people/{person_id}")
        def delete(person_id: str) -> Response:
            self._there("alerting")
            places = ["open alerts", "open alerts that follow calm", "playbook quick"]
            places += ["rotation duty", "rule rule-2", "the approval limits"]
            return _named("still_responsible", [*places, "the table of responsibilities"])

        @router.get("/v1/parameters/unknown/summary")
        def count_unknown() -> dict[str, int]:
            self._there("alerting")
            return {"stock_class": 0, "supplier": len(self.without_supplier)}

        @router.get("/v1/parameters/unknown")
        def unknown() -> Body:
            self._there("alerting")
            return {"items": self.without_supplier, "next_cursor": None}

        @router.get("/v1/responsibilities")
        def table() -> Body:
            self._there("alerting")
            self._there("alerting's table")
            return {"items": self.table}

        @router.put("/v1/responsibilities")
        async def put_table(request: Request) -> Body:
            self._there("alerting")
            self.table = (await request.json())["items"]
            return {"items": self.table}

    def _groups(self) -> None:
        router = self.router

        @router.get("/v1/warehouse-groups")
        def groups() -> Body:
            self._there("alerting")
            return {"items": [{"id": one} | body for one, body in sorted(self.groups.items())]}

        @router.get("/v1/warehouse-groups/{group_id}")
        def group(group_id: str) -> Body:
            self._there("alerting")
            if group_id not in self.groups:
                raise HTTPException(404)
            return {"id": group_id} | self.groups[group_id]

        @router.put("/v1/warehouse-groups/{group_id}")
        async def put_group(group_id: str, request: Request) -> Body:
            self._there("alerting")
            self.groups[group_id] = await request.json()
            return {"id": group_id} | self.groups[group_id]

        @router.delete("/v1/warehouse-groups/{group_id}")
        def delete_group(group_id: str) -> Response:
            self._there("alerting")
            if any(row["warehouse_group"] == group_id for row in self.table):
                return _named("in_use", ["row 3 of the table of responsibilities"])
            del self.groups[group_id]
            return Response(status_code=204)


def _named(code: str, places: list[str]) -> Response:
    refusal = {"type": f"urn:lowtide:{code}", "detail": "It is in use.", "used_by": places}
    return JSONResponse(refusal, 409, media_type="application/problem+json")


def _row(
    category: str | None,
    warehouse: str | None,
    owner: str | None,
    deputy: str | None,
    manager: str | None = None,
) -> Body:
    return {
        "category": category,
        "supplier": None,
        "warehouse": warehouse,
        "warehouse_group": None,
        "owner": owner,
        "deputy": deputy,
        "manager": manager,
    }
