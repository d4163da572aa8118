"""Which subjects an edit concerns, and nobody else is looked at anew."""

from dataclasses import asdict, replace
from datetime import time, timedelta
from itertools import count
from uuid import UUID

import pytest
from typing_extensions import override

from services.alerting.domain.calendar import Calendar, Occasion
from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.draft import Draft
from services.alerting.domain.edits import FEW, FEW_OF_ONE_SKU, between
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.memory import Territory, View
from services.alerting.domain.parameters import NOTHING_SET, ParameterBook, Parameters
from services.alerting.domain.recatalogued import Recatalogued
from services.alerting.domain.rule import Filters, Limit, Rule, Scope
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.subject import Item, LevelSubject, PoolSubject, Subject
from services.alerting.domain.working_time import WorkingCalendar
from shared.events.stock_alerts import SubjectKind
from tests.unit.services.alerting.cases import NOON, WATCH, level, minutes, rule

A_NORTH, A_SOUTH = LevelSubject("A", "N"), LevelSubject("A", "S")
B_NORTH, SHIRT = LevelSubject("B", "N"), LevelSubject("SHIRT-S", "N")
LEVELS = [A_NORTH, A_SOUTH, B_NORTH, SHIRT]
ITEMS = {
    "B": Item(None, "cups", frozenset({"seasonal"})),
    "SHIRT-S": Item(None, None, frozenset(), product="SHIRT"),
}
HOUR = timedelta(hours=1)
DAYTIME = WorkingCalendar("UTC", {day: ((time(9), time(18)),) for day in range(7)})


class Watched:
    """A territory in which all four levels are known, and were looked at by a book."""

    def __init__(self, book: RuleBook, available: int = 50) -> None:
        self.territory = Territory()
        territories = {0: self.territory}
        draft = Draft(territories, book, ITEMS, ParameterBook())
        for sku, warehouse in LEVELS:
            draft.hear(0, level(available, sku=sku, warehouse=warehouse), NOON)
        draft.pool()
        draft.adopt()
        self.recatalogued = Recatalogued(set(), set())
        self.book = ParameterBook()
        self.look(book)
        self.territory.unseen.clear()

    def look(
        self, book: RuleBook, *, catalogue: int = 0, day: int = 0, minute: float = 0
    ) -> list[Subject]:
        """Return who is to be looked at anew, once a book is in force."""
        view = View(book.at(minutes(minute)), catalogue, day)
        self.territory.look_through(view, ITEMS, between, lambda _: self.recatalogued, self.book)
        return self.territory.unseen


def of(id_: str, *skus: str, **fields: object) -> Rule:
    """Return a rule for some SKUs."""
    scope = Scope(frozenset(skus), **fields)  # type: ignore[arg-type] # the fields' own types
    return replace(rule(id_=id_), scope=scope)


def test_whoever_was_not_looked_at_yet_is() -> None:
    watched = Watched(RuleBook())
    watched.territory.view = None
    assert watched.look(RuleBook()) == LEVELS


def test_an_edit_concerns_whom_the_rule_was_about_and_whom_it_is_about_now() -> None:
    before = RuleBook(1, [of("one", "A"), of("other", "SHIRT-S")])
    watched = Watched(before)
    edited = of("one", warehouses=frozenset({"N"}), tags=frozenset({"seasonal"}))
    assert watched.look(RuleBook(2, [edited, of("other", "SHIRT-S")])) == [
        A_NORTH,
        A_SOUTH,
        B_NORTH,
    ]


def test_an_edit_concerns_whose_class_or_supplier_the_rule_names() -> None:
    watched = Watched(RuleBook())
    watched.book = ParameterBook(
        1, {("A", "S"): Parameters(stock_class="C")}, {"A": Parameters(stock_class="AX")}
    )
    of_class = of("one", classes=frozenset({"A"}), suppliers=frozenset())
    assert watched.look(RuleBook(2, [of_class])) == [A_NORTH]


def test_what_is_said_again_concerns_nobody() -> None:
    """Also a condition, which is compiled anew each time the rules are read."""
    written = {"name": {"en": "Mine"}, "kind": "custom", "levels": [{"level": "watch"}]}
    definition = RuleDefinition.model_validate(written | {"condition": "available < 20"})
    hourly = replace(rule(), hours=DAYTIME)
    watched = Watched(RuleBook(1, [definition.rule("mine", 1), hourly]))
    again = replace(hourly, hours=replace(DAYTIME))
    assert watched.look(RuleBook(2, [definition.rule("mine", 1), again])) == []


