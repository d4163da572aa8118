import pytest

from services.ingest.api.paging import cursor_of, page, position_of
from shared.http.problems import Problem


def test_a_cursor_leads_back_to_its_position() -> None:
    assert position_of(cursor_of("sku", "仓 é|/"), parts=2) == ("sku", "仓 é|/")
    assert position_of(None, parts=2) == ("", "")


@pytest.mark.parametrize(
    "cursor", ["x", "é", "e30", cursor_of("a", "b"), cursor_of("\x00"), "WzFd"]
)
def test_a_made_up_cursor_is_422(cursor: str) -> None:
    with pytest.raises(Problem) as raised:
        position_of(cursor)
    assert raised.value.status == 422


def test_a_full_page_leads_on_and_the_last_does_not() -> None:
    items = [{"id": 1}, {"id": 2}]
    assert page(items, 3, "id")["next_cursor"] is None
    assert position_of(str(page(items, 2, "id")["next_cursor"])) == ("2",)
    assert page([], 2, "id") == {"items": [], "next_cursor": None}
