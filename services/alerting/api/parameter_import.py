"""Read the body of `POST /v1/parameters/import`: a JSON array, NDJSON, or a CSV table."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec
from pydantic import BaseModel, ValidationError

from services.alerting.api import sheets
from services.alerting.domain.parameter_values import EXPECTED, ParameterLine
from shared.http.problems import FieldError, Problem, words_of

MAX_LINES = 20_000
"""Some half a second's work, off the loop that answers others; 5 MiB hold as many, too."""

_JSON = "application/json"
_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_CSV = "text/csv"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_Entry = tuple[int, object]
"""What one entry says, behind its place in the body."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class RejectedLine(BaseModel):
    """A line that was not taken: its first mistake, and the others if any.

    `index` is from 0: of the entries of an array, or of the lines, blank ones counted; of a table
    those below its heading.
    """

    index: int
    field: str
    code: str
    message: str
    also: list[FieldError] = []


class Imported(BaseModel):
    """What became of the lines of an import; `unchanged` said what was known already."""

    created: int
    changed: int
    unchanged: int
    rejected: list[RejectedLine]


@dataclass(slots=True)
class Sheet:
    """The lines that can be taken, and those that cannot."""

    lines: list[ParameterLine] = field(default_factory=list)
    rejected: list[RejectedLine] = field(default_factory=list)


def read(body: bytes, content_type: str) -> Sheet:
    """Return the lines of a body, each checked by itself.

    Raises Problem: 400 for a body that is not what its type says, 413 for too many lines, 415
    for another type.
    """
    kind = content_type.partition(";")[0].strip().lower()
    body = body.removeprefix(_BYTE_ORDER_MARK)
    if kind == _JSON:
        return _checked(_array(body))
    if kind in _LINES:
        return _checked(_each_line(body))
    if kind == _CSV:
        return _checked(_table(body))
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        f"Send {_JSON} (an array), application/x-ndjson or {_CSV} (with the names in its first "
        "line), and say which in Content-Type.",
    )


def request_body() -> dict[str, object]:
    """Return the body as OpenAPI describes it."""
    line = ParameterLine.model_json_schema()
    example = {"sku": "85123A", "warehouse": "main", "safety_stock": 40, "lead_time_days": 7.5}
    table = "sku,warehouse,safety_stock,lead_time_days\n85123A,main,40,7.5\n"
    content = {
        _JSON: {"schema": {"type": "array", "items": line}, "example": [example]},
        "application/x-ndjson": {"schema": {"type": "string", "description": "One set a line"}},
        _CSV: {"schema": {"type": "string"}, "example": table},
    }
    return {"requestBody": {"required": True, "content": content}}


def _array(body: bytes) -> Iterable[_Entry]:
    try:
        found = msgspec.json.decode(body)
    except _UNREADABLE as error:
        raise _unreadable("not_json", f"The body is not JSON ({error}); send an array.") from error
    if not isinstance(found, list):
        raise _unreadable("not_an_array", "The body is no array; send [{…}, {…}].")
    return enumerate(found)


def _each_line(body: bytes) -> Iterator[_Entry]:
    for index, line in enumerate(body.split(b"\n")):
        if line.strip():
            try:
                yield index, msgspec.json.decode(line)
            except _UNREADABLE:
                yield index, None


def _table(body: bytes) -> Iterator[_Entry]:
    try:
        names, rows = sheets.table(body.decode())
        unknown = [name for name in names if name not in EXPECTED]
        if unknown or "sku" not in names or len(set(names)) < len(names):
            raise _unreadable(
                "unknown_columns",
                "The first line must name the columns, each once: sku, and any of "
                f"{', '.join(name for name in EXPECTED if name != 'sku')}.",
            )
        yield from rows
    except UnicodeDecodeError as error:
        detail = "The table is not UTF-8; save it as “CSV UTF-8”."
        raise _unreadable("not_utf8", detail) from error
    except csv.Error as error:
        raise _unreadable("not_csv", f"The table cannot be read ({error}).") from error


def _checked(entries: Iterable[_Entry]) -> Sheet:
    sheet = Sheet()
    seen: dict[tuple[str, str | None], int] = {}
    for index, entry in entries:
        if len(sheet.lines) + len(sheet.rejected) == MAX_LINES:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                f"An import has at most {MAX_LINES:,} lines; send it in smaller parts.",
            )
        line = _line(entry)
        if isinstance(line, ParameterLine):
            earlier = seen.setdefault((line.sku, line.warehouse), index)
            if earlier == index:
                sheet.lines.append(line)
                continue
            line = [_repeated(earlier)]
        first, *others = line
        sheet.rejected.append(RejectedLine(index=index, **first.model_dump(), also=others))
    return sheet


def _line(entry: object) -> ParameterLine | list[FieldError]:
    if not isinstance(entry, Mapping):
        message = "this entry is no JSON object; send {…}"
        return [FieldError(field="", code="not_an_object", message=message)]
    try:
        line = ParameterLine.model_validate(entry)
    except ValidationError as error:
        return [
            _mistake(str(each["loc"][0]), each["type"], words_of(each)) for each in error.errors()
        ]
    if not line.said:
        message = "the line sets nothing; send a value, or null to take one away"
        return [FieldError(field="", code="nothing_set", message=message)]
    return line


def _mistake(name: str, code: str, message: str) -> FieldError:
    expected = EXPECTED.get(name, f"one of {', '.join(EXPECTED)} only")
    words = f"{message[:1].lower()}{message[1:]}; send {expected}"
    return FieldError(field=name, code=code, message=words)


def _repeated(earlier: int) -> FieldError:
    return FieldError(
        field="sku",
        code="repeated",
        message=f"entry {earlier} has this SKU and warehouse already; send each once",
    )


def _unreadable(code: str, detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, code, detail)
