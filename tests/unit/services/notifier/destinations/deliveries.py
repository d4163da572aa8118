"""Deliveries and destinations for the tests of each kind."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.notifier.domain.addresses import Address
from services.notifier.domain.contents import (
    Digest,
    DigestLine,
    FailedOrder,
    FailureNote,
    TestNote,
)
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Destination, Language
from shared.events.alert_reports import AlertReport
from shared.events.stock_alerts import Action, AlertEvent, AlertLevel, StockAlert
from tests.factories.alert_reports import brief, review
from tests.factories.stock_alerts import START, stock_alert

NOW = datetime(2026, 3, 1, 8, 0, 1, tzinfo=UTC)

LINES = tuple(DigestLine(alert=stock_alert(number)) for number in range(1, 41))

WIDE = "\U0001f4e6"
LONGEST = stock_alert(
    10**12,
    sku=WIDE * 128,
    sku_name=WIDE * 5_000,
    warehouse=WIDE * 128,
    note=WIDE * 5_000,
    acknowledged_by=WIDE * 5_000,
    rule={"id": "r", "version": 1, "kind": "below", "name": {"zh-CN": WIDE * 5_000}},
    facts={
        "available": -(10**12),
        "on_hand": -(10**12),
        "low_water": -(10**12),
        "threshold": 10.0**12,
        "daily_sales": 10.0**12,
        "days_of_cover": 10.0**12,
        "incoming": 10**12,
        "runs_out_at": START,
        "next_arrival": {
            "quantity": 10**12,
            "due_at": START + timedelta(days=1),
            "reference": WIDE * 5_000,
        },
        "doubts": {
            "flags": ["negative", "not_ordered", "in_doubt", "unusual", "z" * 64],
            "count_days": 10**6,
            "silent": [WIDE * 127 + str(number % 10) for number in range(20)],
        },
    },
)
"""An alert with the longest of everything."""

LONGEST_REQUEST = LONGEST.model_copy(
    update={
        "event": AlertEvent.ACTED,
        "revision": 2,
        "actor": WIDE * 5_000,
        "action": Action.model_validate(
            {
                "id": UUID(int=11),
                "kind": "lower_share",
                "state": "proposed",
                "quantity": 10**12,
                "source": WIDE * 128,
                "due_at": START,
                "order": {
                    "id": UUID(int=12),
                    "number": 12,
                    "reference": WIDE * 5_000,
                    "line": "1",
                    "lines": "/v1/orders/12",
                },
            }
        ),
    }
)
"""What somebody has to approve, at its longest."""

EVIL = stock_alert(
    sku_name="<@all> [登录](http://evil.example) <!channel> **`x`**\n> 假行\u2028&lt;@U1&gt;",
    note="<at id=all></at> <http://evil.example|登录>",
)
"""An alert whose texts are markup of one vendor or another."""


def destination(language: Language, address: Address) -> Destination:
    return Destination(
        id="buyers",
        name="Buyers",
        language=language,
        timezone="Asia/Shanghai" if language is Language.CHINESE else "Europe/London",
        enabled=True,
        address=address,
    )


def delivery(
    content: StockAlert | Digest | AlertReport | TestNote | FailureNote,
    kind: Kind = Kind.FIRST,
    *,
    duplicate_possible: bool = False,
) -> Delivery:
    alert = content if isinstance(content, StockAlert) else None
    return Delivery(
        id=UUID(int=7),
        kind=kind,
        alert_id=None if alert is None else alert.alert_id,
        alert_number=None if alert is None else alert.number,
        event=None if alert is None else alert.event,
        content=content.model_dump_json(),
        attempts=1,
        duplicate_possible=duplicate_possible,
        has_first=False,
    )


def digest(lines: tuple[DigestLine, ...] = LINES, episodes: int = 3_000) -> Digest:
    return Digest(
        total=3_456,
        opened={AlertLevel.OUT: 1_000, AlertLevel.URGENT: 1_500, AlertLevel.WATCH: 500},
        changes={AlertEvent.RESOLVED: 456},
        episodes=episodes,
        lines=lines,
    )


TEST = delivery(TestNote(destination_name="Buyers", asked_by="anna"), Kind.TEST)
META = delivery(
    FailureNote(
        destination="buyers", destination_name="Buyers", detail="errcode 93000", alert_number=7
    ),
    Kind.META,
)


def failed_order(name: str, code: str) -> Delivery:
    """Return a note that an order did not reach its supplier."""
    order = FailedOrder(id=UUID(int=12), reference=code, supplier_name=name, address="a@b.example")
    note = FailureNote(
        destination="office", destination_name="Office", detail=f"550 {name}", order=order
    )
    return delivery(note, Kind.META)


ENDED_BY_HAND: dict[str, object] = {"event": AlertEvent.RESOLVED, "revision": 4}
"""An end that a person has made, but for who and why."""

ACTED: dict[str, object] = {
    "event": "acted",
    "revision": 2,
    "actor": "lin",
    "names": {"lin": "林"},
    "action": {
        "id": UUID(int=11),
        "kind": "buy",
        "state": "ordered",
        "quantity": 1_200,
        "due_at": START + timedelta(days=5),
        "order": {
            "id": UUID(int=12),
            "number": 12,
            "reference": "LT-12",
            "line": "1",
            "lines": "/v1/orders/12",
        },
    },
}
"""What was ordered."""

REQUESTED: dict[str, object] = ACTED | {
    "action": {"id": UUID(int=11), "kind": "buy", "state": "proposed", "quantity": 1_200},
    "to": [
        {
            "id": "wang",
            "name": "王",
            "language": "zh-CN",
            "wecom_userid": "WangWu",
            "slack_user_id": "U012AB3CDE",
        }
    ],
}
"""What somebody has to approve."""

EVERY_KIND = {
    "first": delivery(stock_alert(7)),
    "change": delivery(stock_alert(7, revision=2, event="resolved"), Kind.CHANGE),
    "acknowledged": delivery(
        stock_alert(7, revision=2, event="acknowledged", acknowledged_by="李雷", note="已下单"),
        Kind.CHANGE,
    ),
    "ordered": delivery(stock_alert(7, **ACTED), Kind.CHANGE),
    "digest": delivery(digest(), Kind.DIGEST),
    "test": TEST,
    "meta": META,
    "longest": delivery(LONGEST, duplicate_possible=True),
    "longest end": delivery(
        LONGEST.model_copy(update=ENDED_BY_HAND | {"actor": WIDE * 5_000}), Kind.CHANGE
    ),
    "longest request": delivery(LONGEST_REQUEST, Kind.CHANGE, duplicate_possible=True),
    "longest reminder": delivery(
        LONGEST_REQUEST.model_copy(update={"event": AlertEvent.REMINDED}), Kind.CHANGE
    ),
    "longest digest": delivery(
        digest(tuple(DigestLine(alert=LONGEST) for _ in range(40))), Kind.DIGEST
    ),
    "evil": delivery(EVIL),
    "brief": delivery(brief(), Kind.REPORT),
    "longest brief": delivery(brief(20, name=WIDE * 5_000, code=WIDE * 128), Kind.REPORT),
    "evil brief": delivery(brief(2, name=str(EVIL.sku_name)), Kind.REPORT),
    "review": delivery(review(), Kind.REPORT),
    "longest review": delivery(review(20, name=WIDE * 200), Kind.REPORT),
    "failed order": failed_order("Acme", "LT-12"),
    "longest failed order": failed_order(WIDE * 5_000, WIDE * 128),
    "evil failed order": failed_order(str(EVIL.sku_name), "LT-12"),
}
"""One delivery of each kind, and the hardest ones."""


def link_of(name: str) -> str:
    """Return how the link begins that one of them ends with."""
    places = {"review": "review", "order": "orders"}
    return f"http://console.example/{places.get(name.rpartition(' ')[2], 'alerts')}"
