"""Products: how many of their options are in stock (断码)."""

import pytest

from services.alerting.domain.draft import Draft
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.memory import Settled, Territory
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.rule import Limit, Rule, Scope
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.size_run import NAMED_AT_MOST
from services.alerting.domain.sizing import Product, evaluate, options
from services.alerting.domain.subject import Item, ProductSubject
from shared.events.stock_alerts import AlertLevel, GatherReason, SubjectKind
from tests.unit.services.alerting.cases import NOON, AtLevel, level, minutes

HALF = Limit(AlertLevel.WATCH, 0.6, 0.8)


def run_rule(**fields: object) -> Rule:
    given = {
        "id": "run",
        "version": 1,
        "kind": RuleKind.BROKEN_SIZE_RUN,
        "name": {"en": "Run"},
        "limits": (HALF,),
        "subject": SubjectKind.PRODUCT,
        "pool": "all",
    } | fields
    return Rule(**given)  # type: ignore[arg-type] # the fields' own types


SHIRT = Product("run", "SHIRT")
SUBJECT = ProductSubject("SHIRT", "all", "run")
SIZES = {
    f"SHIRT-{size}": Item(f"Shirt {size}", "tops", frozenset(), True, "SHIRT") for size in "SML"
}
PRODUCTS = {"SHIRT": set(SIZES)}


class Worker:
    """A memory of one partition with the small and the medium size."""

    def __init__(self, *rules: Rule) -> None:
        self.territory = Territory()
        self.items = dict(SIZES)
        self.book = RuleBook(1, rules)
        self.settle()

    def settle(self, catalogue: int = 0) -> None:
        self.territory.settled = Settled(self.book, ParameterBook(), catalogue)

    def draft(self, catalogue: int = 0) -> Draft:
        territories = {0: self.territory}
        return Draft(
            territories, self.book, self.items, ParameterBook(), catalogue, products=PRODUCTS
        )

    def hear(self, *levels: AtLevel) -> Draft:
        draft = self.draft()
        for minute, each in enumerate(levels):
            draft.hear(0, each, minutes(minute), "trace")
        draft.pool()
        draft.adopt()
        return draft

    def look(self, catalogue: int = 0) -> Draft:
        draft = self.draft(catalogue)
        draft.look(0, list(self.territory.subjects), NOON)
        draft.pool()
        draft.adopt()
        return draft


def of_size(size: str, available: int, version: int = 1, warehouse: str = "N") -> AtLevel:
    return level(available, version=version, sku=f"SHIRT-{size}", warehouse=warehouse)


def test_a_product_is_judged_when_an_option_runs_out_or_comes_back() -> None:
    worker = Worker(run_rule())
    assert worker.hear(of_size("S", 5), of_size("M", 5)).sizing.told == {}
    draft = worker.hear(of_size("S", 0, 2))
    assert draft.sizing.outs == {"SHIRT-S": (0, {"run": "SHIRT"})}
    assert draft.sizing.told[SHIRT].known is None
    assert draft.sizing.told[SHIRT].trace == "trace"
    assert worker.territory.outs == {"SHIRT-S": {"run": "SHIRT"}}
    # Less of what is out already, or of what is not, makes no difference.
    assert worker.hear(of_size("S", -1, 3), of_size("M", 1, 2)).sizing.told == {}
    assert worker.hear(of_size("S", 1, 4)).sizing.outs == {"SHIRT-S": (0, {})}
    assert worker.territory.outs == {}


def test_an_option_is_out_when_no_warehouse_of_the_pool_has_it() -> None:
    worker = Worker(run_rule(scope=Scope(warehouses=frozenset({"N", "S"}))))
    worker.hear(of_size("S", 5), of_size("S", 5, warehouse="S"), of_size("S", 9, warehouse="W"))
    assert worker.hear(of_size("S", 0, 2)).sizing.told == {}
    assert worker.hear(of_size("S", 0, 2, warehouse="S")).sizing.told.keys() == {SHIRT}


def test_an_option_that_nobody_has_told_of_is_not_out() -> None:
    run = options(run_rule(), PRODUCTS["SHIRT"], SIZES, {"SHIRT-S"})
    assert (run.in_stock, len(run.skus), run.out[0].name) == (2, 3, "Shirt S")


def test_what_is_phased_out_or_out_of_scope_is_no_option() -> None:
    items = SIZES | {"SHIRT-M": SIZES["SHIRT-M"]._replace(is_bought=False)}
    narrow = run_rule(scope=Scope(skus=frozenset({"SHIRT-S", "SHIRT-M"})))
    run = options(narrow, PRODUCTS["SHIRT"], items, {"SHIRT-M", "SHIRT-L"})
    assert (run.skus, run.out, run.share) == (("SHIRT-S",), (), 1)


