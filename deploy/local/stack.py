"""The whole stack, or a part of it, for the length of an `async with`.

`make run` is one with everything on fixed ports. Replays, benchmarks and tests open others under
names of their own, on free ports:

    async with LocalStack("replay", topic_prefix="replay.", database="replay") as stack:
        await post(stack.url("ingest") + "/v1/events", stack.token(Scope.EVENTS_WRITE))
        await stack.supervisor.kill("ledger-consume")
"""

import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from deploy.local.addresses import Keyring, Servers, Surroundings, work_folder
from deploy.local.credentials import Credentials
from deploy.local.instance import Instance
from deploy.local.kafka import Broker
from deploy.local.logs import LogStream
from deploy.local.ownership import owned
from deploy.local.ports import pick_free, require_free
from deploy.local.postgres import DatabaseServer
from deploy.local.processes import (
    BROKER_PORT,
    CONTROLLER_PORT,
    DATABASE_PORT,
    ROLES,
    Process,
)
from deploy.local.recording import ensure_broker_is_recorded
from deploy.local.role import Role
from deploy.local.server import Server
from deploy.local.supervisor import Supervisor
from shared.database import migrations, provision
from shared.http.auth import Scope
from shared.kafka.admin import create_topics

SERVERS_LIMIT_S = 90.0
PROCESSES_LIMIT_S = 60.0
COMMAND_LIMIT_S = 30.0
BROKER, CONTROLLER, DATABASE = "kafka", "kafka:controller", "postgres"


@dataclass(frozen=True)
class OwnServers:
    """A broker and a database server that this stack runs itself."""

    broker: Broker
    database: DatabaseServer
    service_passwords: Mapping[str, str]

    @property
    def bootstrap(self) -> str:
        """The broker's `host:port`."""
        return self.broker.bootstrap

    def administrator_url(self, database: str = "postgres") -> str:
        """Return a superuser's URL of a database."""
        return self.database.url(database)

    def service_url(self, service: str, database: str) -> str:
        """Return the URL of a database with a service's own user."""
        return self.database.url(database, service, self.service_passwords[service])


