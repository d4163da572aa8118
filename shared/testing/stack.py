"""A real broker and a real database server for tests and benchmarks, and fresh ground on them.

Each test works in a database of its own (copied from a template that has every migration) and
on topics with a prefix of its own. `python -m shared.testing.stack` keeps servers running for
many short test runs: start the tests with `LOWTIDE_TEST_STACK=test-shared`.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg
import psutil
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.credentials import Credentials
from deploy.local.instance import REPOSITORY, TEST_PREFIX, Instance, home
from deploy.local.kafka import Broker
from deploy.local.ownership import AlreadyRunningError, owned
from deploy.local.ports import LOOPBACK, pick_free
from deploy.local.postgres import DatabaseServer
from deploy.local.recording import ensure_broker_is_recorded
from deploy.local.server import wait_until_ready
from shared.database import migrations, provision
from shared.kafka.admin import create_topics, delete_topics

SHARED = f"{TEST_PREFIX}shared"
START_LIMIT_S = 90
STALE_AFTER_S = 10
_VARIABLE = "LOWTIDE_TEST_STACK"
_MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's file system in memory
_ROOM = 4 * 2**30
"""Bytes; a whole run was seen to keep a seventh of a gigabyte there, beside its processes."""


class StackSettings(BaseSettings):
    """Environment of a test run."""

    model_config = SettingsConfigDict(env_prefix="LOWTIDE_", extra="ignore")

    test_stack: str | None = None
    """The instance of servers that already run (see the module), instead of own ones."""


@dataclass(frozen=True)
class Stack:
    """Where the servers are; the passwords are worth nothing beyond them."""

    bootstrap: str
    database_port: int
    administrator_password: str
    service_passwords: dict[str, str]

    def administrator_url(self, database: str = "postgres") -> str:
        """Return a superuser's `postgresql://` URL of a database."""
        return self._url("postgres", self.administrator_password, database)

    def service_url(self, service: str, database: str) -> str:
        """Return the URL of a database with a service's own user."""
        return self._url(service, self.service_passwords[service], database)

    def _url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@{LOOPBACK}:{self.database_port}/{database}"


@dataclass(frozen=True)
class Database:
    """One test's database, migrated and empty."""

    stack: Stack
    name: str

    @property
    def administrator_url(self) -> str:
        """A superuser's URL, for looking into every schema."""
        return self.stack.administrator_url(self.name)

    def url(self, service: str) -> str:
        """Return the URL with a service's own user, as its settings take it."""
        return self.stack.service_url(service, self.name)


@contextmanager
def running_stack(*, in_memory: bool = False) -> Iterator[Stack]:
    """Run a broker and a database server on free ports; all is deleted at the end.

    With `LOWTIDE_TEST_STACK` set, yield that running stack and leave it running. `in_memory`:
    their files are kept there, if there is room.
    """
    shared = StackSettings().test_stack
    if shared is not None:
        yield _read(_instance(shared))
        return
    delete_stale()
    name = _own_name()
    with _servers(_in_memory(name) if in_memory else Instance.named(name)) as stack:
        yield stack


@contextmanager
def shared_stack() -> Iterator[None]:
    """Let this process and all that it starts use one stack; nothing to do where there is one."""
    if StackSettings().test_stack is not None:
        yield
        return
    delete_stale()
    instance = _in_memory(_own_name())
    with _servers(instance):
        os.environ[_VARIABLE] = instance.name  # noqa: TID251 - for the processes it starts
        try:
            yield
        finally:
            del os.environ[_VARIABLE]  # noqa: TID251 - as above


def _own_name() -> str:
    return f"{TEST_PREFIX}{os.getpid()}"


def _in_memory(name: str) -> Instance:
    """Return an instance with its files in memory, or on the disk where there is no room."""
    # Each test makes and deletes a thousand small files, which some file systems are slow at.
    return _remembered(name) if _has_room() else Instance.named(name)


def _remembered(name: str) -> Instance:
    return Instance(name, _MEMORY / f"lowtide-{name}")


def _instance(name: str) -> Instance:
    """Return the instance of a test run, wherever it is."""
    remembered = _remembered(name)
    return remembered if remembered.folder.exists() else Instance.named(name)


def _has_room() -> bool:
    return (
        _MEMORY.is_dir()
        and os.access(_MEMORY, os.W_OK)
        and min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available) >= _ROOM
    )


