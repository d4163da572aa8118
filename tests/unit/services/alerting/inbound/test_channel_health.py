"""What is made of a record of `channel.health`."""

import pytest

from services.alerting.domain.channels import Channels
from services.alerting.inbound.channel_health import take
from shared.events.channel_health import ChannelHealth, Told
from tests.factories.records import FakeRecord
from tests.unit.services.alerting.cases import NOON, minutes

NOTHING = Told(events=0, quarantined=0, rejected=0)
SHOP = Channels().after("shop", minutes(1), ["W"])


def heard(channel: str, minute: float) -> FakeRecord:
    """Return a record of a channel that was last heard at a minute after noon."""
    health = ChannelHealth(
        channel=channel,
        version=1,
        heard_at=minutes(minute),
        warehouses=("W",),
        last_hour=NOTHING,
        last_day=NOTHING,
        told_at=NOON,
    )
    return FakeRecord(health.encode(), 1)


def test_a_channel_is_known_by_what_was_told_of_it_last() -> None:
    later = take(SHOP, heard("shop", 2))
    assert later.heard_at == {"shop": minutes(2)}
    assert take(later, heard("shop", 1)) is later


@pytest.mark.parametrize("record", [FakeRecord(b"{", 1), heard("lowtide-orders", 2)], ids=["{", ""])
def test_what_cannot_be_read_and_alertings_own_channel_say_nothing(record: FakeRecord) -> None:
    assert take(SHOP, record) is SHOP