def test_other_hours_concern_those_whose_rule_has_them() -> None:
    hourly, always = replace(of("hourly", "B"), hours=DAYTIME), of("always")
    watched = Watched(RuleBook(1, [hourly, always]))
    later = replace(hourly, hours=replace(DAYTIME, country="CN"))
    assert watched.look(RuleBook(2, [later, always])) == [B_NORTH]


@pytest.mark.parametrize("comes", [True, False])
def test_a_rule_that_comes_or_goes_concerns_those_in_its_scope(comes: bool) -> None:
    without = RuleBook(1, [replace(of("one", "B"), enabled=False)])
    with_it = RuleBook(2, [of("one", "B")])
    before, after = (without, with_it) if comes else (with_it, without)
    assert Watched(before).look(after) == [B_NORTH]


def test_a_rule_that_stays_disabled_concerns_nobody() -> None:
    off = replace(rule(), enabled=False)
    assert Watched(RuleBook(1, [off])).look(RuleBook(2, [replace(off, version=2)])) == []


def test_a_pool_concerns_its_levels_and_what_is_the_matter_with_it() -> None:
    pool = rule(pool="online", warehouses=["N"], covers_levels=True)
    watched = Watched(RuleBook(1, [pool]), available=3)
    edited = replace(pool, version=2, scope=replace(pool.scope, warehouses=frozenset({"S"})))
    pools: list[Subject] = [PoolSubject(sku, "online", "rule") for sku in ("A", "B", "SHIRT-S")]
    assert watched.look(RuleBook(2, [edited])) == [*LEVELS, *pools]
    elsewhere = rule(pool="online", warehouses=["elsewhere"])
    assert Watched(RuleBook(1, [elsewhere])).look(RuleBook(2)) == []


def test_a_product_concerns_its_options() -> None:
    kind, product = RuleKind.BROKEN_SIZE_RUN, SubjectKind.PRODUCT
    run = replace(rule(kind, [Limit(WATCH, 0.6, 0.8)]), subject=product, pool="all")
    assert Watched(RuleBook(1, [run])).look(RuleBook(2, [replace(run, version=2)])) == [SHIRT]


_numbers = count()


def promotion(**fields: object) -> Occasion:
    """Return an occasion from one hour after noon on, for an hour."""
    given = {
        "id": UUID(int=next(_numbers)),
        "name": {"en": "Sale"},
        "starts_at": NOON + HOUR,
        "ends_at": NOON + 2 * HOUR,
    }
    return Occasion(**given | {"factor": 2} | fields)  # type: ignore[arg-type] # the fields' own types


@pytest.mark.parametrize(
    ("about", "concerned"),
    [
        ({"sku": "B"}, [B_NORTH]),
        ({"warehouse": "S"}, [A_SOUTH]),
        ({"rule": "one"}, [A_NORTH, A_SOUTH]),
        ({"rule": "one", "warehouse": "N"}, [A_NORTH]),
        ({"labels": {"team": "online"}}, []),
        ({"rule": "off"}, []),
        ({}, LEVELS),
        ({"sku": "SHIRT"}, [SHIRT]),
        ({"warehouse": "online"}, [A_NORTH, B_NORTH, SHIRT]),
    ],
    ids=str,
)
def test_an_occasion_concerns_those_whose_rules_it_is_about(
    about: dict[str, object], concerned: list[Subject]
) -> None:
    run = replace(
        rule(RuleKind.BROKEN_SIZE_RUN, [Limit(WATCH, 0.6, 0.8)], id_="run"),
        subject=SubjectKind.PRODUCT,
        pool="all",
    )
    rules = [
        of("one", "A"),
        of("all"),
        replace(of("off"), enabled=False),
        rule(id_="pool", pool="online", warehouses=["N"]),
        run,
    ]
    book = RuleBook(1, rules, Calendar([promotion(**about)]))
    watched = Watched(book)
    assert watched.look(book, minute=59) == []
    assert watched.look(book, minute=60) == concerned
    watched.territory.unseen.clear()
    assert watched.look(book, minute=119) == []
    assert watched.look(book, minute=120) == concerned


def test_an_occasion_that_is_entered_before_its_time_concerns_nobody_yet() -> None:
    watched = Watched(RuleBook(1, [rule()]))
    book = RuleBook(2, [rule()], Calendar([promotion()]))
    assert watched.look(book) == []
    assert watched.look(book, minute=61) == LEVELS


