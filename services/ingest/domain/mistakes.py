"""What can be wrong with an event, said so that the sender can mend it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from shared.events.base import MAX_QUANTITY
from shared.events.stock_changes import Bucket, ChangeType

EXPECTED: Final = {
    "id": "the source's own id of this change, text of 1 to 256 characters",
    "line": "the line within the id, text of 1 to 256 characters, or leave it out",
    "channel": "the id of a channel, text of 1 to 128 characters",
    "type": "one of " + ", ".join(each.value for each in ChangeType),
    "sku": "a SKU or the channel's code for it, text of 1 to 128 characters without |",
    "warehouse": "a warehouse or the channel's code for it, text of 1 to 128 characters without |",
    "quantity": f"a whole number of base units within ±{MAX_QUANTITY:,}, not text or a decimal",
    "occurred_at": "when it happened, with its zone, such as 2026-03-01T09:30:00+08:00",
    "reason": "text of at most 512 characters, or leave it out",
    "reference": "the order, purchase order or sheet it belongs to, text of at most 512 characters",
    "counterparty": (
        "a transfer's other warehouse or the channel's code for it, text of 1 to 128 characters "
        "without |"
    ),
    "bucket": "what was counted: " + ", ".join(each.value for each in Bucket),
    "eta": "when it is due, with its zone, such as 2026-03-08T09:30:00+08:00",
    "actor": "text of at most 512 characters, or leave it out",
    "v": "the number 1, or leave it out",
}
"""What each field of an event has to be, to end a sentence with."""


class Detail(TypedDict):
    """One mistake as it is answered."""

    field: str
    code: str
    message: str


class Entry(Detail, total=False):
    """All mistakes of one event as they are answered: the first, and the others if any."""

    index: int
    also: list[Detail]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a field; `code` is stable, `message` says what to do."""

    field: str
    code: str
    message: str

    def detail(self) -> Detail:
        """Return the mistake as it is answered."""
        return Detail(field=self.field, code=self.code, message=self.message)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that cannot be accepted; `index` counts from 0 within the request.

    `channel` is what it names as its channel, if that can be read.
    """

    index: int
    mistakes: Sequence[Mistake]
    channel: str | None = None

    def entry(self) -> Entry:
        """Return one entry per event, so that entries can be counted as events."""
        first, *others = (mistake.detail() for mistake in self.mistakes)
        entry = Entry(
            index=self.index, field=first["field"], code=first["code"], message=first["message"]
        )
        if others:
            entry["also"] = others
        return entry


def unknown_channel(channel: str) -> Mistake:
    """Return the mistake of naming a channel that nobody set up."""
    return Mistake(
        "channel",
        "unknown_channel",
        f"there is no channel {channel!r}; set it up by PUT /v1/channels/{{id}} or correct it",
    )


def missing_channel() -> Mistake:
    """Return the mistake of naming no channel with a token that implies none."""
    return Mistake(
        "channel",
        "missing",
        "channel is missing; name it in the event, or use a token of the channel",
    )


def same_warehouse(warehouse: str) -> Mistake:
    """Return the mistake of a transfer whose two codes are one warehouse."""
    return Mistake(
        "counterparty",
        "same_warehouse",
        f"warehouse and counterparty are both {warehouse!r}; send the other warehouse of the "
        "transfer as counterparty, or correct the mapping",
    )
