"""Records that `stock.changes` may carry although they are wrong: every kind anyone thought of."""

import json

from shared.events.base import MAX_QUANTITY

GOOD: dict[str, object] = {
    "id": "1",
    "channel": "shop",
    "type": "sale",
    "sku": "A",
    "warehouse": "W",
    "quantity": 1,
    "occurred_at": "2026-03-01T12:00:00Z",
    "received_at": "2026-03-01T12:00:00.25Z",
}

WIDE = "".join(chr(0x20000 + 7_919 * number % 42_000) for number in range(512))
"""As long a text as a reference may be, in characters of four bytes that nothing compresses."""


def raw(**fields: object) -> bytes:
    """Return a record's value; what is not given is a sale of one unit at noon."""
    return json.dumps(GOOD | fields, ensure_ascii=False).encode()


BAD: dict[str, bytes | None] = {
    "not JSON": b"not json",
    "nothing": b"",
    "null value": None,
    "null": b"null",
    "an array": b"[]",
    "an array of one": b"[" + raw() + b"]",
    "a number": b"7",
    "a text": b'"sale"',
    "no fields": b"{}",
    "a cut record": raw()[:-20],
    "a byte order mark": b"\xef\xbb\xbf" + raw(),
    "UTF-16": raw().decode().encode("utf-16"),
    "a byte that is no UTF-8": raw().replace(b'"A"', b'"\xff"'),
    "UTF-8 of a surrogate": raw().replace(b'"A"', b'"\xed\xa0\x80"'),
    "half a surrogate pair": raw().replace(b'"A"', b'"\\ud800"'),
    "half a surrogate pair in a remark": raw(reason="x").replace(b'"x"', b'"\\udc00x"'),
    "two values": raw() + raw(),
    "two values with a comma": raw() + b"," + raw(id="2"),
    "two lines": raw() + b"\n" + raw(id="2"),
    "deep nesting": raw(x=0).replace(b'"x": 0', b'"x": ' + b"[" * 50_000 + b"]" * 50_000),
    "deep nesting, never closed": b'{"x":' * 100_000,
    "an array never closed": b"[" * 1_000_000,
    "a digit bomb": raw().replace(b'"quantity": 1', b'"quantity": ' + b"1" * 100_000),
    "a huge exponent": raw().replace(b'"quantity": 1', b'"quantity": 1e400'),
    "an exponent": raw().replace(b'"quantity": 1', b'"quantity": 1e2'),
    "a fraction of zero": raw().replace(b'"quantity": 1', b'"quantity": 1.0'),
    "not a number": raw().replace(b'"quantity": 1', b'"quantity": NaN'),
    "infinity": raw().replace(b'"quantity": 1', b'"quantity": Infinity'),
    "an octal": raw().replace(b'"quantity": 1', b'"quantity": 01'),
    "a quantity as text": raw(quantity="1"),
    "a quantity that is true": raw(quantity=True),
    "no quantity": raw(quantity=None),
    "64 bits overflown": raw(quantity=2**63),
    "128 bits": raw(quantity=2**127),
    "more than anyone has": raw(quantity=MAX_QUANTITY + 1),
    "a sale of nothing": raw(quantity=0),
    "a sale below zero": raw(quantity=-1),
    "a return of nothing": raw(type="return", quantity=0),
    "a receipt below zero": raw(type="receipt", quantity=-5),
    "an adjustment by nothing": raw(type="adjustment", quantity=0),
    "a count below zero": raw(type="count", quantity=-1),
    "a supply below zero": raw(type="supply_expected", quantity=-1, reference="PO 1"),
    "an order of nothing": raw(type="order_placed", quantity=0, reference="7"),
    "an order without a reference": raw(type="order_placed"),
    "an order with an empty reference": raw(type="order_placed", reference=""),
    "a supply without a reference": raw(type="supply_cancelled", reference=None),
    "a demand without a date": raw(type="demand_expected", reference="WO 1"),
    "a transfer to nowhere": raw(type="transfer_shipped"),
    "a transfer to where it is": raw(type="transfer_received", counterparty="W"),
    "a transfer of another bucket": raw(
        type="transfer_shipped", counterparty="B", bucket="unavailable"
    ),
    "a sale with a counterparty": raw(counterparty="B"),
    "a sale of another bucket": raw(bucket="available"),
    "a sale with a due time": raw(eta="2026-03-08T12:00:00Z"),
    "a bucket that is none": raw(type="count", bucket="reserved"),
    "a bar in a counterparty": raw(type="transfer_shipped", counterparty="B|"),
    "a due time without a zone": raw(
        type="demand_expected", reference="WO 1", eta="2026-03-08T12:00:00"
    ),
    "a due time after the calendar": raw(
        type="demand_expected", reference="WO 1", eta="9999-12-31T23:59:59-00:01"
    ),
    "an unknown type": raw(type="gift"),
    "a type in another case": raw(type="Sale"),
    "an id that is a number": raw(id=1),
    "an empty id": raw(id=""),
    "a long id": raw(id="x" * 257),
    "a line break in an id": raw(id="a\nb"),
    "a NUL in an id": raw(id="a\x00"),
    "a raw control character": raw().replace(b'"A"', b'"A\x01"'),
    "a delete character": raw(sku="A\x7f"),
    "a delete character, escaped": raw().replace(b'"A"', b'"A\\u007f"'),
    "a bar in a SKU": raw(sku="A|W"),
    "an escaped bar": raw().replace(b'"A"', b'"A\\u007cW"'),
    "a bar in a warehouse": raw(warehouse="W|"),
    "a bar in a channel": raw(channel="|"),
    "a long SKU": raw(sku="x" * 129),
    "an empty warehouse": raw(warehouse=""),
    "a line with too long a name": raw(type="receipt", reference=WIDE, line=WIDE[:256]),
    "a demand with too long a name": raw(
        type="demand_expected", reference=WIDE[:500], eta="2026-03-08T12:00:00Z"
    ),
    "a NUL in a reason": raw(reason="\x00"),
    "a long actor": raw(actor="x" * 513),
    "a time without a zone": raw(occurred_at="2026-03-01T12:00:00"),
    "a time that is a number": raw(occurred_at=1_772_366_400),
    "a day": raw(occurred_at="2026-03-01"),
    "a day that is none": raw(occurred_at="2026-02-30T12:00:00Z"),
    "a zone of a whole day": raw(occurred_at="2026-03-01T12:00:00+24:00"),
    "a time before the calendar": raw(occurred_at="0001-01-01T00:00:00+23:59"),
    "a time after the calendar": raw(received_at="9999-12-31T23:59:59-00:01"),
    "a time in the year 10000": raw(received_at="10000-01-01T00:00:00Z"),
    "version 0": raw(v=0),
    "a version as text": raw(v="2"),
    "no version": raw(v=None),
}
UNDECODABLE = {
    "not JSON", "nothing", "null value", "a cut record", "a byte order mark", "UTF-16",
    "a byte that is no UTF-8", "UTF-8 of a surrogate", "half a surrogate pair",
    "half a surrogate pair in a remark", "two values", "two values with a comma", "two lines",
    "deep nesting", "deep nesting, never closed", "not a number", "infinity", "an octal",
    "a raw control character",
}  # fmt: skip
