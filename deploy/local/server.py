"""What the broker, the database server and every service role have in common."""

import time
from collections.abc import Sequence
from typing import Protocol

from deploy.local.child import Child

POLL_S = 0.05


class StartError(RuntimeError):
    """A process ended, or was not ready in time; the message ends with its log's last lines."""


class Server(Protocol):
    """A child process that can be prepared for and asked whether it is ready."""

    @property
    def name(self) -> str:
        """The name in front of its log lines."""

    @property
    def child(self) -> Child:
        """The process."""

    def prepare(self) -> None:
        """Do what must be done once before the first start; safe to repeat."""

    def is_ready(self) -> bool:
        """Tell whether it does its work now; answers within about a second."""


def require_ready(server: Server, *, waited_s: float, limit_s: float) -> bool:
    """Return whether a starting server is ready; raise StartError when it never will be."""
    if server.is_ready():
        return True
    if not server.child.alive:
        reason = f"ended with exit code {server.child.exit_code} while starting"
    elif waited_s > limit_s:
        reason = f"was not ready after {limit_s:.0f} s"
    else:
        return False
    log = server.child.command.log
    raise StartError(f"{server.name} {reason}; the end of {log}:\n{server.child.log_tail()}")


def wait_until_ready(servers: Sequence[Server], *, limit_s: float) -> None:
    """Block until all are ready; raises StartError."""
    began = time.monotonic()
    waiting = list(servers)
    while waiting:
        waited_s = time.monotonic() - began
        waiting = [
            server
            for server in waiting
            if not require_ready(server, waited_s=waited_s, limit_s=limit_s)
        ]
        if waiting:
            time.sleep(POLL_S)
