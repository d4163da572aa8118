"""What is asked and answered about rules."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from services.alerting.domain import cel
from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.predicate import Predicate
from services.alerting.store.rules import StoredRule
from shared.http.problems import FieldError

NEWEST = 2**31 - 1
"""The greatest number that a version can have."""


class Rule(RuleDefinition):
    """One version of a rule, and who made it.

    `cel` is its condition as text, `clear_cel` its clear condition.
    """

    cel: str | None
    clear_cel: str | None
    id: str
    version: int
    changed_by: str
    changed_at: datetime

    @classmethod
    def of(cls, stored: StoredRule) -> Self:
        """Return a stored version as it is answered."""
        definition = definition_of(stored)
        return cls(
            **definition.model_dump(),
            cel=text_of(definition.condition),
            clear_cel=text_of(definition.clear_condition),
            id=stored.id,
            version=stored.version,
            changed_by=stored.changed_by,
            changed_at=stored.changed_at,
        )


class Verdict(BaseModel):
    """Whether a rule could be saved: as it would be, defaults filled in, or what is wrong.

    `cel` is its condition as text, `clear_cel` its clear condition.
    """

    valid: bool
    rule: RuleDefinition | None = None
    cel: str | None = None
    clear_cel: str | None = None
    errors: list[FieldError] = []


class RollBack(BaseModel):
    """Which version is to hold again."""

    version: Annotated[int, Field(ge=1, le=NEWEST)]


class ImportedRules(BaseModel):
    """What became of the rules of a file; `unchanged` ones were like that already."""

    created: list[str]
    changed: list[str]
    unchanged: list[str]


def definition_of(stored: StoredRule) -> RuleDefinition:
    """Return a rule as it was written."""
    return RuleDefinition.model_validate_json(stored.body)


def text_of(condition: Predicate | None) -> str | None:
    """Return a condition of a rule as text; None where it has none."""
    return None if condition is None else cel.write(condition)
