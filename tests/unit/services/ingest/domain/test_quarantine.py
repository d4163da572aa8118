import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.ingest.domain.codes import (
    IGNORED,
    Action,
    Changes,
    Codes,
    Kind,
    Mapping,
    SkuSpellings,
)
from services.ingest.domain.quarantine import Reason, identity, resolve, unknown_code
from shared.events.stock_changes import Bucket, ChangeType

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    id: str = "1"
    line: str = "0"
    channel: str = "shop"
    type: ChangeType = ChangeType.SALE
    sku: str = "a"
    warehouse: str = "main"
    quantity: int = 1
    occurred_at: datetime = NOON
    received_at: datetime = NOON
    reason: str | None = None
    reference: str | None = None
    counterparty: str | None = None
    bucket: Bucket | None = None
    eta: datetime | None = None


def transfer(**fields: str) -> Change:
    shipped = Change(type=ChangeType.TRANSFER_SHIPPED, counterparty="side")
    return replace(shipped, **fields)  # type: ignore[arg-type] # fields by name


@pytest.fixture
def codes() -> Codes:
    known = Codes()
    known.apply(
        Changes(
            1,
            ["shop"],
            ["main", "side"],
            [SkuSpellings("A", ("a",))],
            [
                Mapping("shop", Kind.SKU, "POST", Action.IGNORE),
                Mapping("shop", Kind.WAREHOUSE, "drop", Action.IGNORE),
                Mapping("shop", Kind.WAREHOUSE, "WH-1", Action.MAP, "main"),
            ],
        )
    )
    return known


@pytest.mark.parametrize(
    "other",
    [
        {"id": "2"},
        {"line": "1"},
        {"channel": "till"},
        {"type": ChangeType.RETURN},
        {"sku": "b"},
        {"warehouse": "side"},
        {"quantity": 2},
        {"reason": "x"},
        {"reference": "x"},
        {"counterparty": "x"},
        {"bucket": Bucket.UNAVAILABLE},
        {"eta": NOON},
    ],
    ids=str,
)
def test_other_content_is_another_entry(other: dict[str, object]) -> None:
    assert identity(replace(Change(), **other)) != identity(Change())  # type: ignore[arg-type] # fields by name


def test_other_times_are_the_same_entry() -> None:
    later = NOON + timedelta(hours=1)
    assert identity(Change(occurred_at=later, received_at=later)) == identity(Change())


def test_fields_do_not_run_into_each_other() -> None:
    assert identity(Change(id="1", line="23")) != identity(Change(id="12", line="3"))
    assert identity(Change(reference="x")) != identity(Change(counterparty="x"))


def test_a_due_time_is_the_same_in_every_zone() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=8)))
    assert identity(Change(eta=there)) == identity(Change(eta=NOON))


def test_what_waited_before_changes_had_a_counterparty_is_still_the_same_entry() -> None:
    before = ["shop", "1", "0", "sale", "a", "main", 1, None, None]
    assert identity(Change()) == hashlib.sha256(json.dumps(before).encode()).digest()


def test_an_entry_says_what_is_unknown_and_what_to_do() -> None:
    both = unknown_code(Change(), "{}", "a", "main")
    assert both.reason is Reason.UNKNOWN_SKU
    assert (
        both.detail
        == "there is no SKU 'a' and no warehouse 'main'; map, create or ignore it, then replay"
    )
    assert unknown_code(Change(), "{}", None, "main").reason is Reason.UNKNOWN_WAREHOUSE


def test_a_counterparty_that_nobody_knows_is_an_unknown_warehouse() -> None:
    entry = unknown_code(transfer(), "{}", None, None, "side")
    assert entry.reason is Reason.UNKNOWN_WAREHOUSE
    assert entry.detail == "there is no warehouse 'side'; map, create or ignore it, then replay"
    assert (entry.counterparty, entry.unknown_counterparty) == ("side", "side")
    assert entry.unknown_warehouse is None


@pytest.mark.parametrize("reason", [Reason.UNKNOWN_SKU, Reason.UNKNOWN_WAREHOUSE])
def test_a_change_goes_on_its_way_once_both_codes_are_known(codes: Codes, reason: Reason) -> None:
    assert resolve(reason, Change(), codes, NOON) == ("A", "main", None)
    assert resolve(reason, Change(sku="b"), codes, NOON) is None
    assert resolve(reason, Change(warehouse="where"), codes, NOON) is None
    assert resolve(reason, Change(sku="POST", warehouse="where"), codes, NOON) is IGNORED


def test_a_transfer_goes_on_its_way_once_both_its_warehouses_are_known(codes: Codes) -> None:
    reason = Reason.UNKNOWN_WAREHOUSE
    assert resolve(reason, transfer(), codes, NOON) == ("A", "main", "side")
    assert resolve(reason, transfer(warehouse="WH-1"), codes, NOON) == ("A", "main", "side")
    assert resolve(reason, transfer(counterparty="where"), codes, NOON) is None
    assert resolve(reason, transfer(warehouse="where"), codes, NOON) is None
    assert resolve(reason, transfer(warehouse="where", counterparty="drop"), codes, NOON) is IGNORED


def test_a_transfer_between_two_spellings_of_one_warehouse_waits_on(codes: Codes) -> None:
    same = transfer(counterparty="WH-1")
    assert resolve(Reason.UNKNOWN_WAREHOUSE, same, codes, NOON) is None


def test_what_was_early_goes_once_its_time_has_come(codes: Codes) -> None:
    early = Change(occurred_at=NOON + timedelta(minutes=6))
    assert resolve(Reason.FROM_THE_FUTURE, early, codes, NOON) is None
    assert resolve(Reason.FROM_THE_FUTURE, early, codes, NOON + timedelta(minutes=1)) == (
        "A",
        "main",
        None,
    )


def test_what_was_in_the_wrong_partition_goes_to_the_right_one(codes: Codes) -> None:
    assert resolve(Reason.MISPLACED, Change(), codes, NOON) == ("A", "main", None)


@pytest.mark.parametrize("reason", [Reason.ID_REUSED, Reason.UNDECODABLE, Reason.INVALID])
def test_what_can_never_be_applied_stays(codes: Codes, reason: Reason) -> None:
    assert resolve(reason, Change(), codes, NOON) is None
