"""A service role (or another Python process of the stack) as a supervised server."""

import contextlib
import http.client
import sys
from collections.abc import Mapping

from deploy.local.addresses import Surroundings, work_folder
from deploy.local.child import Child, Command
from deploy.local.ports import LOOPBACK
from deploy.local.processes import Process

STOP_GRACE_S = 10
PROBE_TIMEOUT_S = 2.0


class Role:
    """One process of the table, started with its environment, ready when `/readyz` says so."""

    def __init__(
        self, process: Process, surroundings: Surroundings, environment: Mapping[str, str]
    ) -> None:
        self._process = process
        self._port = surroundings.ports[process.name]
        instance = surroundings.instance
        self._folder = work_folder(instance)
        self.child = Child(
            Command(
                name=process.name,
                argv=(sys.executable, "-m", process.module, *process.arguments),
                folder=self._folder,
                log=instance.logs_folder / f"{process.name}.log",
                environment=environment,
                stop_grace_s=STOP_GRACE_S,
            ),
            instance.processes_folder,
        )

    @property
    def name(self) -> str:
        """The name in the table, for instance `ledger-consume`."""
        return self._process.name

    def prepare(self) -> None:
        """Make its working directory."""
        self._folder.mkdir(exist_ok=True)

    def is_ready(self) -> bool:
        """Tell whether it answers `/readyz` with 200."""
        if not self._process.probed:
            return self.child.alive
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=PROBE_TIMEOUT_S)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        return False
