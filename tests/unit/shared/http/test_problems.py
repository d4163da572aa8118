"""What was wrong, as people are told."""

from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from shared.http.problems import field_errors


class Step(BaseModel):
    minutes: Annotated[int, Field(ge=1)]


class Plan(BaseModel):
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


def wrong(steps: list[dict[str, object]]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as raised:
        Plan.model_validate({"steps": steps})
    return [(each["field"], each["code"]) for each in field_errors(raised.value.errors())]


def test_a_list_of_wrong_entries_is_not_too_short_as_well() -> None:
    assert wrong([{"minutes": 0}]) == [("steps.0.minutes", "greater_than_equal")]


def test_a_list_that_is_too_short_is_said_to_be() -> None:
    assert wrong([]) == [("steps", "too_short")]


def _even(number: int) -> int:
    if number % 2:
        raise ValueError("write an even number")
    return number


class Pair(BaseModel):
    shoes: Annotated[int, AfterValidator(_even)]


def test_what_a_check_of_ours_says_is_said_without_a_preface() -> None:
    with pytest.raises(ValidationError) as raised:
        Pair.model_validate({"shoes": 3})
    (told,) = field_errors(raised.value.errors())
    assert told["message"] == "write an even number"
