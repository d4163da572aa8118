"""A custom condition as data: a field, a comparison and a value, joined by `all` and `any`."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from services.alerting.domain.fields import NUMBERS, TEXTS
from services.alerting.domain.fields import Field as Value
from services.alerting.domain.outcome import Reason
from services.alerting.domain.standing import Standing

MAX_PARTS = 100
"""Comparisons in a condition: some 10 µs a level at the most."""

MAX_DEPTH = 10

MAX_NUMBER = 10**12
MAX_TEXT = 200
MAX_VALUES = 1_000
TEXT = rf"^[^\x00-\x1f\x7f]{{0,{MAX_TEXT}}}$"

Holds = Callable[[Standing, int], bool | Reason]
"""Says whether it holds, or why that cannot be said; the number stands for what is available."""

Number = Annotated[float, Field(ge=-MAX_NUMBER, le=MAX_NUMBER, allow_inf_nan=False)]
Word = Annotated[str, StringConstraints(pattern=TEXT)]
Operator = Literal["<", "<=", ">", ">=", "==", "!=", "in"]

_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "in": lambda value, some: value in some,
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class OtherField(_Part):
    """A field to compare with."""

    field: str


class Comparison(_Part):
    """A field compared with a number, a text, several of them (`in`), or another field."""

    field: str
    comparison: Operator
    value: OtherField | Number | Word | Annotated[list[Number | Word], Field(max_length=MAX_VALUES)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problem = mistake(self.field, self.comparison, self.value)
        if problem is not None:
            raise ValueError(problem)
        return self


class AllOf(_Part):
    """Every part holds."""

    all: Annotated[list["Predicate"], Field(min_length=1, max_length=MAX_PARTS)]


class AnyOf(_Part):
    """At least one part holds."""

    any: Annotated[list["Predicate"], Field(min_length=1, max_length=MAX_PARTS)]


def _sort(value: object) -> str:
    for name in ("all", "any"):
        if (isinstance(value, Mapping) and name in value) or hasattr(value, name):
            return name
    return "comparison"


Predicate = Annotated[
    Annotated[Comparison, Tag("comparison")]
    | Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")],
    Discriminator(_sort),
]

AllOf.model_rebuild()
AnyOf.model_rebuild()


def mistake(field: str, comparison: str, value: object) -> str | None:
    """Return what is wrong with a comparison, in words that say what to do, or None."""
    kind: type = float if field in NUMBERS else str
    if field not in NUMBERS and field not in TEXTS:
        return f"there is no field {field}; use one of {', '.join((*NUMBERS, *TEXTS))}"
    if isinstance(value, OtherField):
        if comparison == "in":
            return "in takes a list of values, not a field"
        same = NUMBERS if field in NUMBERS else TEXTS
        if value.field not in same:
            return f"{field} can be compared with one of {', '.join(same)} only"
    elif isinstance(value, list) != (comparison == "in"):
        return "in takes a list of values, every other comparison takes one"
    values = value if isinstance(value, list) else [value]
    wanted = (kind, OtherField)
    if not all(isinstance(each, wanted) for each in values):
        return f"{field} is a {'number' if kind is float else 'text'}; compare it with one"
    if kind is str and comparison not in {"==", "!=", "in"}:
        return f"{field} is a text; compare it by ==, != or in"
    return None


def parts(predicate: "Predicate") -> int:
    """Return how many comparisons there are."""
    return 1 if isinstance(predicate, Comparison) else sum(map(parts, _within(predicate)))


def depth(predicate: "Predicate") -> int:
    """Return how deep groups are nested."""
    return 0 if isinstance(predicate, Comparison) else 1 + max(map(depth, _within(predicate)))


def fields(predicate: "Predicate") -> set[str]:
    """Return the fields that it asks for."""
    if isinstance(predicate, Comparison):
        other = predicate.value
        return {predicate.field} | ({other.field} if isinstance(other, OtherField) else set())
    return set[str]().union(*map(fields, _within(predicate)))


def compiled(predicate: "Predicate") -> Holds:
    """Return a condition as it is evaluated.

    What cannot be said of a part cannot be said of the whole, unless the other parts decide it.
    """
    match predicate:
        case Comparison():
            return _compared(predicate)
        case AllOf():
            return _joined([compiled(part) for part in predicate.all], decisive=False)
        case AnyOf():
            return _joined([compiled(part) for part in predicate.any], decisive=True)


def _within(group: AllOf | AnyOf) -> Sequence["Predicate"]:
    return group.all if isinstance(group, AllOf) else group.any


def _compared(said: Comparison) -> Holds:
    compare = _OPERATORS[said.comparison]
    left = _getter(said.field)
    if isinstance(said.value, OtherField):
        right = _getter(said.value.field)

        def fields_hold(at: Standing, units: int) -> bool | Reason:
            one, other = left(at, units), right(at, units)
            if isinstance(one, Reason):
                return one
            return other if isinstance(other, Reason) else compare(one, other)

        return fields_hold
    value = said.value

    def value_holds(at: Standing, units: int) -> bool | Reason:
        one = left(at, units)
        return one if isinstance(one, Reason) else compare(one, value)

    return value_holds


def _joined(parts_hold: Sequence[Holds], *, decisive: bool) -> Holds:
    def holds(at: Standing, units: int) -> bool | Reason:
        unknown: Reason | None = None
        for part in parts_hold:
            found = part(at, units)
            if found is decisive:
                return decisive
            if isinstance(found, Reason):
                unknown = unknown or found
        return not decisive if unknown is None else unknown

    return holds


def _getter(name: str) -> Value:
    return NUMBERS[name] if name in NUMBERS else TEXTS[name]


@dataclass(frozen=True, slots=True)
class Custom:
    """A condition as a rule holds it: compiled, and as text for people."""

    text: str
    """Says all that it is: two with the same text are equal."""
    holds: Holds = field(compare=False)
