from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from services.ingest.domain.codes import Action, Changes, Codes, Kind, Mapping, SkuSpellings
from services.ingest.domain.decision import ForeignChannel, decide
from shared.events.stock_changes import ChangeType

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    channel: str | None = "shop"
    sku: str = "A"
    warehouse: str = "main"
    quantity: int = 1
    type: ChangeType = ChangeType.SALE
    occurred_at: datetime = NOON


@pytest.fixture
def codes() -> Codes:
    known = Codes()
    ignored = [
        Mapping("shop", Kind.SKU, "POST", Action.IGNORE),
        Mapping("shop", Kind.WAREHOUSE, "drop", Action.IGNORE),
    ]
    known.apply(Changes(1, ["shop"], ["main"], [SkuSpellings("A", ("a",))], ignored))
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
        (events[0], "shop", "A", "main"),
        (events[8], "shop", "A", "main"),
    ]
    assert [(each.sku, each.warehouse) for each in decision.unknown] == [
        ("what", None),
        (None, "where"),
        ("what", "where"),
    ]
    assert decision.ignored == 1
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
    ],
)
def test_what_is_ignored_need_not_be_right(codes: Codes, event: Event) -> None:
    decision = decide([event], codes)
    assert (decision.ignored, decision.rejected, decision.unknown) == (1, [], [])
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
        (Event(sku="what", quantity=0), "quantity", "wrong_sign"),
    ],
)
def test_what_no_one_can_apply_is_rejected(
    codes: Codes, event: Event, field: str, code: str
) -> None:
    decision = decide([event], codes)
    ((mistake,),) = [each.mistakes for each in decision.rejected]
    assert (mistake.field, mistake.code) == (field, code)
    assert ";" in mistake.message
    assert decision.unknown == []


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
