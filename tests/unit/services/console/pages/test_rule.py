"""A rule that two people change at once: nobody's version is lost unseen."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

from nicegui import Client, ui
from typing_extensions import override

from services.alerting.domain.definition import RuleDefinition
from services.console.domain.language import Language
from services.console.domain.sign_in import Session
from services.console.domain.texts import Words
from services.console.pages.context import Context
from services.console.pages.frame import Frame
from services.console.pages.rule import RulePage
from services.console.upstream.rules import Definition, Rule, Rules, Verdict

MINE, THEIRS = 20, 50


class Versions(Rules):
    """One rule with its versions so far, the oldest first."""

    def __init__(self) -> None:
        self.kept: list[Rule] = []

    @override
    async def one(self, rule_id: str) -> Rule | None:
        return self.kept[-1]

    @override
    async def versions(self, rule_id: str) -> list[Rule]:
        return self.kept[::-1]

    @override
    async def validate(self, definition: Definition) -> Verdict:
        return Verdict(valid=True, rule=definition)

    @override
    async def put(self, rule_id: str, definition: Definition) -> Rule:
        said = {
            "id": rule_id,
            "version": len(self.kept) + 1,
            "changed_by": "token-1",
            "changed_at": datetime(2026, 3, 2, tzinfo=UTC),
        }
        self.kept.append(Rule.model_validate(definition | said))
        return self.kept[-1]

    @property
    def limit(self) -> float:
        """The limit that is in force."""
        return float(self.kept[-1].definition["levels"][0]["enter"])


class Viewer(Frame):
    """Somebody in front of no page."""

    def __init__(self, rules: Rules) -> None:
        self.context = cast("Context", SimpleNamespace(rules=rules))
        self.language, self.words = Language.ENGLISH, Words(Language.ENGLISH)
        self.main = ui.element()
        self.session = Session("one", datetime(2026, 3, 2, tzinfo=UTC))

    @override
    def may_act(self) -> bool:
        return True

    @override
    def retitle(self, title: str) -> None:
        pass


def rule_of(limit: float) -> Definition:
    levels = [{"level": "watch", "enter": limit, "exit": limit}]
    rule = RuleDefinition.model_validate({"name": {"en": "Low"}, "kind": "below", "levels": levels})
    return rule.model_dump(mode="json")


class Open:
    """A rule of 10 that I have open, and that somebody else has set to 50 meanwhile."""

    def __init__(self) -> None:
        self.rules = Versions()
        with Client(ui.page("/rules/low"), request=None):
            self.page = RulePage(Viewer(self.rules), "low", saved=False)

    async def overtaken(self) -> "Open":
        await self.rules.put("low", rule_of(10))
        await self.page._read()
        await self.rules.put("low", rule_of(THEIRS))
        return self

    def in_force(self) -> tuple[float, bool]:
        return self.rules.limit, self.rules.kept[-1].enabled

    def failure(self) -> str:
        return self.page._failure


async def test_a_switch_does_not_hide_from_saving_that_somebody_else_was_first() -> None:
    mine = await Open().overtaken()
    mine.page._type("level.watch.enter", str(MINE))
    await mine.page._act("switch")
    assert "has saved version 2 meanwhile" in mine.failure()
    assert mine.in_force() == (THEIRS, True)
    await mine.page._act("save")
    assert "has saved version 2 meanwhile" in mine.failure()
    assert mine.in_force() == (THEIRS, True)
    await mine.page._act("save")
    assert (mine.failure(), mine.rules.limit) == ("", MINE)


async def test_where_nothing_was_typed_a_switch_shows_what_somebody_else_has_saved() -> None:
    mine = await Open().overtaken()
    await mine.page._act("switch")
    assert mine.failure() == ""
    assert mine.in_force() == (THEIRS, False)
    await mine.page._act("save")
    assert mine.in_force() == (THEIRS, False)


async def test_a_switch_of_what_the_form_was_filled_from_keeps_what_was_typed() -> None:
    mine = Open()
    await mine.rules.put("low", rule_of(10))
    await mine.page._read()
    mine.page._type("level.watch.enter", str(MINE))
    await mine.page._act("switch")
    assert mine.in_force() == (10, False)
    await mine.page._act("save")
    assert mine.in_force() == (MINE, False)