def test_of_two_occasions_that_say_the_same_one_may_end() -> None:
    """They add up, so it is otherwise then."""
    twice = [promotion(sku="B"), promotion(sku="B")]
    book, once = RuleBook(1, [rule()], Calendar(twice)), RuleBook(2, [rule()], Calendar(twice[:1]))
    watched = Watched(book)
    assert watched.look(book, minute=60) == [B_NORTH]
    watched.territory.unseen.clear()
    assert watched.look(once, minute=61) == [B_NORTH]


class Counting(Occasion):
    """Counts how often it is looked at, in whatever way."""

    looks = 0

    @override
    def __getattribute__(self, name: str) -> object:
        Counting.looks += 1
        return super().__getattribute__(name)


def counting(number: int) -> list[Occasion]:
    """Return promotions, each of another SKU that nobody has; the same each time."""
    return [
        Counting(**asdict(promotion(sku=f"SKU-{each}")) | {"id": UUID(int=each)})
        for each in range(number)
    ]


@pytest.mark.parametrize("number", [100, 400])
def test_many_occasions_are_looked_at_a_few_times_each(number: int) -> None:
    """Not each beside each other one, and not at each level."""
    one, again = (RuleBook(1, [rule()], Calendar(counting(number))) for _ in range(2))
    on, off, still_on = one.at(minutes(60)), one.at(NOON), again.at(minutes(60))
    Counting.looks = 0
    began, same = between(off, on), between(on, still_on)
    assert (bool(began), bool(same)) == (True, False)
    assert Counting.looks < 40 * number
    Counting.looks = 0
    assert list(began.concerned(LEVELS, ITEMS, ParameterBook())) == []
    assert on.watching(A_NORTH, None, NOTHING_SET) == (rule(),)
    assert Counting.looks == 0


def test_very_many_occasions_of_single_skus_ask_for_everybody() -> None:
    occasions = [promotion(sku=f"SKU-{each}") for each in range(FEW_OF_ONE_SKU + 1)]
    few, many = (RuleBook(1, [rule()], Calendar(each)) for each in (occasions[1:], occasions))
    assert Watched(few).look(few, minute=60) == []
    assert Watched(many).look(many, minute=60) == LEVELS


def test_edits_add_up_until_somebody_looks() -> None:
    rules = [of("one", "A"), of("other", "B")]
    watched = Watched(RuleBook(1, rules))
    rules[1] = replace(rules[1], version=2)
    watched.look(RuleBook(2, rules))
    rules[0] = replace(rules[0], version=3)
    assert watched.look(RuleBook(3, rules)) == [A_NORTH, A_SOUTH, B_NORTH]


def test_many_edits_at_once_ask_for_everybody() -> None:
    rules = [of(f"rule {number}", "B") for number in range(FEW + 1)]
    watched = Watched(RuleBook(1, rules))
    edited = [replace(each, version=2) for each in rules]
    assert watched.look(RuleBook(2, [*edited[:-1], rules[-1]])) == [B_NORTH]
    watched.territory.unseen.clear()
    assert watched.look(RuleBook(3, rules[:-1] + edited[-1:])) == LEVELS


def test_another_day_asks_for_everybody_where_rules_ask_for_it() -> None:
    graced = RuleBook(1, [replace(rule(), filters=Filters(grace_days=7))])
    assert Watched(graced).look(graced, day=1) == LEVELS
    indifferent = RuleBook(1, [rule()])
    assert Watched(indifferent).look(indifferent, day=1) == []


@pytest.mark.parametrize(
    ("changed", "concerned"),
    [
        (Recatalogued({"A"}, set()), [A_NORTH, A_SOUTH]),
        (Recatalogued({"new"}, {"SHIRT"}), [SHIRT]),
        (Recatalogued({"new"}, {"TROUSERS"}), []),
    ],
    ids=["its SKU", "its product", "others"],
)
def test_another_catalogue_asks_for_whom_it_concerns_where_rules_ask_for_it(
    changed: Recatalogued, concerned: list[Subject]
) -> None:
    tagged = RuleBook(1, [of("one", tags=frozenset({"seasonal"}))])
    for book, expected in ((tagged, concerned), (RuleBook(1, [rule()]), [])):
        watched = Watched(book)
        watched.recatalogued = changed
        assert watched.look(book, catalogue=1) == expected


def test_an_edit_beside_another_catalogue_is_not_missed() -> None:
    tagged = of("one", tags=frozenset({"seasonal"}))
    watched = Watched(RuleBook(1, [tagged]))
    watched.recatalogued = Recatalogued({"B"}, set())
    edited = RuleBook(2, [tagged, of("other", "SHIRT-S")])
    assert set(watched.look(edited, catalogue=1)) == {B_NORTH, SHIRT}
