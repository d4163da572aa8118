"""Port numbers: fixed ones are checked, others are picked free."""

import contextlib
import secrets
import socket

LOOPBACK = "127.0.0.1"

# Below the kernel's range for outgoing connections (32768 on Linux), so that no client socket
# takes a server's port in the moment between its end and its restart.
FIRST_FREE, LAST_FREE = 20_000, 32_000


class PortTakenError(RuntimeError):
    """Another program listens on a port that the stack needs."""


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT may be taken again at once.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require_free(wanted: dict[str, int]) -> None:
    """Raise PortTakenError naming every port of `wanted` (name → port) that is taken."""
    taken = [f"{port} ({name})" for name, port in wanted.items() if not is_free(port)]
    if taken:
        ports = ", ".join(taken)
        raise PortTakenError(
            f"these ports of {LOOPBACK} are taken by another program: {ports}. "
            "End that program, or run `make down` if it is an older Lowtide."
        )


def pick_free(count: int) -> list[int]:
    """Return `count` different free ports."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        for _ in range(10_000):
            if len(found) == count:
                return found
            port = FIRST_FREE + secrets.randbelow(LAST_FREE - FIRST_FREE)
            if port in found:
                continue  # two may be bound to it, as neither listens
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((LOOPBACK, port))
                found.append(port)
    raise PortTakenError(f"no {count} free ports between {FIRST_FREE} and {LAST_FREE}")
