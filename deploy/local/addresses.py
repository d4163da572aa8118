"""Where the servers of a stack are, and the environment each process is given."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from deploy.local.credentials import Credentials
from deploy.local.instance import REPOSITORY, Instance, home
from deploy.local.ports import LOOPBACK
from deploy.local.processes import MAILBOX, STAND_IN, STAND_IN_SMTP, Process
from shared.clock import WallClock
from shared.http.auth import Scope
from shared.http.tokens import ensure_keys, mint

TOKEN_LIFETIME = timedelta(days=30)
"""Of the tokens that people ask for."""

PROCESS_TOKEN_LIFETIME = timedelta(days=3_650)
"""A process has its token for as long as it lives, and nobody gives it another; it is worth nothing
without the instance, whose key ends with its data."""

# What lets a process reach the world through a company's proxy; all else it gets from us.
PASSED_ON = ("HTTPS_PROXY", "NO_PROXY", "SSL_CERT_DIR", "SSL_CERT_FILE")


class Servers(Protocol):
    """A broker and a database server, ours or somebody else's."""

    @property
    def bootstrap(self) -> str:
        """The broker's `host:port`."""

    def administrator_url(self, database: str = "postgres") -> str:
        """Return a superuser's `postgresql://` URL of a database."""

    def service_url(self, service: str, database: str) -> str:
        """Return the URL of a database with a service's own user."""


class Keyring:
    """The instance's signing key and its public set; mints tokens for processes and tests."""

    def __init__(self, instance: Instance) -> None:
        self._key = instance.run_folder / "token-key.pem"
        self.jwks_file = instance.run_folder / "jwks.json"
        ensure_keys(self._key, self.jwks_file)

    def token(
        self,
        subject: str,
        scopes: tuple[Scope, ...],
        channel: str | None = None,
        lifetime: timedelta = TOKEN_LIFETIME,
    ) -> str:
        """Return a bearer token; `channel` limits it to writing as that channel."""
        return mint(
            self._key,
            subject=subject,
            scopes=list(scopes),
            now=WallClock().now(),
            lifetime=lifetime,
            channel=channel,
        )


@dataclass(frozen=True)
class Surroundings:
    """What all processes of one stack share."""

    instance: Instance
    servers: Servers
    keyring: Keyring
    database: str
    topic_prefix: str
    credentials: Credentials
    ports: Mapping[str, int]
    log_format: str

    def url(self, service: str) -> str:
        """Return the base URL of a service's HTTP role."""
        return f"http://{LOOPBACK}:{self.ports[f'{service}-serve']}"

    def environment(self, process: Process, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the complete environment of a process; `extra` wins."""
        values = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            # Whatever a library writes beside itself lands in the instance's folder.
            "HOME": str(work_folder(self.instance)),
            "NICEGUI_STORAGE_PATH": str(work_folder(self.instance) / "nicegui"),
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
            "PYTHONUNBUFFERED": "1",
            "LOWTIDE_HOME": str(home()),
            "LOWTIDE_KAFKA": self.servers.bootstrap,
            "LOWTIDE_TOPIC_PREFIX": self.topic_prefix,
            "LOWTIDE_HOST": LOOPBACK,
            "LOWTIDE_PORT": str(self.ports[process.name]),
            "LOWTIDE_JWKS_FILE": str(self.keyring.jwks_file),
            "LOWTIDE_INSTANCE": "0",
            "LOWTIDE_LOG_FORMAT": self.log_format,
        }
        for name in PASSED_ON:
            value = os.environ.get(name)  # noqa: TID251 - handed on as it is, never read
            if value is not None:
                values[name] = value
        for other, port in self.ports.items():
            service, _, role = other.rpartition("-")
            if role == "serve":
                values[f"LOWTIDE_{service.upper()}_URL"] = f"http://{LOOPBACK}:{port}"
        if STAND_IN.name in self.ports:
            values["LOWTIDE_STANDIN_URL"] = f"http://{LOOPBACK}:{self.ports[STAND_IN.name]}"
            smtp_port = self.ports[f"{STAND_IN.name}:{STAND_IN_SMTP}"]
            values["LOWTIDE_STANDIN_SMTP_PORT"] = str(smtp_port)
            values["LOWTIDE_ORDER_DESTINATION"] = MAILBOX
        for variable in process.further_ports:
            values[variable] = str(self.ports[f"{process.name}:{variable}"])
        if process.database_user is not None:
            url = self.servers.service_url(process.database_user, self.database)
            values["LOWTIDE_DATABASE_URL"] = url
        for name in process.secrets:
            values[f"LOWTIDE_{name.upper()}"] = getattr(self.credentials, name)
        if process.scopes:
            values["LOWTIDE_SERVICE_TOKEN"] = self.keyring.token(
                process.name, process.scopes, lifetime=PROCESS_TOKEN_LIFETIME
            )
        return values | dict(extra)


def work_folder(instance: Instance) -> Path:
    """Return the working directory of an instance's processes."""
    return instance.folder / "work"
