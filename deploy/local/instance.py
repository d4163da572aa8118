"""Where an instance of the stack keeps its files.

Everything the project writes lives under one ignored folder, the home (`.lowtide/`, or
`LOWTIDE_HOME`): `cache/` is shared, and each instance has a folder of its own.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

TEST_PREFIX = "test-"
"""In front of the names of instances that belong to a test run, which cleans up itself."""

REPOSITORY = Path(__file__).resolve().parents[2]


class HomeSettings(BaseSettings):
    """Environment of everything that starts a local stack."""

    model_config = SettingsConfigDict(env_prefix="LOWTIDE_", extra="ignore")

    home: Path = REPOSITORY / ".lowtide"


def home() -> Path:
    """Return the absolute folder that holds all written files, without creating it."""
    return HomeSettings().home.expanduser().resolve()


@dataclass(frozen=True)
class Instance:
    """One stack's folders; `name` is `run`, `replay`, `bench`, `recording` or `test-<pid>`."""

    name: str
    folder: Path

    @classmethod
    def named(cls, name: str) -> "Instance":
        """Return the instance of that name under the home; nothing is created yet."""
        return cls(name, home() / "instances" / name)

    @property
    def database_folder(self) -> Path:
        """PostgreSQL's data directory; absent until the server was initialised."""
        return self.folder / "postgres"

    @property
    def broker_folder(self) -> Path:
        """Kafka's configuration and log directories."""
        return self.folder / "kafka"

    @property
    def run_folder(self) -> Path:
        """Keys, passwords and process records; readable by the owner only."""
        return self.folder / "run"

    @property
    def processes_folder(self) -> Path:
        """A record of each living process."""
        return self.run_folder / "processes"

    @property
    def logs_folder(self) -> Path:
        """One log file per process."""
        return self.folder / "logs"

    def create(self) -> None:
        """Create the folders that have no other owner; harmless when they exist."""
        for folder in (self.folder, self.broker_folder, self.logs_folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.run_folder.mkdir(exist_ok=True)
        self.run_folder.chmod(0o700)
        self.processes_folder.mkdir(exist_ok=True)

    def delete(self) -> None:
        """Delete all files of this instance; its processes must have ended before."""
        shutil.rmtree(self.folder, ignore_errors=True)
