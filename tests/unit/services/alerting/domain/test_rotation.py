from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.alerting.domain.rotation import Override, Rotation

ZONE = ZoneInfo("Asia/Shanghai")
WEEKLY = Rotation(("an", "bo", "cai"), 7, time(9), "Asia/Shanghai", date(2026, 3, 2))


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=ZONE)  # type: ignore[arg-type,misc] # year, month, …


def nobody_away(person: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("now", "person"),
    [
        (at(2026, 3, 2, 9), "an"),
        (at(2026, 3, 9, 8, 59), "an"),
        (at(2026, 3, 9, 9), "bo"),
        (at(2026, 3, 16, 9), "cai"),
        (at(2026, 3, 23, 9), "an"),
        # Before the start the turns go on backwards: somebody is there at any time.
        (at(2026, 3, 2, 8, 59), "cai"),
    ],
)
def test_people_hand_over_at_their_hour(now: datetime, person: str) -> None:
    assert WEEKLY.on_duty(now, nobody_away) == person


def test_who_is_away_is_skipped_unless_everybody_is() -> None:
    now = at(2026, 3, 10, 12)
    assert WEEKLY.on_duty(now, lambda person: person == "bo") == "cai"
    assert WEEKLY.on_duty(now, lambda person: person in {"bo", "cai"}) == "an"
    assert WEEKLY.on_duty(now, WEEKLY.people.__contains__) == "bo"


def test_an_override_counts_while_it_lasts_and_its_person_is_there() -> None:
    starts = at(2026, 3, 10, 12)
    swapped = Rotation(
        WEEKLY.people,
        7,
        time(9),
        "Asia/Shanghai",
        WEEKLY.starts_on,
        (
            Override("an", starts, starts + timedelta(hours=8)),
            Override("dan", starts, starts + timedelta(hours=4)),
        ),
    )
    assert swapped.on_duty(starts, nobody_away) == "dan"
    assert swapped.on_duty(starts, lambda person: person == "dan") == "an"
    assert swapped.on_duty(starts + timedelta(hours=4), nobody_away) == "an"
    assert swapped.on_duty(starts + timedelta(hours=8), nobody_away) == "bo"


def test_a_turn_is_counted_in_local_days_over_a_change_of_clocks() -> None:
    daily = Rotation(("an", "bo"), 1, time(9), "Europe/Berlin", date(2026, 3, 28))
    zone = ZoneInfo("Europe/Berlin")
    assert daily.on_duty(datetime(2026, 3, 29, 8, 59, tzinfo=zone), nobody_away) == "an"
    assert daily.on_duty(datetime(2026, 3, 29, 9, tzinfo=zone), nobody_away) == "bo"
