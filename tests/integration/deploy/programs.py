"""Small programs that a supervisor can be tested with."""

import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local.child import Child, Command
from deploy.local.instance import Instance

SLEEPER = "import signal, sys; open(sys.argv[1], 'w').close(); signal.pause()"
"""Says by a file that it is ready, and ends on SIGTERM."""

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEPER
"""Ignores SIGTERM."""

PARENT = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'],"
    " start_new_session=True)\n"
    "open(sys.argv[1] + '.child', 'w').write(str(child.pid))\n"
) + STUBBORN
"""Has a child in a session of its own, as PostgreSQL has."""

FAILING = "print('the disk is full'); raise SystemExit(3)"
"""Ends before it is ready."""


@dataclass(frozen=True)
class Program:
    """A server for the supervisor made of a few lines of Python."""

    child: Child
    ready_file: Path

    @classmethod
    def of(
        cls, instance: Instance, source: str, *, name: str = "program", grace_s: float = 5
    ) -> "Program":
        ready_file = instance.folder / f"{name}.ready"
        command = Command(
            name=name,
            argv=(sys.executable, "-c", source, str(ready_file)),
            folder=instance.folder,
            log=instance.logs_folder / f"{name}.log",
            environment={},
            stop_grace_s=grace_s,
        )
        return cls(Child(command, instance.processes_folder), ready_file)

    @property
    def name(self) -> str:
        return self.child.name

    def prepare(self) -> None:
        self.ready_file.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        return self.child.alive and self.ready_file.exists()
