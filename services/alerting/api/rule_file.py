"""Rules as a YAML file, to be kept beside code: `rules`, each with its id, as PUT takes it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from typing_extensions import override
from yaml.composer import ComposerError

from services.alerting.domain.definition import RuleDefinition
from shared.http.problems import Problem, field_errors

MEDIA_TYPE = "application/yaml"
MAX_RULES = 1_000
SCHEMA: Final[dict[str, object]] = {
    "type": "object",
    "required": ["rules"],
    "properties": {"rules": {"type": "array", "items": {"type": "object"}}},
}
"""A file for the OpenAPI document; each rule is a NewRule that has an id."""


def _no_path(rule_id: str) -> str:
    if rule_id == "export":
        raise ValueError("/v1/rules/export is a path of its own; choose another id")
    return rule_id


RuleCode = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    AfterValidator(_no_path),
]
"""The id of a rule."""


class NewRule(RuleDefinition):
    """A rule to be made; without an `id` it gets one."""

    id: RuleCode | None = None

    def definition(self) -> RuleDefinition:
        """Return the rule without its id."""
        return RuleDefinition(**self.model_dump(exclude={"id"}))


class NamedRule(NewRule):
    """A rule with its id."""

    id: RuleCode


class RuleFile(BaseModel):
    """All that a file says."""

    model_config = ConfigDict(extra="forbid")

    rules: Annotated[list[NamedRule], Field(max_length=MAX_RULES)]


class _Loader(yaml.SafeLoader):
    """Refuses references: a few of them within each other stand for more than memory holds."""

    @override
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise ComposerError(None, None, "references (*name) are not read", mark)
        return super().compose_node(parent, index)


def write(rules: Sequence[tuple[str, RuleDefinition]]) -> str:
    """Return rules as a file; only what differs from the defaults is written."""
    said: list[Mapping[str, Any]] = [
        {"id": rule_id, **definition.model_dump(mode="json", exclude_defaults=True)}
        for rule_id, definition in rules
    ]
    return yaml.safe_dump({"rules": said}, allow_unicode=True, sort_keys=False)


def read(text: bytes) -> list[NamedRule]:
    """Return the rules of a file.

    Raises Problem: 400 for what is no YAML, with the position; 422 with what is wrong with which
    rule (`rules.2.levels.0.enter` is of the third).
    """
    try:
        # The loader is the safe one: it makes nothing but plain values. At what is not of the type
        # that it is said to be (`!!bool maybe`) it fails in ways of its own.
        found = yaml.load(text, _Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        words = " ".join(str(error).split())[:300]
        raise Problem(
            HTTPStatus.BAD_REQUEST, "not_yaml", f"The file cannot be read ({words})."
        ) from error
    try:
        rules = RuleFile.model_validate(found).rules
    except ValidationError as error:
        raise _invalid(field_errors(error.errors())) from error
    first: dict[str, int] = {}
    repeated = [
        index for index, rule in enumerate(rules) if first.setdefault(rule.id, index) != index
    ]
    if repeated:
        message = "there is a rule of this id further up; give each once"
        raise _invalid(
            [
                {"field": f"rules.{index}.id", "code": "repeated", "message": message}
                for index in repeated
            ]
        )
    return rules


def _invalid(errors: list[dict[str, str]]) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        "Nothing was taken: some rules are wrong; see errors.",
        errors=errors,
    )
