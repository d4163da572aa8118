from datetime import date

from deploy.local.replays.declaration import load
from deploy.local.replays.mapping import map_lines
from deploy.local.replays.source import Line
from deploy.local.replays.supply import Sales, Supplied, plan_supply
from tests.unit.deploy.local.replays.files import correction, line

DECLARATION = load("uci_online_retail")

LAST = line("9", "LAST", 1, "2011-02-10 12:00")
"""Sold after the first 60 days, so it opens at 0."""


def planned(*lines: Line) -> list[Supplied]:
    sales = Sales()
    for _ in sales.watch(map_lines(lines, DECLARATION)):
        pass
    return list(plan_supply(sales, DECLARATION))


def openings(*lines: Line) -> dict[str, int]:
    return {
        each.change.sku: each.change.quantity
        for each in planned(*lines)
        if each.change.type == "count"
    }


def receipts(sku: str, *lines: Line) -> dict[str, int]:
    return {
        each.change.occurred_at: each.change.quantity
        for each in planned(*lines)
        if each.change.type == "receipt" and each.change.sku == sku
    }


def test_a_shelf_opens_with_fifteen_days_of_the_mean_and_a_third_in_packs_of_six() -> None:
    # 100 units in 60 days are 1.67 a day; 15 days and 30 % more are 32.5, in sixes 36.
    assert openings(line(code="A", quantity=100), LAST) == {"A": 36, "LAST": 0}


def test_a_need_of_whole_packs_is_not_rounded_up() -> None:
    # 240 units: 240 / 60 · 15 · 1.3 = 78 = 13 packs, which a float makes 78.00000000000001.
    assert openings(line(code="A", quantity=240))["A"] == 78


def test_the_sixtieth_day_counts_and_the_next_does_not() -> None:
    first = line("1", "FIRST", 1, "2010-12-01 07:00")
    sixtieth = line("2", "A", 100, "2011-01-29 23:59")
    after = line("3", "A", 100, "2011-01-30 00:00")
    assert openings(first, sixtieth, after)["A"] == 36


def test_only_distinct_sales_of_goods_are_demand() -> None:
    sold = line("1", "A", 100)
    assert openings(
        sold,
        sold,
        line("C2", "A", -50),
        correction("A", 90, "found", "2010-12-02 10:00"),
        line("3", "POST", 400),
    ) == {"A": 36}


def test_spellings_of_a_code_share_one_shelf() -> None:
    assert openings(line("1", "85123A", 50), line("2", "85123a", 50)) == {"85123A": 36}


def test_goods_that_were_never_sold_open_at_zero() -> None:
    assert openings(correction("A", 5, "found", "2010-12-01 10:00")) == {"A": 0}


def test_openings_are_at_the_first_midnight_of_the_file() -> None:
    opening = planned(line(at="2010-12-01 08:26"))[0].change
    assert opening.occurred_at == "2010-12-01T00:00:00Z"
    assert (opening.id, opening.line, opening.channel) == (
        "opening-2010-12-01",
        "85123A",
        "warehouse",
    )


def test_a_weeks_demand_is_ordered_on_mondays_and_arrives_ten_days_later() -> None:
    # Wednesday to Monday are 5 days: 50 · 7 / 5 = 70, in sixes 72; then 50 · 7 / 12 = 29.2 → 30,
    # 50 · 7 / 19 = 18.4 → 24, 50 · 7 / 26 = 13.5 → 18, and the fifth Monday is past the 28 days.
    assert receipts("A", line("1", "A", 50), LAST) == {
        "2010-12-16T08:00:00Z": 72,
        "2010-12-23T08:00:00Z": 30,
        "2010-12-30T08:00:00Z": 24,
        "2011-01-06T08:00:00Z": 18,
    }


def test_what_would_arrive_after_the_last_line_is_not_ordered() -> None:
    assert receipts("A", line("1", "A", 50), line("2", "B", 1, "2010-12-16 07:59")) == {}
    assert receipts("A", line("1", "A", 50), line("2", "B", 1, "2010-12-16 08:00")) == {
        "2010-12-16T08:00:00Z": 72
    }


def test_receipts_arrive_at_the_same_wall_time_in_summer() -> None:
    lines = (line("1", "A", 28, "2011-03-01 10:00"), line("2", "B", 1, "2011-04-30 10:00"))
    assert "2011-03-31T07:00:00Z" in receipts("A", *lines)


def test_a_file_that_starts_on_a_monday_orders_first_a_week_later() -> None:
    assert date(2010, 12, 6).weekday() == 0
    first = receipts("A", line("1", "A", 7, "2010-12-06 09:00"), line("2", "B", 1, "2011-01-01"))
    # 7 · 7 / 7 = 7 → 12, then 7 · 7 / 14 = 3.5 → 6.
    assert first == {"2010-12-23T08:00:00Z": 12, "2010-12-30T08:00:00Z": 6}


def test_an_empty_file_needs_nothing() -> None:
    assert planned() == []
