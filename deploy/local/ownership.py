"""One owner per instance: whoever runs it holds a lock that ends with its process."""

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator

import psutil

from deploy.local.child import ProcessRecord, end_recorded
from deploy.local.instance import TEST_PREFIX, Instance, home

OWNER = "owner"
ORPHANS_GRACE_S = 10.0

# An owner ends its roles (10 s), then broker and database (20 s), before it is gone.
OWNER_GRACE_S = 45.0


class AlreadyRunningError(RuntimeError):
    """Another process runs this instance."""


@contextlib.contextmanager
def owned(instance: Instance) -> Iterator[None]:
    """Own an instance for the length of the block; what a killed owner left behind is ended.

    Raises AlreadyRunningError when a living process owns it.
    """
    instance.create()
    with (instance.run_folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = living_owner(instance)
            process = "another process" if owner is None else f"process {owner.pid}"
            raise AlreadyRunningError(
                f"the stack `{instance.name}` is already running in {process}; `make down` ends it"
            ) from None
        end_recorded(instance.processes_folder, grace_s=ORPHANS_GRACE_S)
        record = ProcessRecord.write(OWNER, os.getpid(), instance.run_folder)
        try:
            yield
        finally:
            record.forget()


def living_owner(instance: Instance) -> psutil.Process | None:
    """Return the process that runs an instance, or None."""
    for record in ProcessRecord.read_all(instance.run_folder):
        if record.name == OWNER:
            return record.process()
    return None


def instances() -> list[Instance]:
    """Return every instance that has a folder, without those of test runs."""
    names = sorted(folder.name for folder in (home() / "instances").glob("*"))
    return [Instance.named(name) for name in names if not name.startswith(TEST_PREFIX)]


def bring_down(instance: Instance) -> list[str]:
    """End an instance: its owner in good order, or what a killed owner left behind.

    Returns the names of what was ended, in words for a person.
    """
    ended: list[str] = []
    owner = living_owner(instance)
    if owner is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            owner.send_signal(signal.SIGTERM)
        psutil.wait_procs([owner], timeout=OWNER_GRACE_S)
        if owner.is_running():
            owner.kill()
            owner.wait(OWNER_GRACE_S)
        ended.append(f"{instance.name} (process {owner.pid})")
    orphans = end_recorded(instance.processes_folder, grace_s=ORPHANS_GRACE_S)
    return [*ended, *(f"{instance.name}: {name}" for name in orphans)]
