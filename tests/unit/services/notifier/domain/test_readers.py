"""Everybody has a queue of their own: what goes to whom next."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifier.domain.deliveries import Kind
from services.notifier.domain.limits import (
    MINUTE,
    RESERVE,
    Candidate,
    Limit,
    Merge,
    Rest,
    Send,
    Window,
)
from services.notifier.domain.readers import next_step_by_reader

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
MOST = 16
LIMITS = (Limit(MOST, MINUTE),)


def had(**counts: int) -> Callable[[str], Window]:
    """Return everybody's window: so many messages, a second ago."""

    def window(reader: str) -> Window:
        return Window(LIMITS, [NOW - timedelta(seconds=1)] * counts.get(reader, 0))

    return window


def waiting(*readers: str, kind: Kind = Kind.FIRST) -> list[Candidate]:
    """Return what waits; the readers of each are joined by bars."""
    return [
        Candidate(UUID(int=number), kind, readers=tuple(each.split("|")))
        for number, each in enumerate(readers)
    ]


def test_a_message_goes_to_all_of_its_readers_while_they_have_room() -> None:
    one = waiting("lin|boss")
    assert next_step_by_reader(one, had(), NOW) == Send(one[0].id)
    assert next_step_by_reader([], had(), NOW) == Rest(None)


def test_whoever_has_had_enough_holds_up_nobody_else() -> None:
    many = waiting(*["lin"] * 40, "boss")
    assert next_step_by_reader(many, had(lin=MOST), NOW) == Send(many[-1].id)
    shared = waiting("lin|boss")
    assert next_step_by_reader(shared, had(lin=MOST), NOW) == Send(shared[0].id, apart=("lin",))


def test_more_than_fits_for_one_becomes_a_digest_for_that_one() -> None:
    many = waiting(*["lin|boss"] * 17)
    crowded = had(lin=MOST - RESERVE)
    assert next_step_by_reader(many, crowded, NOW) == Send(many[0].id, apart=("lin",))
    alone = waiting(*["lin"] * 17)
    assert next_step_by_reader(alone, crowded, NOW) == Merge(readers=("lin",))
    both = had(lin=MOST - RESERVE, boss=MOST - RESERVE)
    assert next_step_by_reader(many, both, NOW) == Merge(readers=("lin",))


def test_what_is_told_together_goes_to_those_who_have_room() -> None:
    together = [Candidate(UUID(int=1), Kind.FIRST, "S1", ("lin", "boss"))]
    assert next_step_by_reader(together, had(), NOW) == Merge("S1", ("lin", "boss"))
    full = had(boss=MOST)
    assert next_step_by_reader(together, full, NOW) == Merge("S1", ("lin",), ("boss",))


def test_when_all_have_had_enough_it_rests_until_the_first_may_have_more() -> None:
    def window(reader: str) -> Window:
        ago = timedelta(seconds=30 if reader == "lin" else 10)
        return Window(LIMITS, [NOW - ago] * MOST)

    step = next_step_by_reader(waiting("boss", "lin"), window, NOW)
    assert step == Rest(window("lin").opens_at(NOW))


def test_who_rests_by_what_came_before_is_passed_over() -> None:
    two = waiting("lin", "lin|boss")
    assert next_step_by_reader(two, had(), NOW, {"lin"}) == Send(two[1].id, apart=("lin",))


def test_what_may_have_arrived_is_repeated_whole_as_soon_as_all_have_room() -> None:
    one = replace(waiting("lin|boss")[0], whole=True)
    more = [one, *waiting(*["lin"] * 20)]
    assert next_step_by_reader(more, had(), NOW) == Send(one.id)
    # However many wait behind it: it is not merged with them.
    assert next_step_by_reader(more, had(lin=MOST - 1), NOW) == Send(one.id)
    full = next_step_by_reader(more, had(lin=MOST), NOW)
    assert isinstance(full, Rest)
    assert full.until is not None


READERS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True)
KINDS = st.sampled_from([Kind.FIRST, Kind.ESCALATION, Kind.CHANGE, Kind.DIGEST, Kind.META])


@settings(max_examples=300)
@given(
    st.lists(st.tuples(READERS, KINDS), max_size=60),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, MOST)),
)
def test_nobody_gets_more_than_fits_and_nobody_with_room_waits(
    sorts: list[tuple[list[str], Kind]], counts: Mapping[str, int]
) -> None:
    many = [
        Candidate(UUID(int=number), kind, readers=tuple(readers))
        for number, (readers, kind) in enumerate(sorts)
    ]
    step = next_step_by_reader(many, had(**counts), NOW)
    full = {reader for reader in "abc" if counts.get(reader, 0) == MOST}
    match step:
        case Rest():
            assert all(set(each.readers) <= full for each in many)
        case Send(id_, apart):
            (sent,) = (each for each in many if each.id == id_)
            told = set(sent.readers) - set(apart)
            assert told
            assert not told & full
        case Merge(None, readers):
            assert readers
            assert not set(readers) & full
        case _:
            raise AssertionError(step)
