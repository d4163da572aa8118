from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from services.ingest.domain.codes import Action, Changes, Codes, Kind, Mapping, SkuSpellings
from services.ingest.domain.decision import Decision, ForeignChannel, decide
from services.ingest.domain.mistakes import Mistake
from shared.events.base import MAX_QUANTITY
from shared.events.stock_changes import SHAPES, Bucket, ChangeType
from tests.factories.shapes import ALLOWED, FIELDS, FORBIDDEN, NEEDED, needed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    channel: str | None = "shop"
    sku: str = "A"
    warehouse: str = "main"
    quantity: int = 1
    type: ChangeType = ChangeType.SALE
    line: str = "0"
    occurred_at: datetime = NOON
    reference: str | None = None
    counterparty: str | None = None
    bucket: Bucket | None = None
    eta: datetime | None = None


def of_type(kind: ChangeType, **fields: object) -> Event:
    return replace(Event(type=kind), **needed(kind) | fields)  # type: ignore[arg-type] # fields by name


def only_mistake(decision: Decision[Event]) -> Mistake:
    ((mistake,),) = [each.mistakes for each in decision.rejected]
    assert (decision.accepted, decision.unknown, decision.ignored) == ([], [], [])
    assert ";" in mistake.message, "a message says what to do after what is wrong"
    return mistake


@pytest.fixture
def codes() -> Codes:
    known = Codes()
    ignored = [
        Mapping("shop", Kind.SKU, "POST", Action.IGNORE),
        Mapping("shop", Kind.WAREHOUSE, "drop", Action.IGNORE),
    ]
    mapped = [
        Mapping("shop", Kind.WAREHOUSE, "WH-1", Action.MAP, "main"),
        Mapping("shop", Kind.WAREHOUSE, "WH-2", Action.MAP, "side"),
    ]
    skus = [SkuSpellings("A", ("a",))]
    known.apply(Changes(1, ["shop"], ["main", "side"], skus, [*ignored, *mapped]))
    return known


def test_each_event_is_counted_once_and_keeps_its_place(codes: Codes) -> None:
    events = [
        Event(sku="a"),
        None,
        Event(sku="POST"),
        Event(sku="what"),
        Event(warehouse="where"),
        Event(sku="what", warehouse="where"),
        Event(channel="nobody"),
        Event(quantity=0),
        Event(),
    ]
    decision = decide(events, codes)
    assert decision.accepted == [
        (events[0], "shop", "A", "main", None),
        (events[8], "shop", "A", "main", None),
    ]
    assert [(each.sku, each.warehouse) for each in decision.unknown] == [
        ("what", None),
        (None, "where"),
        ("what", "where"),
    ]
    assert decision.ignored == ["shop"]
    assert [(each.index, each.mistakes[0].code) for each in decision.rejected] == [
        (6, "unknown_channel"),
        (7, "wrong_sign"),
    ]
    assert decision.misses


@pytest.mark.parametrize(
    "event",
    [
        Event(sku="POST", quantity=0),
        Event(sku="POST", warehouse="where"),
        Event(sku="what", warehouse="drop"),
        of_type(ChangeType.TRANSFER_SHIPPED, counterparty="drop", warehouse="where"),
        of_type(ChangeType.TRANSFER_SHIPPED, counterparty="drop", quantity=0),
        Event(sku="POST", type=ChangeType.ORDER_PLACED),
    ],
)
def test_what_is_ignored_need_not_be_right(codes: Codes, event: Event) -> None:
    decision = decide([event], codes)
    assert (decision.ignored, decision.rejected, decision.unknown) == (["shop"], [], [])
    assert not decision.misses


@pytest.mark.parametrize(
    ("event", "field", "code"),
    [
        (Event(quantity=0), "quantity", "wrong_sign"),
        (Event(quantity=-1, type=ChangeType.RETURN), "quantity", "wrong_sign"),
        (Event(quantity=0, type=ChangeType.ADJUSTMENT), "quantity", "wrong_sign"),
        (Event(quantity=-1, type=ChangeType.COUNT), "quantity", "wrong_sign"),
        (Event(occurred_at=datetime(1969, 12, 31, tzinfo=UTC)), "occurred_at", "out_of_range"),
        (Event(occurred_at=datetime.max.replace(tzinfo=UTC)), "occurred_at", "out_of_range"),
        (Event(channel=None), "channel", "missing"),
        (
            Event(type=ChangeType.RECEIPT, reference="货" * 512, line="货" * 155),
            "reference",
            "too_long",
        ),
        (Event(sku="what", quantity=0), "quantity", "wrong_sign"),
        (Event(sku="what", counterparty="side"), "counterparty", "not_supported"),
        (
            of_type(ChangeType.DEMAND_EXPECTED, eta=datetime(1969, 12, 31, tzinfo=UTC)),
            "eta",
            "out_of_range",
        ),
        (
            of_type(ChangeType.SUPPLY_EXPECTED, eta=datetime.max.replace(tzinfo=UTC)),
            "eta",
            "out_of_range",
        ),
    ],
)
def test_what_no_one_can_apply_is_rejected(
    codes: Codes, event: Event, field: str, code: str
) -> None:
    mistake = only_mistake(decide([event], codes))
    assert (mistake.field, mistake.code) == (field, code)


