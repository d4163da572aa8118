"""When a rule may open, as a person writes it."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.working_time import WorkingCalendar
from shared.http.problems import field_errors


def define(active: object) -> RuleDefinition:
    return RuleDefinition.model_validate(
        {"name": {"en": "Rule"}, "kind": "stock_out", "active": active}
    )


NIGHTS = {
    "zone": "Asia/Shanghai",
    "windows": [
        {"days": ["fri"], "from": "22:00", "until": "06:00"},
        {"days": ["mon", "fri", "mon"], "from": "09:00", "until": "18:00"},
    ],
}


def test_windows_are_hours_in_their_zone() -> None:
    hours = define(NIGHTS).rule("rule", 1).hours
    assert hours is not None
    # Friday 2026-03-06 and what is left of it on Saturday, in UTC.
    opens = define(NIGHTS).rule("rule", 1).opens_from
    assert opens(datetime(2026, 3, 6, 2, tzinfo=UTC)) == datetime(2026, 3, 6, 2, tzinfo=UTC)
    assert opens(datetime(2026, 3, 6, 10, tzinfo=UTC)) == datetime(2026, 3, 6, 14, tzinfo=UTC)
    assert opens(datetime(2026, 3, 6, 21, tzinfo=UTC)) == datetime(2026, 3, 6, 21, tzinfo=UTC)
    assert opens(datetime(2026, 3, 6, 22, tzinfo=UTC)) == datetime(2026, 3, 9, 1, tzinfo=UTC)


def test_a_working_calendar_is_meant_by_its_name() -> None:
    office = WorkingCalendar("UTC", {})
    named = define({"calendar": "office"})
    assert named.rule("rule", 1, {"office": office}).hours is office
    assert named.rule("rule", 1).hours is None
    assert define(None).rule("rule", 1, {"office": office}).hours is None


def test_it_is_stored_as_it_was_written() -> None:
    made = define(NIGHTS)
    assert made.model_dump(mode="json", exclude_defaults=True)["active"] == NIGHTS
    assert RuleDefinition.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("active", "place"),
    [
        ({}, "active"),
        ({"calendar": "office", "zone": "UTC"}, "active"),
        ({"zone": "UTC"}, "active"),
        ({"windows": NIGHTS["windows"]}, "active"),
        ({**NIGHTS, "zone": "Asia/Atlantis"}, "active.zone"),
        (
            {"zone": "UTC", "windows": [{"days": [], "from": "09:00", "until": "10:00"}]},
            "active.windows.0.days",
        ),
        (
            {"zone": "UTC", "windows": [{"days": ["mon"], "from": 540, "until": "10:00"}]},
            "active.windows.0.from",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(active: object, place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        define(active)
    assert [each["field"] for each in field_errors(caught.value.errors())] == [place]
