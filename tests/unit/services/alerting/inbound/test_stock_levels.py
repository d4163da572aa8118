"""The quick reader of `stock.levels` agrees with the published model."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.alerting.inbound import stock_levels
from shared.errors import Stopped
from shared.events.dead_letters import DeadReason
from shared.events.stock_levels import StockLevel
from shared.kafka.handler import Batch
from shared.kafka.partitions import partition_of
from tests.unit.services.alerting.cases import NOON

GOOD = StockLevel(
    sku="A",
    warehouse="W",
    version=2**40 + 7,
    on_hand=9,
    reserved=1,
    unavailable=2,
    incoming=3,
    available=6,
    low_water=-4,
    counted_at=NOON,
    last_change_at=NOON + timedelta(microseconds=1),
    sold_total=70,
    returned_total=1,
    received_total=80,
    flags=("negative", "in_doubt", "unusual", "of a later version"),
)


@dataclass(frozen=True)
class Told:
    """A record of the topic."""

    value: bytes | None
    topic: str = "stock.levels"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def read(*values: bytes | None) -> tuple[list[dict[str, object]], list[DeadReason]]:
    """Return the levels read and the reasons of those put aside."""
    batch = Batch([Told(value) for value in values])
    levels = []
    for _, level in stock_levels.read(batch, 1):
        assert isinstance(level, stock_levels.Told)
        fields: dict[str, object] = msgspec.to_builtins(level, builtin_types=(datetime,))
        levels.append({name: fields[name] for name in StockLevel.model_fields})
    return levels, [dead.reason for dead in batch.dead_letters]


def without(field: str) -> bytes:
    """Return a message that lacks a field."""
    return json.dumps({k: v for k, v in json.loads(GOOD.encode()).items() if k != field}).encode()


def altered(**fields: object) -> bytes:
    """Return a message with other fields."""
    return json.dumps(json.loads(GOOD.encode()) | fields).encode()


def test_a_level_is_read_as_the_model_reads_it() -> None:
    assert read(GOOD.encode()) == ([GOOD.model_dump()], [])


def test_a_batch_with_a_bad_record_yields_the_others() -> None:
    levels, dead = read(GOOD.encode(), b"{", GOOD.encode())
    assert levels == [GOOD.model_dump()] * 2
    assert dead == [DeadReason.UNDECODABLE]


def test_a_record_that_holds_two_values_does_not_shift_the_others() -> None:
    levels, dead = read(GOOD.encode() + b"," + GOOD.encode(), altered(sku="B"))
    assert [each["sku"] for each in levels] == ["B"]
    assert dead == [DeadReason.UNDECODABLE]


def test_what_lies_where_its_sku_is_not_is_put_aside() -> None:
    home = partition_of(GOOD.sku, 24)
    batch = Batch([Told(GOOD.encode(), partition=home), Told(GOOD.encode(), partition=home + 1)])
    assert [record for record, _ in stock_levels.read(batch, 24)] == batch.records[:1]
    (dead,) = batch.dead_letters
    assert dead[:2] == (batch.records[1], DeadReason.MISPLACED)
    assert dead.detail == f"A is in partition {home} of 24, not {home + 1}"


def test_a_record_without_value_says_nothing() -> None:
    assert read(None, GOOD.encode()) == ([GOOD.model_dump()], [])


def test_a_newer_schema_version_stops_and_is_never_put_aside() -> None:
    with pytest.raises(Stopped, match="upgrade alerting"):
        read(GOOD.encode(), altered(v=2))


def test_a_field_unknown_to_this_version_is_passed_over() -> None:
    assert read(altered(colour=[])) == ([GOOD.model_dump()], [])


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"7", b'"A"', b"[]"),
        *(altered(sku=sku) for sku in ("", "A|B", "A\r", "A\n", "\tA", "A\x7f", "\x00")),
        altered(warehouse="N\r"),
    ],
)
def test_what_is_no_level_is_put_aside(value: bytes) -> None:
    levels, dead = read(value)
    assert levels == []
    assert len(dead) == 1


REQUIRED = [name for name, each in StockLevel.model_fields.items() if each.is_required()]


@pytest.mark.parametrize("field", REQUIRED)
def test_every_field_that_the_model_requires_is_required(field: str) -> None:
    assert read(without(field)) == ([], [DeadReason.INVALID])


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(["2026-03-01T12:00:00", "2026-03-01T12:00:00+08:00", "a|b", "\x00", "x" * 200]),
)


@given(st.sampled_from(sorted(StockLevel.model_fields)), JUNK)
def test_what_the_quick_reader_accepts_the_model_accepts_as_the_same(
    field: str, junk: object
) -> None:
    try:
        levels, dead = read(altered(**{field: junk}))
    except Stopped:
        assert field == "v"
        return
    if levels:
        assert levels == [StockLevel.model_validate_json(altered(**{field: junk})).model_dump()]
    else:
        assert len(dead) == 1


@given(st.integers(-(2**62), 2**62), st.text(min_size=1, max_size=128))
def test_what_the_model_writes_is_read(units: int, sku: str) -> None:
    try:
        level = GOOD.model_copy(update={"available": units, "sku": sku})
        StockLevel.model_validate(level.model_dump())
        encoded = level.encode()
    except (ValidationError, ValueError):
        return  # no code, so nothing that the ledger would write
    assert read(encoded) == ([level.model_dump()], [])