@pytest.mark.parametrize(
    "event",
    [
        Event(quantity=-5, type=ChangeType.ADJUSTMENT),
        Event(quantity=0, type=ChangeType.COUNT),
        Event(occurred_at=datetime(2099, 1, 1, tzinfo=UTC)),
    ],
)
def test_what_may_be_right_is_left_to_the_ledger(codes: Codes, event: Event) -> None:
    assert len(decide([event], codes).accepted) == 1


def test_a_channels_own_token_implies_it_and_allows_no_other(codes: Codes) -> None:
    assert decide([Event(channel=None)], codes, "shop").accepted[0][1] == "shop"
    assert decide([Event()], codes, "shop").accepted
    with pytest.raises(ForeignChannel):
        decide([Event(), Event(channel="till")], codes, "shop")
    assert decide([Event(channel=None)], codes, "gone").rejected[0].mistakes[0].code == (
        "unknown_channel"
    )


@pytest.mark.parametrize("kind", ChangeType)
def test_every_type_is_accepted_with_what_it_needs(codes: Codes, kind: ChangeType) -> None:
    event = of_type(kind)
    counterparty = "side" if "counterparty" in SHAPES[kind].needs else None
    assert decide([event], codes).accepted == [(event, "shop", "A", "main", counterparty)]


@pytest.mark.parametrize("kind", ChangeType)
def test_a_type_takes_its_least_quantity_and_no_less(codes: Codes, kind: ChangeType) -> None:
    least = SHAPES[kind].least
    assert decide([of_type(kind, quantity=least)], codes).accepted
    assert decide([of_type(kind, quantity=MAX_QUANTITY)], codes).accepted
    mistake = only_mistake(decide([of_type(kind, quantity=least - 1)], codes))
    assert (mistake.field, mistake.code) == ("quantity", "wrong_sign")


@pytest.mark.parametrize(("kind", "name"), NEEDED)
def test_a_field_that_a_type_needs_is_asked_for(codes: Codes, kind: ChangeType, name: str) -> None:
    mistake = only_mistake(decide([of_type(kind, **{name: None})], codes))
    assert (mistake.field, mistake.code) == (name, "missing")


@pytest.mark.parametrize(("kind", "name"), ALLOWED)
def test_a_field_that_a_type_may_have_is_taken(codes: Codes, kind: ChangeType, name: str) -> None:
    assert decide([of_type(kind, **{name: FIELDS[name]})], codes).accepted


@pytest.mark.parametrize(("kind", "name"), FORBIDDEN)
def test_a_field_that_means_nothing_with_a_type_is_refused(
    codes: Codes, kind: ChangeType, name: str
) -> None:
    mistake = only_mistake(decide([of_type(kind, **{name: FIELDS[name]})], codes))
    assert (mistake.field, mistake.code) == (name, "not_supported")


@pytest.mark.parametrize("kind", ChangeType)
def test_every_type_may_say_that_it_is_about_on_hand(codes: Codes, kind: ChangeType) -> None:
    assert decide([of_type(kind, bucket=Bucket.ON_HAND)], codes).accepted


def test_a_counterparty_is_spelled_as_its_channel_spells_warehouses(codes: Codes) -> None:
    event = of_type(ChangeType.TRANSFER_RECEIVED, warehouse="WH-1", counterparty="WH-2")
    assert decide([event], codes).accepted == [(event, "shop", "A", "main", "side")]


@pytest.mark.parametrize(
    ("warehouse", "counterparty", "unknown"),
    [
        ("main", "where", (None, "where")),
        ("where", "side", ("where", None)),
        ("where", "else", ("where", "else")),
    ],
)
def test_a_counterparty_that_nobody_knows_waits_like_a_warehouse(
    codes: Codes, warehouse: str, counterparty: str, unknown: tuple[str | None, str | None]
) -> None:
    event = of_type(ChangeType.TRANSFER_SHIPPED, warehouse=warehouse, counterparty=counterparty)
    decision = decide([event], codes)
    assert [(each.warehouse, each.counterparty) for each in decision.unknown] == [unknown]
    assert decision.misses
    assert (decision.accepted, decision.rejected) == ([], [])


@pytest.mark.parametrize(
    ("warehouse", "counterparty"),
    [("main", "main"), ("main", "WH-1"), ("WH-1", "main"), ("WH-1", "WH-1"), ("where", "where")],
)
@pytest.mark.parametrize("sku", ["A", "what"])
def test_a_transfer_needs_two_warehouses_however_they_are_spelled(
    codes: Codes, warehouse: str, counterparty: str, sku: str
) -> None:
    event = of_type(
        ChangeType.TRANSFER_SHIPPED, warehouse=warehouse, counterparty=counterparty, sku=sku
    )
    mistake = only_mistake(decide([event], codes))
    assert (mistake.field, mistake.code) == ("counterparty", "same_warehouse")


@pytest.mark.parametrize("name", ["reference", "counterparty"])
def test_a_code_may_have_the_name_of_a_bucket(codes: Codes, name: str) -> None:
    codes.apply(Changes(2, warehouses=["on_hand"]))
    event = of_type(ChangeType.TRANSFER_SHIPPED, **{name: "on_hand"})
    assert decide([event], codes).accepted
