"""People in the form: what others change meanwhile is neither lost nor overwritten unseen."""

from nicegui import Client, ui

from services.console.pages.people import PeoplePage
from tests.unit.services.console.pages.company import Company, Hand, Viewer

FRIDAY = "2026-12-04T16:00:00Z"


class Desk(Hand):
    """The page, as it was opened in the morning, and Chen."""

    def __init__(self) -> None:
        self.company = Company()
        self.company.persons = {
            one: {"name": name, "language": "zh-CN", "email": f"{one}@shop.example"}
            for one, name in (("chen", "Chen"), ("li", "Li"))
        }
        with Client(ui.page("/people"), request=None):
            self.page = PeoplePage(Viewer(self.company))
        super().__init__(self.company.gate, self.page)

    async def look(self) -> "Desk":
        await self.page._look()
        return self

    @property
    def chen(self) -> dict[str, object]:
        return self.company.persons["chen"]


async def test_what_somebody_else_changes_in_other_fields_stays() -> None:
    desk = await Desk().look()
    desk.chen["email"] = "chen@new.example"
    await desk.press("edit:chen")
    assert desk.holds("email") == "chen@new.example", "asked for when the form opens"
    desk.chen["away_until"] = FRIDAY
    desk.chen["team"] = "a part that no form shows"
    desk.type(language="en")
    await desk.press("save")
    assert desk.failure == ""
    assert desk.chen["language"] == "en"
    assert desk.chen["away_until"] == FRIDAY.replace("Z", "+00:00")
    assert desk.chen["team"] == "a part that no form shows"


async def test_what_both_change_is_saved_once_it_has_been_said() -> None:
    desk = await Desk().look()
    await desk.press("edit:chen")
    desk.chen.update({"name": "Chan", "email": "chan@shop.example"})
    desk.type(name="Chén")
    await desk.press("save")
    assert desk.chen["name"] == "Chan"
    assert "somebody else has changed this person" in desk.failure
    assert (desk.holds("name"), desk.holds("email")) == ("Chén", "chan@shop.example")
    assert desk.shown.count("Somebody else has changed this too") == 1
    await desk.press("save")
    assert (desk.chen["name"], desk.chen["email"]) == ("Chén", "chan@shop.example")
    assert desk.holds("name") is None


async def test_what_is_changed_to_the_same_is_not_contested() -> None:
    desk = await Desk().look()
    await desk.press("edit:chen")
    desk.chen["away_until"] = FRIDAY
    desk.type(away_until="2026-12-04T16:00:00.000Z", name="Chén")
    await desk.press("save")
    assert (desk.failure, desk.chen["name"]) == ("", "Chén")


async def test_who_was_deleted_is_made_anew_only_after_that_was_said() -> None:
    desk = await Desk().look()
    await desk.press("edit:chen")
    del desk.company.persons["chen"]
    desk.type(language="en")
    await desk.press("save")
    assert "chen" not in desk.company.persons
    assert "somebody else has deleted this person" in desk.failure
    assert (desk.holds("id"), desk.holds("name")) == ("chen", "Chen")
    await desk.press("save")
    assert desk.chen["language"] == "en"


async def test_what_was_typed_before_the_answer_came_is_kept() -> None:
    desk = await Desk().look()
    desk.chen.update({"name": "Chan", "email": "chan@shop.example"})
    async with desk.waiting("edit:chen"):
        desk.type(language="en")
    assert (desk.holds("name"), desk.holds("email")) == ("Chan", "chan@shop.example")
    assert '<option value="en" selected' in desk.shown
    desk.chen["name"] = "Chang"
    async with desk.waiting("edit:chen"):
        desk.type(name="Chén")
    assert desk.holds("name") == "Chén"
    await desk.press("save")
    assert desk.chen["name"] == "Chang", "it was never shown"


async def test_a_button_of_somebody_who_is_gone_opens_no_form() -> None:
    desk = await Desk().look()
    await desk.press("edit:nobody")
    assert desk.holds("name") is None


async def test_while_somebody_is_saved_no_other_form_opens() -> None:
    desk = await Desk().look()
    await desk.press("edit:chen")
    desk.type(name="Chén")
    async with desk.waiting("save"):
        await desk.press("edit:li")
        await desk.press("add")
        desk.type(name="Li Lei")
        assert desk.shown.count(" disabled") == desk.shown.count("<button")
    assert desk.chen["name"] == "Chén"
    assert desk.company.persons["li"]["name"] == "Li"


async def test_two_presses_that_were_made_at_once_delete_nobody() -> None:
    desk = await Desk().look()
    await desk.press("edit:chen")
    delete = desk.act_of("Delete")
    await desk.press(delete)
    await desk.press(delete)
    assert list(desk.company.persons) == ["chen", "li"]
    await desk.press(desk.act_of("Really delete"))
    assert list(desk.company.persons) == ["li"]


async def test_who_was_saved_without_an_answer_is_not_said_to_be_taken() -> None:
    desk = await Desk().look()
    await desk.press("add")
    desk.type(id="anna", name=" Anna ", away_until="2026-12-04T16:00:00.000Z")
    desk.company.loses_answers = True
    await desk.press("save")
    assert "did not work" in desk.failure
    desk.company.loses_answers = False
    await desk.press("save")
    assert desk.holds("name") is None
    await desk.press("add")
    desk.type(id="anna", name="Anna")
    await desk.press("save")
    assert "There is this account already" in desk.shown, "of another, with the same account"


async def test_a_change_whose_answer_was_lost_is_done_when_it_is_made_again() -> None:
    desk = await Desk().look()
    await desk.press("edit:chen")
    desk.type(name="Chén")
    desk.company.loses_answers = True
    await desk.press("save")
    desk.company.loses_answers = False
    await desk.press("save")
    assert (desk.failure, desk.holds("name")) == ("", None)
