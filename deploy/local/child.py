"""One child process: started, recorded, watched, ended, and found again after a crash.

A child writes straight into its log file, so it neither blocks nor breaks when whoever started
it is gone. Its record (`run/processes/<name>.json`: pid and start time) lets another process end
exactly this one: a pid that meanwhile belongs to someone else is never signalled.
"""

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

# A start time is compared as seconds since boot; the kernel counts it in hundredths, and the
# boot time that psutil subtracts moves by well under a second when the clock is adjusted.
START_TOLERANCE_S = 1.0

LOG_LIMIT_BYTES = 64 * 1024 * 1024
KILL_LIMIT_S = 10
POLL_S = 0.01


@dataclass(frozen=True)
class Command:
    """What to start: `environment` is complete (nothing is inherited).

    `start_as` are the user and group to run it as, instead of our own.
    """

    name: str
    argv: Sequence[str]
    folder: Path
    log: Path
    environment: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_s: float = 10
    start_as: tuple[int, int] | None = None


@dataclass(frozen=True)
class ProcessRecord:
    """Which process was started, precisely enough to recognise it later."""

    name: str
    pid: int
    started_after_boot_s: float
    stop_signal: signal.Signals
    path: Path = field(compare=False)

    @classmethod
    def write(
        cls, name: str, pid: int, folder: Path, stop_signal: signal.Signals = signal.SIGTERM
    ) -> "ProcessRecord":
        """Record a living process in `folder`; raises psutil.NoSuchProcess when it has ended."""
        started = _started_after_boot_s(psutil.Process(pid))
        path = folder / f"{name}.json"
        content = {
            "name": name,
            "pid": pid,
            "started_after_boot_s": started,
            "stop_signal": stop_signal.value,
        }
        path.write_text(json.dumps(content), encoding="utf-8")
        return cls(name, pid, started, stop_signal, path)

    @classmethod
    def read_all(cls, folder: Path) -> list["ProcessRecord"]:
        """Return every record of an instance; torn ones (killed while writing) are left out."""
        records = []
        for path in sorted(folder.glob("*.json")):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                content = json.loads(path.read_text(encoding="utf-8"))
                record = cls(
                    str(content["name"]),
                    int(content["pid"]),
                    float(content["started_after_boot_s"]),
                    signal.Signals(content["stop_signal"]),
                    path,
                )
                records.append(record)
        return records

    def process(self) -> psutil.Process | None:
        """Return the living process of this record, or None if it ended (or is a zombie)."""
        try:
            process = psutil.Process(self.pid)
            if abs(_started_after_boot_s(process) - self.started_after_boot_s) > START_TOLERANCE_S:
                return None
        except psutil.NoSuchProcess:
            return None
        return process if _is_alive(process) else None

    def forget(self) -> None:
        """Delete the record's file."""
        self.path.unlink(missing_ok=True)


class Child:
    """A child process of ours; may be started again after it ended, until it is stopped."""

    def __init__(self, command: Command, records: Path) -> None:
        self.command = command
        self._records = records
        self._process: subprocess.Popen[bytes] | None = None
        self._record: ProcessRecord | None = None
        # Nobody starts it anew while its last descendants are still being killed.
        self._changing = threading.Lock()
        self._over = False

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
        """Start it in a session of its own, so that a terminal's Ctrl-C reaches only us.

        Does nothing once it was stopped: whoever prepared it in a thread may not have heard.
        """
        with self._changing:
            if self._over:
                return
            if self.alive:
                raise RuntimeError(f"{self.name} is already running as {self.pid}")
            self._process = self._spawn()
            with contextlib.suppress(psutil.NoSuchProcess):  # whoever waits sees the exit code
                self._record = ProcessRecord.write(
                    self.name, self._process.pid, self._records, self.command.stop_signal
                )

    def _spawn(self) -> "subprocess.Popen[bytes]":
        command = self.command
        user, group = command.start_as or (None, None)
        bound_log(command.log)
        with command.log.open("ab") as log:
            return subprocess.Popen(
                list(command.argv),
                cwd=command.folder,
                env=dict(command.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
            )

    def stop(self) -> None:
        """Ask it to end; kill it with all its descendants when it has not after its grace."""
        stop_together([self])

    def stay_down(self) -> None:
        """Never start again; what runs goes on until it ends."""
        with self._changing:
            self._over = True

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, for instance SIGSTOP and SIGCONT in fault tests."""
        if self._process is not None and self.alive:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it and its descendants with SIGKILL and reap it; harmless when it has ended."""
        with self._changing:
            if self._process is not None and self.alive:
                kill_tree([psutil.Process(self._process.pid)])
                self._process.wait(KILL_LIMIT_S)
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


def stop_together(children: Sequence[Child]) -> list[str]:
    """End children for good, side by side, each within its grace; return whose were killed."""
    began = time.monotonic()
    for child in children:
        child.stay_down()
        child.signal(child.command.stop_signal)
    waiting = list(children)
    killed: list[str] = []
    while waiting:
        for child in list(waiting):
            late = time.monotonic() - began > child.command.stop_grace_s
            if child.alive and not late:
                continue
            if child.alive:
                killed.append(child.name)
            child.kill()  # or only forgets it, when it has ended
            waiting.remove(child)
        time.sleep(POLL_S)
    return killed


def end_recorded(folder: Path, *, grace_s: float) -> list[str]:
    """End every living process recorded in `folder` and return their names.

    For processes whose parent is not us (of an earlier run that was killed): each is asked, and
    killed with its descendants when it has not ended after `grace_s`.
    """
    records = ProcessRecord.read_all(folder)
    found = [(record, process) for record in records if (process := record.process()) is not None]
    descendants = [child for _, process in found for child in _descendants(process)]
    for record, process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(record.stop_signal)
    processes = [process for _, process in found]
    _wait_until_ended(processes, limit_s=grace_s)
    kill_tree([*processes, *descendants])
    for record in records:
        record.forget()
    return [record.name for record, _ in found]


def kill_tree(processes: list[psutil.Process]) -> None:
    """SIGKILL processes and the descendants they have, and wait until all have ended.

    Descendants are killed one by one: PostgreSQL's have sessions of their own. Each is
    recognised by its start time too, never by its number alone.
    """
    doomed = [*processes, *(child for process in processes for child in _descendants(process))]
    for process in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    if not _wait_until_ended(doomed, limit_s=KILL_LIMIT_S):
        raise TimeoutError(f"still alive after SIGKILL: {doomed}")


def _wait_until_ended(processes: list[psutil.Process], *, limit_s: float) -> bool:
    began = time.monotonic()
    while any(_is_alive(process) for process in processes):
        if time.monotonic() - began > limit_s:
            return False
        time.sleep(POLL_S)
    return True


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_alive(process: psutil.Process) -> bool:
    # A zombie has ended: its parent (for an orphan, the first process) reaps it when it likes.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def bound_log(path: Path) -> None:
    """Empty a log that outgrew its limit; its writer appends, so it goes on at the start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.write_bytes(b"")


def _started_after_boot_s(process: psutil.Process) -> float:
    return process.create_time() - psutil.boot_time()
