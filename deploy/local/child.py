"""One child process: started, recorded, watched, ended, and found again after a crash.

A child writes straight into its log file, so it neither blocks nor breaks when whoever started
it is gone. Its record (`run/processes/<name>.json`: pid and start time) lets another process end
exactly this one: a pid that meanwhile belongs to someone else is never signalled.
"""

import contextlib
import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

# A start time is compared as seconds since boot; the kernel counts it in hundredths, and the
# boot time that psutil subtracts moves by well under a second when the clock is adjusted.
START_TOLERANCE_S = 1.0

LOG_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Command:
    """What to start: `environment` is complete (nothing is inherited)."""

    name: str
    argv: Sequence[str]
    folder: Path
    log: Path
    environment: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_s: float = 10
    user: int | None = None
    group: int | None = None


@dataclass(frozen=True)
class ProcessRecord:
    """Which process was started, precisely enough to recognise it later."""

    name: str
    pid: int
    started_after_boot_s: float
    path: Path = field(compare=False)

    @classmethod
    def write(cls, name: str, pid: int, records: Path) -> "ProcessRecord":
        """Record a living process in the folder `records`."""
        started = _started_after_boot_s(psutil.Process(pid))
        record = cls(name, pid, started, records / f"{name}.json")
        content = {"name": name, "pid": pid, "started_after_boot_s": started}
        record.path.write_text(json.dumps(content), encoding="utf-8")
        return record

    @classmethod
    def read_all(cls, folder: Path) -> list["ProcessRecord"]:
        """Return every record of an instance; torn ones (killed while writing) are left out."""
        records = []
        for path in sorted(folder.glob("*.json")):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                content = json.loads(path.read_text(encoding="utf-8"))
                started = float(content["started_after_boot_s"])
                records.append(cls(str(content["name"]), int(content["pid"]), started, path))
        return records

    def process(self) -> psutil.Process | None:
        """Return the living process of this record, or None if it ended (or is a zombie)."""
        try:
            process = psutil.Process(self.pid)
            if abs(_started_after_boot_s(process) - self.started_after_boot_s) > START_TOLERANCE_S:
                return None
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return process

    def forget(self) -> None:
        """Delete the record's file."""
        self.path.unlink(missing_ok=True)


class Child:
    """A child process of ours; may be started again after it ended."""

    def __init__(self, command: Command, records: Path) -> None:
        self.command = command
        self._records = records
        self._process: subprocess.Popen[bytes] | None = None
        self._record: ProcessRecord | None = None

    @property
    def name(self) -> str:
        """The name in front of its log lines."""
        return self.command.name

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended (reaps it when it has)."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Its exit code once it ended (negative: the signal), else None."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it in a session of its own, so that a terminal's Ctrl-C reaches only us."""
        if self.alive:
            raise RuntimeError(f"{self.name} is already running as {self.pid}")
        command = self.command
        bound_log(command.log)
        with command.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(command.argv),
                cwd=command.folder,
                env=dict(command.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=command.user,
                group=command.group,
                extra_groups=None if command.user is None else [],
            )
        try:
            self._record = ProcessRecord.write(self.name, self._process.pid, self._records)
        except psutil.NoSuchProcess:
            self._record = None  # it ended at once; whoever waits for it sees the exit code

    def stop(self) -> None:
        """Ask it to end; kill it with all its descendants when it has not after its grace."""
        if self._process is not None and self.alive:
            self._process.send_signal(self.command.stop_signal)
            try:
                self._process.wait(self.command.stop_grace_s)
            except subprocess.TimeoutExpired:
                self.kill()
        self._forget()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, for instance SIGSTOP and SIGCONT in fault tests."""
        if self._process is not None and self.alive:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it and its descendants with SIGKILL and reap it; harmless when it has ended."""
        if self._process is not None and self.alive:
            kill_tree(psutil.Process(self._process.pid))
            self._process.wait(10)
        self._forget()

    def _forget(self) -> None:
        if self._record is not None:
            self._record.forget()
            self._record = None

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines of its log, for messages about a failed start."""
        try:
            content = self.command.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(content.splitlines()[-lines:])


def end_recorded(records: Path, *, grace_s: float) -> list[str]:
    """End every living process recorded in the folder `records` and return their names.

    For processes whose parent is not us (an earlier run that was killed): each is asked with
    SIGTERM and killed with its descendants when it has not ended after `grace_s`.
    """
    ended: list[str] = []
    for record in ProcessRecord.read_all(records):
        process = record.process()
        if process is not None:
            ended.append(record.name)
            descendants = process.children(recursive=True)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
            _, left = psutil.wait_procs([process], timeout=grace_s)
            for survivor in [*left, *descendants]:
                kill_tree(survivor)
        record.forget()
    return ended


def kill_tree(process: psutil.Process) -> None:
    """SIGKILL a process, then the descendants it had (PostgreSQL's have sessions of their own)."""
    with contextlib.suppress(psutil.NoSuchProcess):
        descendants = process.children(recursive=True)
        process.kill()
        for descendant in descendants:
            with contextlib.suppress(psutil.NoSuchProcess):
                descendant.kill()
        psutil.wait_procs(descendants, timeout=5)


def bound_log(path: Path) -> None:
    """Empty a log that outgrew its limit; its writer appends, so it goes on at the start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.write_bytes(b"")


def _started_after_boot_s(process: psutil.Process) -> float:
    return process.create_time() - psutil.boot_time()
