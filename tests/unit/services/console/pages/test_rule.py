"""A rule that two people change at once: nobody's version is lost unseen."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

from nicegui import Client, ui
from typing_extensions import override

from services.alerting.domain.definition import RuleDefinition
from services.console.domain.board import Section
from services.console.domain.language import Language
from services.console.domain.sign_in import Session
from services.console.domain.texts import Words
from services.console.pages.context import Context
from services.console.pages.frame import Frame
from services.console.pages.rule import RulePage
from services.console.pages.rules import RulesPage
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
    async def all(self) -> list[Rule]:
        return self.kept[-1:]

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

    @override
    async def roll_back(self, rule_id: str, version: int) -> Rule:
        return await self.put(rule_id, self.kept[version - 1].definition)

    @property
    def limit(self) -> float:
        """The limit that is in force."""
        return float(self.kept[-1].definition["levels"][0]["enter"])


class Viewer(Frame):
    """Somebody in front of no page."""

    def __init__(self, rules: Rules) -> None:
        self.address = "/"
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

    @override
    def headline(self, title: str, lead: str) -> None:
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
    await mine.page._act("switch:1")
    assert "has saved version 2 meanwhile" in mine.failure()
    assert mine.in_force() == (THEIRS, True)
    await mine.page._act("save:1")
    assert "has saved version 2 meanwhile" in mine.failure()
    assert mine.in_force() == (THEIRS, True)
    await mine.page._act("save:1")  # the second click of a double one: nobody has read that
    assert "has saved version 2 meanwhile" in mine.failure()
    assert mine.in_force() == (THEIRS, True)
    await mine.page._act("save:2")
    assert (mine.failure(), mine.rules.limit) == ("", MINE)


async def test_where_nothing_was_typed_a_switch_shows_what_somebody_else_has_saved() -> None:
    mine = await Open().overtaken()
    await mine.page._act("switch:1")
    assert mine.failure() == ""
    assert mine.in_force() == (THEIRS, False)
    await mine.page._act("save:3")
    assert mine.in_force() == (THEIRS, False)


async def test_a_switch_of_what_the_form_was_filled_from_keeps_what_was_typed() -> None:
    mine = Open()
    await mine.rules.put("low", rule_of(10))
    await mine.page._read()
    mine.page._type("level.watch.enter", str(MINE))
    await mine.page._act("switch:1")
    assert mine.in_force() == (10, False)
    await mine.page._act("save:2")
    assert mine.in_force() == (MINE, False)


async def test_nobody_goes_back_behind_what_they_have_not_seen() -> None:
    mine = Open()
    await mine.rules.put("low", rule_of(10))
    await mine.rules.put("low", rule_of(20))
    await mine.page._read()
    await mine.rules.put("low", rule_of(THEIRS))
    await mine.page._act("back:2:1")
    assert "has saved version 3 meanwhile" in mine.failure()
    assert mine.in_force() == (THEIRS, True)
    assert mine.page._values["level.watch.enter"] == str(THEIRS)
    await mine.page._act("back:2:1")
    assert mine.in_force() == (THEIRS, True)
    await mine.page._act("back:3:1")
    assert (mine.failure(), mine.rules.limit) == ("", 10)


async def test_what_is_typed_is_dropped_only_by_who_was_told_so() -> None:
    mine = await Open().overtaken()
    mine.page._type("level.watch.enter", str(MINE))
    for pressed in ("discard", "discard"):
        await mine.page._act(pressed)
        assert mine.page._touched
    await mine.page._act("sure:discard")
    assert not mine.page._touched


async def test_a_switch_says_which_way_and_stays_as_it_was_put() -> None:
    rules = Versions()
    await rules.put("low", rule_of(10))
    with Client(ui.page("/rules"), request=None):
        page = RulesPage(Viewer(rules))
    page._rules = Section(await rules.all())
    await page._act("switch:off:low")
    assert [each.enabled for each in page._rules.value or ()] == [False]
    await page._act("switch:off:low")  # somebody else who saw it on
    assert (rules.kept[-1].enabled, len(rules.kept)) == (False, 2)
    await page._act("switch:on:low")
    assert rules.kept[-1].enabled
