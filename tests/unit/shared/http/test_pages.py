import base64
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.pages import (
    after_number,
    after_text,
    before_moment,
    decode_cursor,
    encode_cursor,
    page_of,
    under_number,
)
from shared.http.problems import Problem

storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
places = st.lists(storable | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3)


@given(places)
def test_a_cursor_stands_for_the_place_it_was_made_from(place: list[str | int]) -> None:
    cursor = encode_cursor(*place)
    assert decode_cursor(cursor, *(type(part) for part in place)) == tuple(place)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?#")


def forged(position: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


BAD = {
    "empty": "",
    "no base64": "!!!",
    "a character too many": "A",
    "no JSON": base64.urlsafe_b64encode(b"not json").decode(),
    "no text": base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    "not ASCII": "é",
    "half a surrogate pair in the cursor": "\ud800",
    "no list": forged("A"),
    "too few": forged(["A"]),
    "too many": forged(["A", 1, 2]),
    "another kind": forged([1, "A"]),
    "true for a number": forged(["A", True]),
    "a fraction": forged(["A", 1.0]),
    "null": forged([None, 1]),
    "a number no database holds": forged(["A", 2**63]),
    "a NUL": forged(["A\x00", 1]),
    "half a surrogate pair": forged(["\ud800", 1]),
    "deep": base64.urlsafe_b64encode(b"[" * 100_000).decode(),
}


@pytest.mark.parametrize("cursor", BAD.values(), ids=BAD)
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_cursor(cursor, str, int)
    assert (caught.value.status, caught.value.code) == (422, "bad_cursor")


@given(st.text())
def test_no_text_is_more_than_refused(cursor: str) -> None:
    try:
        decode_cursor(cursor, str, int)
    except Problem as problem:
        assert problem.code == "bad_cursor"  # noqa: PT017 - anything else must escape


@given(st.lists(st.integers(), max_size=5), st.integers(1, 5))
def test_a_full_page_says_where_the_next_one_begins(found: list[int], limit: int) -> None:
    rows = sorted(set(found))[:limit]
    page = page_of(rows, limit, lambda each: [str(each)], str)
    assert page.items == [str(each) for each in rows]
    if len(rows) == limit:
        assert after_text(page.next_cursor) == str(rows[-1])
    else:
        assert page.next_cursor is None


def test_without_a_cursor_a_page_begins_at_the_beginning() -> None:
    assert (after_text(None), after_number(None)) == ("", 0)
    assert (under_number(None), before_moment(None)) == (2**63 - 1, None)


MOMENT, ID = datetime(2026, 3, 1, 12, tzinfo=UTC), UUID(int=1)


def test_a_place_by_moment_is_the_moment_and_the_id() -> None:
    assert before_moment(encode_cursor(MOMENT.isoformat(), str(ID))) == (MOMENT, ID)
    assert under_number(encode_cursor(7)) == after_number(encode_cursor(7)) == 7


NO_MOMENT = {
    "no moment": ("soon", str(ID)),
    "no id": (MOMENT.isoformat(), "1"),
    "a moment before all years": ("0001-01-01T01:00:00+02:00", str(ID)),
}


@pytest.mark.parametrize("place", NO_MOMENT.values(), ids=NO_MOMENT)
def test_a_place_that_is_no_moment_is_refused(place: tuple[str, str]) -> None:
    with pytest.raises(Problem) as caught:
        before_moment(encode_cursor(*place))
    assert caught.value.code == "bad_cursor"