class LocalStack:
    """A supervised stack: broker, database, provisioned and migrated, and `processes`.

    `afterwards` are processes that start when all else is ready. `environment` is added to every
    process's, `environments` (name → variables) to one's. With `fixed_ports` those of the table
    are used. With `servers` given it runs on those, where topics and database must be (the
    fixtures of `shared.testing` make them), and starts none of its own.

    Entering raises AlreadyRunningError, PortTakenError, StartError, JarError or AccountError,
    each with a message for a person; nothing is left running then.
    """

    def __init__(
        self,
        name: str,
        *,
        processes: Sequence[Process] = ROLES,
        afterwards: Sequence[Process] = (),
        servers: Servers | None = None,
        database: str = "lowtide",
        topic_prefix: str = "",
        environment: Mapping[str, str] | None = None,
        environments: Mapping[str, Mapping[str, str]] | None = None,
        fixed_ports: bool = False,
        stream: LogStream | None = None,
        log_format: str = "json",
    ) -> None:
        self.instance = Instance.named(name)
        self.supervisor = Supervisor(self._announce)
        self.servers: Servers
        self.surroundings: Surroundings
        self._given_servers = servers
        self._processes = tuple(processes)
        self._afterwards = tuple(afterwards)
        self._all_processes = (*self._processes, *self._afterwards)
        self._database = database
        self._topic_prefix = topic_prefix
        self._environment = environment or {}
        self._environments = environments or {}
        self._fixed_ports = fixed_ports
        self._stream = stream
        self._log_format = log_format
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as exit_stack:
            exit_stack.enter_context(owned(self.instance))
            await exit_stack.enter_async_context(self.supervisor)
            await self._start()
            self._exit = exit_stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._exit.__aexit__(kind, error, trace)

    def url(self, service: str) -> str:
        """Return the base URL of a service's HTTP role."""
        return self.surroundings.url(service)

    def token(self, *scopes: Scope, channel: str | None = None) -> str:
        """Return a bearer token; `channel` limits it to writing as that channel."""
        return self.surroundings.keyring.token("local", scopes, channel)

    async def output(self, name: str, *arguments: str) -> str:
        """Return what another command of a process's module prints, run in its environment.

        Raises subprocess.CalledProcessError when it fails.
        """
        process = next(each for each in self._all_processes if each.name == name)
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", process.module, *arguments],
            cwd=work_folder(self.instance),
            env=self._environment_of(process),
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
        )
        return str(done.stdout).strip()

    @property
    def administrator_url(self) -> str:
        """A superuser's URL of this stack's database, for looking into every schema."""
        return self.servers.administrator_url(self._database)

    async def _start(self) -> None:
        ports = self._ports()
        credentials = Credentials.of(self.instance.run_folder, provision.SERVICES)
        if self._given_servers is None:
            self.servers = await self._start_servers(ports, credentials)
        else:
            self.servers = self._given_servers
        self.surroundings = Surroundings(
            instance=self.instance,
            servers=self.servers,
            keyring=Keyring(self.instance),
            database=self._database,
            topic_prefix=self._topic_prefix,
            credentials=credentials,
            ports=ports,
            log_format=self._log_format,
        )
        for processes in (self._processes, self._afterwards):
            await self._start_processes(processes)

    async def _start_processes(self, processes: Sequence[Process]) -> None:
        roles = [
            Role(process, self.surroundings, self._environment_of(process)) for process in processes
        ]
        self._follow(roles)
        await self.supervisor.start(roles, limit_s=PROCESSES_LIMIT_S)

    def _environment_of(self, process: Process) -> dict[str, str]:
        extra = {**self._environment, **self._environments.get(process.name, {})}
        return self.surroundings.environment(process, extra)

    async def _start_servers(
        self, ports: Mapping[str, int], credentials: Credentials
    ) -> OwnServers:
        await asyncio.to_thread(ensure_broker_is_recorded)
        database = DatabaseServer(
            self.instance, ports[DATABASE], credentials.administrator_password
        )
        broker = Broker(self.instance, ports[BROKER], ports[CONTROLLER])
        servers = OwnServers(broker, database, credentials.service_passwords)
        self._follow((broker, database))
        await self.supervisor.start((broker, database), limit_s=SERVERS_LIMIT_S)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(create_topics(servers.bootstrap, self._topic_prefix))
            tasks.create_task(self._migrate(servers, credentials))
        self._announce("topics, schemas and migrations are in place")
        return servers

    async def _migrate(self, servers: OwnServers, credentials: Credentials) -> None:
        await provision.create_database(servers.administrator_url(), self._database)
        url = servers.administrator_url(self._database)
        await provision.provision(url, credentials.service_passwords)
        for service in provision.SERVICES:
            if migrations.has_migrations(service):
                await migrations.upgrade(servers.service_url(service, self._database), service)

    def _ports(self) -> dict[str, int]:
        wanted = (
            {}
            if self._given_servers
            else {
                BROKER: BROKER_PORT,
                CONTROLLER: CONTROLLER_PORT,
                DATABASE: DATABASE_PORT,
            }
        )
        for process in self._all_processes:
            wanted[process.name] = process.port
            for variable, port in process.further_ports.items():
                wanted[f"{process.name}:{variable}"] = port
        if not self._fixed_ports:
            return dict(zip(wanted, pick_free(len(wanted)), strict=True))
        require_free(wanted)
        return wanted

    def _follow(self, servers: Sequence[Server]) -> None:
        if self._stream is not None:
            self._stream.add({server.name: server.child.command.log for server in servers})

    def _announce(self, text: str) -> None:
        if self._stream is not None:
            self._stream.line("stack", text)
