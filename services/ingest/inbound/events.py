"""Read the body of `POST /v1/events`: one event, an array, or NDJSON.

The good way is one call of msgspec for the whole body (1 µs an event). Only what it refuses is
looked at again, entry by entry, and by the pydantic model for words that help the sender; a
contract test keeps `SubmittedEvent` and `StockChange` the same.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from pydantic import ValidationError

from services.ingest.domain.mistakes import EXPECTED, Mistake, Rejected
from shared.events.base import MAX_QUANTITY
from shared.events.stock_changes import Bucket, ChangeType, StockChange
from shared.http.app import too_large
from shared.http.problems import Problem

MAX_EVENTS = 1_000
LINES_TYPES: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Room for blank lines between the events; bounds what is split at once.
_MAX_LINES = 2 * MAX_EVENTS + 1

# \Z, as Python's $ also matches before a line feed at the end.
_Identity = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
_Code = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^|\x00-\x1f\x7f]+\Z")]
_Text = Annotated[str, Meta(max_length=512, pattern=r"^[^\x00]*\Z")]
_Instant = Annotated[datetime, Meta(tz=True)]


class SubmittedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event as a channel sends it; codes are the channel's own spellings.

    Whether the optional fields fit the type is decided later, once no code is one to ignore.
    """

    id: _Identity
    type: ChangeType
    sku: _Code
    warehouse: _Code
    quantity: Annotated[int, Meta(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
    occurred_at: _Instant
    channel: _Code | None = None
    line: _Identity = "0"
    reason: _Text | None = None
    reference: _Text | None = None
    counterparty: _Code | None = None
    bucket: Bucket | None = None
    eta: _Instant | None = None
    actor: _Text | None = None
    v: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Parsed:
    """The events of a body in their order; None where one was rejected."""

    events: list[SubmittedEvent | None]
    rejected: list[Rejected]


_ONE = msgspec.json.Decoder(SubmittedEvent)
_MANY = msgspec.json.Decoder(list[SubmittedEvent])
_RAW = msgspec.json.Decoder(msgspec.Raw)
_RAW_MANY = msgspec.json.Decoder(list[msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NO_JSON = (ValueError, RecursionError)
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(body: bytes, *, lines: bool) -> Parsed:
    """Return the events of a body; `lines` when its content type says NDJSON.

    Raises Problem: 400 `not_json`, 413 for more than 1,000 events.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    if body.lstrip()[:1] == b"[":
        return _array(body)
    return _lines(body) if lines else _single(body)


def _array(body: bytes) -> Parsed:
    try:
        events: list[SubmittedEvent | None] = [*_MANY.decode(body)]
    except _UNREADABLE:
        try:
            entries = _RAW_MANY.decode(body)
        except _UNREADABLE as error:
            return _examined(_halved(body, error))
        return _examined(entries)
    if len(events) > MAX_EVENTS:
        raise too_large("The request")
    return Parsed(events, [])


def _halved(body: bytes, refusal: Exception) -> list[bytes]:
    """Return the entries of an array that msgspec refuses as a whole for half a character."""
    try:
        values = _halves(body)
    except _NO_JSON:
        raise _not_json(refusal) from refusal
    if not isinstance(values, list):
        raise _not_json(refusal)
    return [json.dumps(each).encode() for each in values[: MAX_EVENTS + 1]]


def _single(body: bytes) -> Parsed:
    try:
        return Parsed([_ONE.decode(body)], [])
    except _UNREADABLE:
        try:
            _RAW.decode(body)
        except _UNREADABLE as error:
            first, _, others = body.lstrip().partition(b"\n")
            if others.strip() and _is_json(first):
                return _lines(body)
            if not _is_halved(body):
                raise _not_json(error) from error
        return _examined([body])


def _lines(body: bytes) -> Parsed:
    if body.count(b"\n") > _MAX_LINES:
        raise too_large("The request")
    entries = [line for line in body.split(b"\n") if line.strip()]
    if not any(_is_json(entry) for entry in entries):
        raise _not_json(ValueError("no line of it is"))
    return _examined(entries)


def _is_json(entry: bytes) -> bool:
    try:
        _RAW.decode(entry)
    except _UNREADABLE:
        return _is_halved(entry)
    return True


def _is_halved(entry: bytes) -> bool:
    """Return whether an entry is JSON but for half a character in it, which is a mistake of its."""
    try:
        _halves(entry)
    except _NO_JSON:
        return False
    return True


def _examined(entries: list[msgspec.Raw] | list[bytes]) -> Parsed:
    if len(entries) > MAX_EVENTS:
        raise too_large("The request")
    parsed = Parsed([], [])
    for index, entry in enumerate(entries):
        try:
            parsed.events.append(_ONE.decode(entry))
        except _UNREADABLE as error:
            parsed.events.append(None)
            parsed.rejected.append(_rejected(index, entry, error))
    return parsed


def _rejected(index: int, entry: bytes | msgspec.Raw, refusal: Exception) -> Rejected:
    halved: list[Mistake] = []
    try:
        value = msgspec.json.decode(entry)
    except _UNREADABLE:
        halved = [_HALVED]
        try:
            value = _halves(bytes(entry))
        except _NO_JSON:
            return Rejected(index, [_NOT_JSON])
    if not isinstance(value, dict):
        return Rejected(index, [_NO_OBJECT])
    channel = value.get("channel")
    return Rejected(
        index,
        list(_faults(value)) or halved or [_refused(str(refusal))],
        channel if isinstance(channel, str) else None,
    )


def _halves(text: bytes) -> object:
    """Return what JSON says in which a text has half of an emoji or the like; raises _NO_JSON."""
    if not _HALF.search(text):
        raise ValueError("something else is wrong with it")
    return json.loads(text.decode(), parse_constant=_no_number)


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


_NOT_JSON: Final = Mistake("", "not_json", "this entry is not JSON; check its syntax and encoding")
_NO_OBJECT: Final = Mistake("", "not_an_object", "an event is a JSON object; send {…}")
_HALVED: Final = Mistake(
    "",
    "not_allowed",
    "a text in this entry ends or begins within a character; send whole characters",
)

# Stands in for what ingest itself adds, so that only the sender's own mistakes are found.
_ADDED: Final = {"received_at": datetime(2000, 1, 1, tzinfo=UTC)}
_IMPLIED: Final = {"channel": "implied"}

_CODES: Final = {
    "missing": "missing",
    "string_too_short": "empty",
    "string_too_long": "too_long",
    "string_pattern_mismatch": "not_allowed",
    "string_unicode": "not_allowed",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "timezone_aware": "no_zone",
    "value_error": "out_of_range",
}
_WRONG: Final = {
    "missing": "is missing",
    "empty": "is empty",
    "too_long": "is too long",
    "not_allowed": "has characters that are not allowed",
    "unknown_type": "is no type of change",
    "unknown_bucket": "is nothing that can be counted",
    "out_of_range": "is out of range",
    "no_zone": "has no time zone",
    "not_a_time": "is not a time",
    "wrong_type": "has the wrong type",
}


def _faults(value: dict[str, object]) -> Iterable[Mistake]:
    implied = _IMPLIED if value.get("channel") is None else {}
    try:
        StockChange.model_validate(value | _ADDED | implied)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            if not fault["loc"]:
                yield Mistake(**fault["ctx"])  # each field is right, but they do not fit the type
                continue
            field = str(fault["loc"][0])
            yield _mistake(field, _code(field, fault["type"]))
    except OverflowError:
        yield _mistake("occurred_at", "out_of_range")


def _code(field: str, kind: str) -> str:
    if kind == "enum":
        return f"unknown_{field}"
    return "not_a_time" if kind.startswith("datetime") else _CODES.get(kind, "wrong_type")


def _mistake(field: str, code: str) -> Mistake:
    expected = EXPECTED.get(field, "what the documentation at /openapi.json says")
    return Mistake(field, code, f"{field} {_WRONG[code]}; send {expected}")


def _refused(refusal: str) -> Mistake:
    """Say what msgspec alone is strict about, such as a time given as a number."""
    _, _, path = refusal.rpartition("`$.")
    field = path.rstrip("`")
    if field in EXPECTED:
        return _mistake(field, "wrong_type")
    return Mistake("", "invalid", f"the event is not valid: {refusal}")


def _not_json(error: Exception) -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "not_json",
        f"The body is not JSON ({error}); send one event, an array of events, or one event a line.",
    )
