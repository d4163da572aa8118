import base64

import pytest

from services.ingest.api.paging import page, position_of
from shared.http.pages import encode_cursor
from shared.http.problems import Problem

DEEP = base64.urlsafe_b64encode(b"[" * 1_400).decode()
HALF = base64.urlsafe_b64encode(b'["\\ud800"]').decode()
"""Half a surrogate pair: no database holds it."""


def test_a_cursor_leads_back_to_its_position() -> None:
    assert position_of(encode_cursor("sku", "仓 é|/"), parts=2) == ("sku", "仓 é|/")
    assert position_of(None, parts=2) == ("", "")


@pytest.mark.parametrize(
    "cursor", ["x", "é", "e30", encode_cursor("a", "b"), encode_cursor("\x00"), "WzFd", DEEP, HALF]
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
