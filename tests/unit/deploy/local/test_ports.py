import secrets
import socket

import pytest

from deploy.local.ports import (
    FIRST_FREE,
    LOOPBACK,
    PortTakenError,
    is_free,
    pick_free,
    require_free,
)


def test_picked_ports_are_free_and_differ() -> None:
    ports = pick_free(20)

    assert len(set(ports)) == 20
    assert all(is_free(port) for port in ports)


def test_a_port_that_is_drawn_again_is_picked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = pick_free(2)
    drawn = iter(port - FIRST_FREE for port in (first, first, second))
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(drawn))

    assert pick_free(2) == [first, second]


def test_a_taken_port_is_named_with_its_purpose() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        taken = listener.getsockname()[1]
        (free,) = pick_free(1)

        with pytest.raises(PortTakenError) as caught:
            require_free({"console-serve": taken, "ledger-serve": free})

    assert f"{taken} (console-serve)" in str(caught.value)
    assert str(free) not in str(caught.value)
