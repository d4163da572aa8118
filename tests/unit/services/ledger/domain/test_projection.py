from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from services.ledger.domain.commitments import SHOWN, Key, Kind, Line
from services.ledger.domain.projection import Direction, Projection, Undated, project

NOW = datetime(2026, 3, 10, tzinfo=UTC)
LEVEL = 1


def on(day: int) -> datetime:
    return NOW + timedelta(days=day)


LINES = {
    Key(LEVEL, Kind.SUPPLY, "late", "0"): Line(7, 2, due_at=on(-1)),
    Key(LEVEL, Kind.SUPPLY, "soon", "0"): Line(10, 0, due_at=on(5)),
    Key(LEVEL, Kind.SUPPLY, "some day", "0"): Line(3),
    Key(LEVEL, Kind.SUPPLY, "received", "0"): Line(4, 4, due_at=on(1)),
    Key(LEVEL, Kind.TRANSFER, "truck", "north"): Line(2, 0, due_at=on(3)),
    Key(LEVEL, Kind.DEMAND, "order", "0"): Line(9, 0, due_at=on(2)),
    Key(LEVEL, Kind.DEMAND, "plan", "0"): Line(8, 0, due_at=on(5)),
    Key(LEVEL, Kind.CONSUMPTION, "order"): Line(0, 1),
    Key(LEVEL, Kind.ORDER, "reserved"): Line(6, 0),
    Key(2, Kind.DEMAND, "elsewhere", "0"): Line(99, 0, due_at=on(1)),
}


def told(projection: Projection) -> Iterator[tuple[str, int, int, bool]]:
    for each in projection.lines:
        yield each.reference, each.quantity, each.balance, each.overdue


def test_lines_come_by_date_each_with_the_balance_after_it() -> None:
    projection = project(LINES, LEVEL, 2, NOW, None)
    assert list(told(projection)) == [
        ("late", 5, 7, True),
        ("order", 8, -1, False),
        ("truck", 2, 1, False),
        # Of one instant the supply comes first.
        ("soon", 10, 11, False),
        ("plan", 8, 3, False),
    ]
    assert projection.below_zero_at == on(2)
    assert projection.undated == (Undated(Direction.SUPPLY, 3, "some day"),)


def test_what_is_due_later_than_asked_for_is_left_out() -> None:
    projection = project(LINES, LEVEL, 3, NOW, on(3))
    assert [each.reference for each in projection.lines] == ["late", "order", "truck"]
    assert projection.below_zero_at is None


def test_below_zero_is_not_earlier_than_now() -> None:
    overdue = {Key(LEVEL, Kind.DEMAND, "overdue", "0"): Line(5, 0, due_at=on(-3))}
    assert project(overdue, LEVEL, 4, NOW, None).below_zero_at == NOW
    assert project({}, LEVEL, -1, NOW, None).below_zero_at == NOW
    assert project(overdue, LEVEL, 5, NOW, None).below_zero_at is None


def test_what_is_overdue_comes_now_the_supply_first() -> None:
    lines = {
        Key(LEVEL, Kind.DEMAND, "overdue", "0"): Line(5, 0, due_at=on(-2)),
        Key(LEVEL, Kind.SUPPLY, "late", "0"): Line(10, 0, due_at=on(-1)),
    }
    projection = project(lines, LEVEL, 0, NOW, None)
    assert list(told(projection)) == [("late", 10, 10, True), ("overdue", 5, 5, True)]
    assert projection.below_zero_at is None


def test_what_is_reserved_for_a_demand_is_not_taken_twice() -> None:
    lines = {
        Key(LEVEL, Kind.DEMAND, "SO 9", "0"): Line(20, 0, due_at=on(1)),
        Key(LEVEL, Kind.DEMAND, "SO 9", "1"): Line(5, 0, due_at=on(4)),
        Key(LEVEL, Kind.CONSUMPTION, "SO 9"): Line(25, 2),
        Key(LEVEL, Kind.ORDER, "SO 9"): Line(19, 2, shipped=2),
        Key(2, Kind.ORDER, "SO 9"): Line(6, 0),
    }
    projection = project(lines, LEVEL, 7, NOW, None)
    assert list(told(projection)) == [("SO 9", 1, 6, False), ("SO 9", 5, 1, False)]


def test_all_lines_count_however_many_a_level_message_has() -> None:
    many = {
        Key(LEVEL, kind, f"{number}", "0"): Line(1, 0, due_at=on(number))
        for number in range(3 * SHOWN)
        for kind in (Kind.SUPPLY, Kind.DEMAND)
    }
    assert len(project(many, LEVEL, 0, NOW, None).lines) == 6 * SHOWN
