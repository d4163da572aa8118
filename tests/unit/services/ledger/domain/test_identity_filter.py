"""A filter never misses an identity it was given, however many periods it stands for."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain.identity_filter import (
    FEWEST_BITS_PER_IDENTITY,
    LARGEST_BYTES,
    PIECE_BYTES,
    IdentityFilter,
)

identities = st.sets(st.binary(min_size=16, max_size=16), max_size=40).map(list)


def filled(given_: list[bytes], expected: int) -> IdentityFilter:
    made = IdentityFilter.for_number(expected)
    assert made is not None
    made.add(b"".join(given_))
    return made


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(identities, st.integers(1, 3_000)), min_size=1, max_size=4), identities)
def test_filters_of_several_sizes_become_one_that_knows_all_of_them(
    periods: list[tuple[list[bytes], int]], others: list[bytes]
) -> None:
    filters = [filled(known, expected) for known, expected in periods]
    united = IdentityFilter(max(len(each.bits) for each in filters))
    for each in filters:
        united.unite(bytes(each.bits), 0, len(each.bits))
    for known, _ in periods:
        assert united.among(known) == known
    for each, (known, _) in zip(filters, periods, strict=True):
        assert each.among(known) == known
        passed = each.among(others)
        assert {*passed} <= {*united.among(others)}


def test_a_filter_that_is_read_in_pieces_is_the_same() -> None:
    chance = random.Random(7)  # noqa: S311 - as many bits as identities, not secrets
    known = [chance.randbytes(16) for _ in range(2_000)]
    large, small = IdentityFilter(4 * PIECE_BYTES), filled(known[:1_000], 1_000)
    large.add(b"".join(known[1_000:]))
    united = IdentityFilter(4 * PIECE_BYTES)
    for start in range(0, len(large.bits), PIECE_BYTES):
        united.unite(bytes(large.bits[start : start + PIECE_BYTES]), start, len(large.bits))
    assert united.bits == large.bits
    united.unite(bytes(small.bits), 0, len(small.bits))
    assert united.among(known) == known


def test_of_four_full_periods_one_unknown_identity_in_a_hundred_passes_at_the_most() -> None:
    chance = random.Random(7)  # noqa: S311 - as above
    united = IdentityFilter(len(filled([], 10_000).bits))
    for _ in range(4):
        one = filled([chance.randbytes(16) for _ in range(10_000)], 10_000)
        united.unite(bytes(one.bits), 0, len(one.bits))
    others = [chance.randbytes(16) for _ in range(20_000)]
    assert len(united.among(others)) < 200


def test_a_period_with_too_many_identities_has_no_filter() -> None:
    most = LARGEST_BYTES * 8 // FEWEST_BITS_PER_IDENTITY
    assert IdentityFilter.for_number(most + 1) is None
