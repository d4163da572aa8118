"""Groups of warehouses in the form: what others change meanwhile stays."""

from nicegui import Client, ui

from services.console.pages.warehouse_groups import WarehouseGroups
from services.console.upstream.directory import Names
from tests.unit.services.console.pages.company import Company, Hand, Viewer


class Desk(Hand):
    """The panel, as it was opened in the morning, and two groups."""

    def __init__(self) -> None:
        self.company = Company()
        self.company.warehouse_groups = {
            "east": {"name": "East", "warehouses": ["hangzhou", "ningbo"]},
            "north": {"name": "North", "warehouses": ["harbin"]},
        }
        with Client(ui.page("/people"), request=None):
            self.panel = WarehouseGroups(Viewer(self.company), lambda: None)
        super().__init__(self.company.gate, self.panel)

    async def look(self) -> "Desk":
        self.panel.call(Names({one: one for one in ("hangzhou", "ningbo", "shanghai", "suzhou")}))
        await self.panel.ask()
        return self

    @property
    def east(self) -> dict[str, object]:
        return self.company.warehouse_groups["east"]


async def test_warehouses_that_a_colleague_adds_stay() -> None:
    desk = await Desk().look()
    await desk.press("edit:east")
    desk.east["warehouses"] = ["hangzhou", "ningbo", "shanghai"]
    await desk.press("warehouse:suzhou")
    await desk.press("warehouse:hangzhou")
    await desk.press("save")
    assert desk.failure == ""
    assert desk.east["warehouses"] == ["ningbo", "shanghai", "suzhou"]


async def test_a_group_is_shown_as_it_is_when_its_form_opens() -> None:
    desk = await Desk().look()
    desk.east.update({"name": "East coast", "warehouses": ["suzhou"]})
    await desk.press("edit:east")
    assert desk.holds("name") == "East coast"
    assert desk.shown.count('aria-pressed="true"') == 1


async def test_a_name_that_both_change_is_saved_once_it_has_been_said() -> None:
    desk = await Desk().look()
    await desk.press("edit:east")
    desk.east.update({"name": "East coast", "warehouses": ["suzhou"]})
    desk.type(name="The east")
    await desk.press("save")
    assert desk.east["name"] == "East coast"
    assert "somebody else has changed this group" in desk.failure
    assert desk.shown.count('aria-pressed="true"') == 1
    await desk.press("save")
    assert desk.east == {"name": "The east", "warehouses": ["suzhou"]}


async def test_a_group_that_was_deleted_is_made_anew_only_after_that_was_said() -> None:
    desk = await Desk().look()
    await desk.press("edit:east")
    del desk.company.warehouse_groups["east"]
    desk.type(name="The east")
    await desk.press("save")
    assert "east" not in desk.company.warehouse_groups
    assert "somebody else has deleted this group" in desk.failure
    await desk.press("save")
    assert desk.east["name"] == "The east"


async def test_while_a_group_is_saved_nothing_else_is_done() -> None:
    desk = await Desk().look()
    await desk.press("edit:east")
    async with desk.waiting("save"):
        await desk.press("edit:north")
        await desk.press("warehouse:suzhou")
        assert desk.shown.count(" disabled") == desk.shown.count("<button")
    assert desk.east["warehouses"] == ["hangzhou", "ningbo"]
    assert desk.holds("name") is None


async def test_two_presses_that_were_made_at_once_delete_no_group() -> None:
    desk = await Desk().look()
    await desk.press("edit:east")
    delete = desk.act_of("Delete")
    await desk.press(delete)
    await desk.press(delete)
    assert list(desk.company.warehouse_groups) == ["east", "north"]
    await desk.press(desk.act_of("Really delete"))
    assert list(desk.company.warehouse_groups) == ["north"]


async def test_a_group_that_was_saved_without_an_answer_is_not_said_to_be_taken() -> None:
    desk = await Desk().look()
    await desk.press("add")
    desk.type(id="south", name="South")
    for one in ("suzhou", "hangzhou"):
        await desk.press(f"warehouse:{one}")
    desk.company.loses_answers = True
    await desk.press("save")
    south = desk.company.warehouse_groups["south"]
    assert south["warehouses"] == ["suzhou", "hangzhou"]
    south["warehouses"] = ["hangzhou", "suzhou"]  # as alerting keeps them
    desk.company.loses_answers = False
    await desk.press("save")
    assert (desk.failure, desk.holds("name")) == ("", None)
