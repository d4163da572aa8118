"""Changes as the ledger works on them, for tests."""

from datetime import UTC, datetime, timedelta

from services.ledger.domain.changes import Change, Type, content_hash, identity_hash
from shared.events.stock_changes import Bucket

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TRANSFERS = {Type.TRANSFER_SHIPPED, Type.TRANSFER_ARRIVING, Type.TRANSFER_RECEIVED}


def change(**fields: object) -> Change:
    """Return a change; what is not given is a sale of one unit at noon."""
    given_ = {"type": Type.SALE, "quantity": 1, "hour": 0, "channel": "shop", "id": "1"} | fields
    channel, id_, line = str(given_["channel"]), str(given_["id"]), str(given_.get("line", "0"))
    type_, quantity = Type(int(str(given_["type"]))), int(str(given_["quantity"]))
    reason = given_.get("reason")
    occurred_at = NOON + timedelta(hours=int(str(given_["hour"])))
    reference, bucket, due = given_.get("reference"), given_.get("bucket"), given_.get("due")
    return Change(
        level=int(str(given_.get("level", 1))),
        type=type_,
        quantity=quantity,
        occurred_at=occurred_at,
        received_at=occurred_at,
        channel=channel,
        id=id_,
        line=line,
        reason=None if reason is None else str(reason),
        reference=None if reference is None else str(reference),
        actor=None if given_.get("actor") is None else str(given_["actor"]),
        hash=identity_hash(channel, id_, line),
        content=content_hash(type_.name.lower(), "A", "W", quantity, None, None),
        position=0,
        offset=0,
        counterparty="elsewhere" if type_ in TRANSFERS else None,
        bucket=None if bucket is None else Bucket(str(bucket)),
        eta=None if due is None else NOON + timedelta(days=int(str(due))),
    )
