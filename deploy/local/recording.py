"""Record the broker's class archive, once (see `java.py` for what it is worth).

The broker is that of an instance of its own, so `make down` ends it like any other.
"""

import fcntl
from pathlib import Path

from deploy.local.instance import Instance, home
from deploy.local.java import Java
from deploy.local.kafka import Broker
from deploy.local.ownership import owned
from deploy.local.ports import pick_free
from deploy.local.server import wait_until_ready

START_LIMIT_S = 120.0
# Java writes the archive when the broker has ended: 5 s, and much more on a busy machine.
WRITE_LIMIT_S = 120.0


def ensure_broker_is_recorded() -> None:
    """Download what the broker needs, and record its classes; does nothing when that is done.

    Takes about 20 s; runs that start side by side wait for the first. Raises JarError,
    StartError.
    """
    folder = home() / "cache" / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        archive = Java.for_broker(temporary=folder).archive
        if not archive.exists():
            print("Preparing Apache Kafka, once ...", flush=True)
            for outdated in folder.glob("*.aot*"):
                outdated.unlink()
            _record(archive)


def _record(archive: Path) -> None:
    instance = Instance.named("recording")
    draft = archive.with_suffix(".aot.draft")
    with owned(instance):
        port, controller_port = pick_free(2)
        broker = Broker(
            instance,
            port,
            controller_port,
            archive_option=f"-XX:AOTCacheOutput={draft}",
            stop_grace_s=WRITE_LIMIT_S,
        )
        try:
            broker.prepare()
            broker.child.start()
            wait_until_ready((broker,), limit_s=START_LIMIT_S)
            broker.child.stop()
        finally:
            broker.child.kill()  # whoever interrupts this does not wait for an archive
            instance.delete()
    # A Java that cannot write one leaves the broker as it is: slower.
    if draft.exists():
        draft.replace(archive)
