"""What is lost while options of a product are missing."""

from dataclasses import replace
from decimal import Decimal

from services.alerting.domain.kind import RuleKind
from services.alerting.domain.memory import Known
from services.alerting.domain.missing import lost, together
from services.alerting.domain.parameters import ParameterBook, Parameters
from services.alerting.domain.rule import Limit
from services.alerting.domain.size_run import SizeRun
from services.alerting.domain.subject import LevelSubject, ProductSubject, Subject
from shared.events.stock_alerts import AtRisk, Option, SubjectKind
from tests.unit.services.alerting.cases import NO_SALES, NOON, WATCH, level, rule, sold

SHIRT = ProductSubject("SHIRT", "online", "run")
ONLINE = replace(
    rule(
        RuleKind.BROKEN_SIZE_RUN,
        [Limit(WATCH, 0.6, 0.8)],
        id_="run",
        pool="online",
        warehouses=["N", "S"],
    ),
    subject=SubjectKind.PRODUCT,
)


def known(sku: str, warehouse: str, available: int, daily: int | None) -> tuple[Subject, Known]:
    at = level(available, sku=sku, warehouse=warehouse, on_hand=available + 1, incoming=2)
    sales = NO_SALES if daily is None else sold(daily)
    return LevelSubject(sku, warehouse), Known(at, sales, {})


LEVELS = dict(
    [
        known("S", "N", -3, 2),
        known("S", "S", 0, 4),
        known("S", "elsewhere", 50, 100),
        known("M", "N", 0, None),
        known("L", "N", 20, 10),
    ]
)
PARAMETERS = ParameterBook().after(
    1,
    [
        ("S", None, Parameters(lead_time_days=5, price=Decimal(10))),
        ("S", "N", Parameters(lead_time_days=90)),
    ],
)


def run(*out: str) -> SizeRun:
    return SizeRun(("L", "M", "S"), tuple(Option(sku=sku) for sku in out))


def test_each_missing_option_loses_what_its_pool_would() -> None:
    # Five days of six a day, and three that are promised; what is elsewhere does not help.
    assert lost(ONLINE, run("S"), LEVELS, PARAMETERS.of, NOON) == AtRisk(units=33, money=330)


def test_what_nobody_can_say_of_an_option_is_said() -> None:
    both = lost(ONLINE, run("M", "S"), LEVELS, PARAMETERS.of, NOON)
    assert both == AtRisk(units=33, money=Decimal(330), left_out=1)
    assert lost(ONLINE, run("M"), LEVELS, PARAMETERS.of, NOON) is None


def test_what_is_in_stock_is_not_lost() -> None:
    assert lost(ONLINE, run(), LEVELS, PARAMETERS.of, NOON) == AtRisk(units=0)


def test_all_options_are_added_up_in_the_pool() -> None:
    everything = together(SHIRT, ONLINE, LEVELS)
    assert (everything.sku, everything.warehouse) == ("SHIRT", "online")
    assert (everything.available, everything.low_water) == (17, 17)
    assert (everything.on_hand, everything.incoming) == (21, 8)
