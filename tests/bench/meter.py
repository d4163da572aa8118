"""How much CPU each process took between two moments, and how much memory it has."""

import contextlib
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

    def resident_mb(self) -> dict[str, float]:
        """Return the resident memory by name, in MB of a million bytes.

        Of a process with children, what they share is counted once.
        """
        return {name: _resident_bytes(psutil.Process(pid)) / 1e6 for name, pid in self.pids.items()}


def shares(
    before: Mapping[str, float],
    after: Mapping[str, float],
    seconds: float,
    count: int,
    what: str = "change",
) -> str:
    """Return what each process took, in cores and by what was done, for a person to read."""
    used = {name: after[name] - before[name] for name in before}
    return ", ".join(
        f"{name} {taken / seconds:.2f} cores ({taken / count * 1e6:.1f} µs per {what})"
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


def _resident_bytes(process: psutil.Process) -> int:
    children = process.children(recursive=True)
    if not children:
        return int(process.memory_info().rss)
    shares_of_all = 0
    for each in [process, *children]:
        with contextlib.suppress(psutil.NoSuchProcess):
            shares_of_all += each.memory_full_info().pss
    return shares_of_all
