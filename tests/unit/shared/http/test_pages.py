import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.pages import decode_cursor, encode_cursor
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