@contextmanager
def _servers(instance: Instance) -> Iterator[Stack]:
    ensure_broker_is_recorded()
    with owned(instance):
        credentials = Credentials.of(instance.run_folder, provision.SERVICES)
        database_port, broker_port, controller_port = pick_free(3)
        database = DatabaseServer(instance, database_port, credentials.administrator_password)
        broker = Broker(instance, broker_port, controller_port)
        try:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(_start, (database, broker)))
            wait_until_ready((database, broker), limit_s=START_LIMIT_S)
            stack = Stack(
                broker.bootstrap,
                database_port,
                credentials.administrator_password,
                credentials.service_passwords,
            )
            (instance.run_folder / "stack.json").write_text(json.dumps(asdict(stack)))
            yield stack
        finally:
            broker.child.kill()
            # Asked, not killed: a killed one leaves its System V memory segment behind.
            database.child.stop()
            instance.delete()


def _start(server: Broker | DatabaseServer) -> None:
    server.prepare()
    server.child.start()


def _read(instance: Instance) -> Stack:
    path = instance.run_folder / "stack.json"
    if not path.exists():
        raise FileNotFoundError(
            f"LOWTIDE_TEST_STACK={instance.name} does not run: "
            f"start it with `python -m {__spec__.name if __spec__ else __name__}`"
        )
    return Stack(**json.loads(path.read_text(encoding="utf-8")))


def delete_stale() -> None:
    """End and delete the stacks of test runs that were killed."""
    on_disk = (home() / "instances").glob(f"{TEST_PREFIX}*")
    in_memory = _MEMORY.glob(f"lowtide-{TEST_PREFIX}*")
    for instance in (
        *(Instance.named(folder.name) for folder in on_disk),
        *(_remembered(folder.name.removeprefix("lowtide-")) for folder in in_memory),
    ):
        # Another run may be deleting it at this moment.
        with contextlib.suppress(AlreadyRunningError, FileNotFoundError):
            if _is_stale(instance.folder.stat()):
                with owned(instance):
                    instance.delete()


def _is_stale(folder: os.stat_result) -> bool:
    # One that is just being made has no owner yet.
    return folder.st_uid == os.getuid() and time.time() - folder.st_mtime > STALE_AFTER_S


async def migrated_template(stack: Stack) -> str:
    """Return the name of a database with every service's schema, made unless it is there.

    The name carries a digest of the migrations, so a long-running stack never serves old ones.
    """
    name = f"template_{_migrations_digest()}"
    administrator = await asyncpg.connect(stack.administrator_url())
    try:
        if not await administrator.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            draft = f"draft_{secrets.token_hex(6)}"
            await administrator.execute(f"CREATE DATABASE {draft}")
            try:
                await _migrate(stack, draft)
                await administrator.execute(f"ALTER DATABASE {draft} RENAME TO {name}")
            except asyncpg.DuplicateDatabaseError:  # a run beside us was quicker
                await administrator.execute(f"DROP DATABASE {draft}")
            except BaseException:
                await administrator.execute(f"DROP DATABASE {draft} WITH (FORCE)")
                raise
    finally:
        await administrator.close()
    return name


async def _migrate(stack: Stack, database: str) -> None:
    await provision.provision(stack.administrator_url(database), stack.service_passwords)
    for service in provision.SERVICES:
        if migrations.has_migrations(service):
            await migrations.upgrade(stack.service_url(service, database), service)


def _migrations_digest() -> str:
    digest = hashlib.sha256()
    files = sorted((REPOSITORY / "services").glob("*/store/migrations/**/*.py"))
    for path in [*files, *sorted(Path(str(provision.__file__)).parent.glob("*.py"))]:
        digest.update(path.relative_to(REPOSITORY).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@asynccontextmanager
async def fresh_database(stack: Stack, template: str) -> AsyncIterator[Database]:
    """Yield a copy of the template; it is dropped at the end, open connections or not."""
    name = f"fresh_{secrets.token_hex(6)}"
    # By way of the log, as it is done unless told otherwise, it costs twice as much.
    await _administer(stack, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield Database(stack, name)
    finally:
        await _administer(stack, f"DROP DATABASE {name} WITH (FORCE)")


async def _administer(stack: Stack, statement: str) -> None:
    connection = await asyncpg.connect(stack.administrator_url())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def fresh_topics(stack: Stack) -> AsyncIterator[str]:
    """Yield a topic prefix under which every declared topic exists; they go at the end."""
    prefix = f"t{secrets.token_hex(4)}."
    await create_topics(stack.bootstrap, prefix)
    try:
        yield prefix
    finally:
        await delete_topics(stack.bootstrap, prefix)


def main() -> None:
    """Run servers for many test runs until Ctrl-C."""
    delete_stale()
    with _servers(_in_memory(SHARED)):
        sys.stdout.write(f"export LOWTIDE_TEST_STACK={SHARED}  # Ctrl-C ends the servers\n")
        sys.stdout.flush()
        ends = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        # Blocked only now: the servers would inherit it.
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
