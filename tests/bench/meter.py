"""How much CPU each process took between two moments."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Meter:
    """Reads processes with their children, living and ended; `pids` by name."""

    pids: Mapping[str, int]

    def read(self) -> dict[str, float]:
        """Return the CPU seconds used so far, by name."""
        return {name: _cpu_seconds(psutil.Process(pid)) for name, pid in self.pids.items()}


def shares(
    before: Mapping[str, float], after: Mapping[str, float], seconds: float, changes: int
) -> str:
    """Return what each process took, in cores and by change, for a person to read."""
    used = {name: after[name] - before[name] for name in before}
    return ", ".join(
        f"{name} {taken / seconds:.2f} cores ({taken / changes * 1e6:.1f} µs a change)"
        for name, taken in used.items()
    )


def listener(port: int) -> int:
    """Return the process that listens on a local port; raises LookupError."""
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.pid and each.laddr[1:] == (port,):
            return each.pid
    raise LookupError(f"nothing listens on port {port}")


def _cpu_seconds(process: psutil.Process) -> float:
    own = process.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children():
        try:
            total += _cpu_seconds(child)
        except psutil.NoSuchProcess:
            continue  # it has just ended: its time is its parent's at the next reading
    return total
