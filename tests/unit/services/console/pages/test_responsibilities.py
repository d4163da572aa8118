"""A row of the table of responsibilities says its warehouse, its group, or that it is for all."""

import re
from collections import defaultdict

import pytest

from services.console.domain.board import Section
from services.console.domain.language import Language
from services.console.domain.people_form import name_of_row, row_values
from services.console.pages import render
from services.console.upstream.directory import Names

GROUPS = {"east": "华东门店"}


def page(row: dict[str, str | None], editing: bool = False) -> str:
    return render.html(
        Language.CHINESE,
        "responsibilities.html",
        section=Section([row]),
        unknown=None,
        found=[(name_of_row(row), row)],
        more=0,
        words="",
        searchable=False,
        people={"lin": "林晓"},
        names=Names({"north": "北仓"}),
        groups=GROUPS,
        values=row_values(row) if editing else None,
        editing=row if editing else None,
        errors=defaultdict(str),
        saving=False,
        sheet=None,
        told=defaultdict(str),
        delete="",
        sure=False,
    )


@pytest.mark.parametrize(
    ("place", "warehouse", "group"),
    [
        ({"warehouse": "north", "warehouse_group": None}, "北仓", "—"),
        ({"warehouse": None, "warehouse_group": "east"}, "—", "华东门店"),
        ({"warehouse": None, "warehouse_group": "west"}, "—", "west"),
        ({"warehouse": None, "warehouse_group": None}, "全部仓库", "—"),
        ({"warehouse": None}, "全部仓库", "—"),
    ],
    ids=["a warehouse", "a group", "one without a name", "all", "of an alerting without groups"],
)
def test_where_a_row_holds(place: dict[str, str | None], warehouse: str, group: str) -> None:
    row = {"category": None, "supplier": None, "owner": "lin", "deputy": None, "manager": None}
    shown = page(row | place)
    cells = dict(re.findall(r'<td [^>]*data-label="([^"]+)">(.*?)</td>', shown))
    said = {label: re.sub("<[^>]+>", "", cell) for label, cell in cells.items()}
    assert (said["仓库"], said["仓库组"]) == (warehouse, group)


@pytest.mark.parametrize("group", ["east", "west"])
def test_the_form_offers_groups_and_keeps_one_that_it_does_not_know(group: str) -> None:
    row = {"category": None, "supplier": None, "warehouse": None, "warehouse_group": group}
    shown = page(row | {"owner": "lin", "deputy": None, "manager": None}, editing=True)
    _, _, choice = shown.partition('name="warehouse_group"')
    options = re.findall(r'<option value="(\w*)" ?(selected)?', choice.partition("</select>")[0])
    assert ("east", "selected" if group == "east" else "") in options
    assert (group, "selected") in options
