"""A position survives its way to a client and back; whatever else comes back is refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.position import Position

PARTITIONS = 24
HERE = Position(tuple(range(PARTITIONS)), 1_770_000_000_000)

numbers = st.integers(0, 2**63 - 1) | st.integers(0, 300)
positions = st.builds(
    Position, st.lists(numbers, min_size=1, max_size=40).map(tuple), time_ms=numbers
)


@given(positions)
def test_a_position_comes_back_as_it_was_given_out(position: Position) -> None:
    text = position.encode()
    assert Position.decode(text, len(position.offsets)) == position
    assert text.replace("-", "").replace("_", "").isalnum()
    assert text.isascii()


def test_a_day_of_a_busy_shop_fits_a_short_text() -> None:
    assert len(Position((2_000_000,) * PARTITIONS, HERE.time_ms).encode()) <= 110


def packed(*parts: int) -> str:
    return base64.urlsafe_b64encode(bytes(parts)).decode().rstrip("=")


BAD = {
    "nothing": "",
    "no base64url": "a+b/",
    "a character too many": HERE.encode() + "A",
    "padding": HERE.encode() + "=",
    "white space": " " + HERE.encode(),
    "not ASCII": "é" * 8,
    "half a surrogate pair": "\ud800",
    "no partition": Position((), 1).encode(),
    "too many partitions": Position((1,) * 25, 1).encode(),
    "another form": packed(2, *(0 for _ in range(PARTITIONS + 1))),
    "a number that does not end": packed(1, *(0 for _ in range(PARTITIONS)), 0x80),
    "a number written longer than it need be": packed(1, *(0 for _ in range(PARTITIONS)), 0x80, 0),
    "a number no log has": Position((2**63,) * PARTITIONS, 1).encode(),
    "very long": "_" * 1_000_000,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_text_that_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Position.decode(text, PARTITIONS)


@given(st.text() | st.binary(max_size=60).map(lambda some: packed(*some)))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        position = Position.decode(text, 3)
    except ValueError:
        return
    assert len(position.offsets) == 3
    shorter = [position._replace(offsets=position.offsets[:given]) for given in (1, 2, 3)]
    assert text in [each.encode() for each in shorter]


def test_a_position_from_before_the_topic_grew_is_at_the_beginning_of_what_is_new() -> None:
    more = Position.decode(HERE.encode(), 2 * PARTITIONS)
    assert more == HERE._replace(offsets=HERE.offsets + (0,) * PARTITIONS)


def test_a_position_reaches_another_only_when_it_does_in_every_partition() -> None:
    assert Position((2, 2), 0).reaches(Position((2, 1), 9))
    assert not Position((3, 1), 0).reaches(Position((2, 2), 0))
