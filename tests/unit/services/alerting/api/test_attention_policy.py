import pytest
from pydantic import ValidationError

from services.alerting.api.attention import Policy


@pytest.mark.parametrize("minute", ["0\u0663:00", "09:5\u0660", "24:00"])
def test_a_time_is_written_in_the_digits_that_it_is_read_in(minute: str) -> None:
    with pytest.raises(ValidationError, match="watch_at"):
        Policy(watch_at=minute)
