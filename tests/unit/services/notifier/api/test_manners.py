import pytest
from pydantic import ValidationError

from services.notifier.api.manners import QuietHoursBody, RhythmBody


@pytest.mark.parametrize("minute", ["0\u0663:00", "09:5\u0660", "\uff10\uff19:00", "24:00"])
def test_a_time_is_written_in_the_digits_that_it_is_read_in(minute: str) -> None:
    with pytest.raises(ValidationError, match="from"):
        QuietHoursBody.model_validate({"from": minute, "to": "21:00"})
    with pytest.raises(ValidationError, match="at"):
        RhythmBody.model_validate({"every": "daily", "at": minute})
