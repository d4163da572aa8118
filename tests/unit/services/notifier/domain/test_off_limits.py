import pytest

from services.notifier.domain.off_limits import is_off_limits


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254"),
        *("100.100.100.200", "fd00:ec2::254"),
    ],
)
def test_link_local_and_metadata_addresses_are_off_limits(host: str) -> None:
    assert is_off_limits(host)


@pytest.mark.parametrize("host", ["10.0.0.7", "192.168.1.9", "127.0.0.1", "fd00::7", "erp.lan", ""])
def test_private_addresses_and_names_are_not(host: str) -> None:
    assert not is_off_limits(host)