def test_only_some_of_those_out_are_named() -> None:
    skus = [f"S{number}" for number in range(NAMED_AT_MOST + 5)]
    items = {sku: Item(None, None, frozenset(), True, "P") for sku in skus}
    told = options(run_rule(), skus, items, skus).told()
    assert (told.in_stock, told.all, len(told.out)) == (0, NAMED_AT_MOST + 5, NAMED_AT_MOST)


def test_the_share_of_options_opens_and_resolves() -> None:
    book = RuleBook(1, [run_rule()])
    two_out = options(run_rule(), SIZES, SIZES, {"SHIRT-S", "SHIRT-M"})
    judged = evaluate(book, SUBJECT, two_out, None, None, NOON)
    assert judged is not None
    opened = judged[1]
    assert opened.reason is Reason.FIRED
    assert opened.transition is not None
    facts = opened.transition.facts
    assert (facts.threshold, facts.options) == (0.6, two_out.told())
    all_in = options(run_rule(), SIZES, SIZES, set())
    ended = evaluate(book, SUBJECT, all_in, None, opened.condition, NOON)
    assert ended is not None
    assert ended[1].reason is Reason.RECOVERED


@pytest.mark.parametrize(
    ("book", "subject", "reason"),
    [
        (RuleBook(1, [run_rule(enabled=False)]), SUBJECT, Reason.RULE_DISABLED),
        (RuleBook(1, [run_rule()]), SUBJECT._replace(warehouse="old"), Reason.OUT_OF_SCOPE),
    ],
    ids=["disabled", "renamed"],
)
def test_what_is_watched_no_more_ends(book: RuleBook, subject: ProductSubject, reason: str) -> None:
    two_out = options(run_rule(), SIZES, SIZES, {"SHIRT-S", "SHIRT-M"})
    opened = evaluate(RuleBook(1, [run_rule()]), SUBJECT, two_out, None, None, NOON)
    assert opened is not None
    ended = evaluate(book, subject, two_out, None, opened[1].condition, NOON)
    assert ended is not None
    assert (ended[1].condition, ended[1].reason) == (None, reason)
    assert evaluate(book, subject, two_out, None, None, NOON) is None


def test_a_first_import_is_known() -> None:
    draft = Worker(run_rule()).hear(of_size("S", 0))
    assert draft.sizing.told[SHIRT].known is GatherReason.FIRST_IMPORT


def test_what_runs_out_just_after_an_edit_is_news() -> None:
    worker = Worker(run_rule())
    worker.hear(of_size("S", 5), of_size("M", 0))
    worker.book = RuleBook(2, [run_rule(version=2)])
    assert worker.hear(of_size("S", 0, 2)).sizing.told[SHIRT].known is None
    worker.book = RuleBook(3, [run_rule(id="other", version=3)])
    told = worker.hear(of_size("M", -1, 2)).sizing.told
    assert told[Product("other", "SHIRT")].known is GatherReason.CHANGED_RULE


def test_one_option_that_is_news_makes_the_product_news() -> None:
    worker = Worker(run_rule())
    worker.hear(of_size("M", 5))
    draft = worker.hear(of_size("S", 0), of_size("M", 0, 2))
    assert draft.sizing.told[SHIRT].known is None


def test_a_new_rule_looks_at_options_that_are_out_already() -> None:
    worker = Worker()
    worker.hear(of_size("S", 0))
    worker.book = RuleBook(2, [run_rule()])
    assert worker.look().sizing.told[SHIRT].known is GatherReason.CHANGED_RULE
    # An edit of the rule has its products judged anew, though nothing has flipped.
    worker.settle()
    worker.book = RuleBook(3, [run_rule(version=2)])
    draft = worker.look()
    assert draft.sizing.outs == {}
    assert draft.sizing.told.keys() == {SHIRT}


def test_a_rule_that_is_no_more_forgets_its_options() -> None:
    worker = Worker(run_rule())
    worker.hear(of_size("S", 0))
    worker.book = RuleBook(2, [run_rule(enabled=False)])
    draft = worker.look()
    assert draft.sizing.outs == {"SHIRT-S": (0, {})}
    assert draft.sizing.told.keys() == {SHIRT}
    assert worker.territory.outs == {}


def test_an_option_that_goes_to_another_product_leaves_its_own() -> None:
    worker = Worker(run_rule())
    worker.hear(of_size("S", 0))
    worker.items["SHIRT-S"] = SIZES["SHIRT-S"]._replace(product="BLOUSE")
    draft = worker.look(catalogue=1)
    assert draft.sizing.told.keys() == {SHIRT, Product("run", "BLOUSE")}
    assert draft.sizing.told[SHIRT].known is GatherReason.CHANGED_CATALOGUE


def test_a_sku_of_no_product_is_nobodys_option() -> None:
    worker = Worker(run_rule())
    worker.items["SHIRT-S"] = SIZES["SHIRT-S"]._replace(product=None)
    assert worker.hear(of_size("S", 0)).sizing.told == {}
