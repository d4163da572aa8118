"""What can be entered into the calendar."""

import pytest
from pydantic import ValidationError

from services.alerting.api.calendar import NewOccasion


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "accepted"),
    [
        ("9999-12-30T00:00:00Z", "9999-12-31T00:00:00Z", True),
        ("2026-03-01T00:00:00Z", "2027-03-02T00:00:00Z", True),
        ("2026-03-01T00:00:00Z", "2027-03-02T00:00:01Z", False),
        ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", False),
    ],
)
def test_an_occasion_has_a_length_of_up_to_a_year_wherever_it_is(
    starts_at: str, ends_at: str, *, accepted: bool
) -> None:
    said = {"kind": "promotion", "name": {"en": "Sale"}, "factor": 2}
    said |= {"starts_at": starts_at, "ends_at": ends_at}
    if accepted:
        NewOccasion.model_validate(said)
    else:
        with pytest.raises(ValidationError, match="366 days"):
            NewOccasion.model_validate(said)
