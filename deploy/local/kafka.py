"""Apache Kafka 4.4 as one child process: KRaft, broker and controller in one node."""

import contextlib
import shlex
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from deploy.local.child import Child, Command
from deploy.local.instance import Instance
from deploy.local.java import Java, JavaSettings
from deploy.local.ports import LOOPBACK

STOP_GRACE_S = 20
PROBE_TIMEOUT_S = 1.0

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "log.message.timestamp.type": "LogAppendTime",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # After kill -9 the controller, restarted with the broker, holds the dead one's session for
    # this long (by default 9 s) before the new one may register. With 2 s a busy machine
    # (load 16 on two cores) took a living broker for dead.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}

# ApiVersions (key 18), version 0, correlation id 1, no client id: every broker answers it, once
# it handles requests at all (https://kafka.apache.org/protocol, retrieving supported versions).
_PROBE = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class Broker:
    """One Kafka node of an instance; its log directories outlive it."""

    name = "kafka"

    def __init__(
        self,
        instance: Instance,
        port: int,
        controller_port: int,
        *,
        archive_option: str | None = None,
        stop_grace_s: float = STOP_GRACE_S,
    ) -> None:
        self.port = port
        self._folder = instance.broker_folder
        self._controller_port = controller_port
        self._java = Java.for_broker(temporary=instance.broker_folder)
        # What is recorded once serves runs with other options as well.
        more = () if archive_option else shlex.split(JavaSettings().java_options)
        archive = archive_option or f"-XX:AOTCache={self._java.archive}"
        command = Command(
            name=self.name,
            argv=[
                *self._java.command("kafka.Kafka", "-Xmx512m", archive, *more),
                str(self._properties),
            ],
            folder=self._folder,
            log=instance.logs_folder / f"{self.name}.log",
            environment=_ENVIRONMENT,
            stop_grace_s=stop_grace_s,
        )
        self.child = Child(command, instance.processes_folder)

    @property
    def bootstrap(self) -> str:
        """Return `host:port` for clients."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Write the configuration; format the log directory unless it was."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            "".join(f"{name}={value}\n" for name, value in self._settings().items()),
            encoding="utf-8",
        )
        if (self._data / "meta.properties").exists():
            return
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(
            [
                *self._java.command(
                    "kafka.tools.StorageTool", "-Xmx128m", "-XX:TieredStopAtLevel=1"
                ),
                "format",
                "--ignore-formatted",
                f"--cluster-id={cluster}",
                f"--config={self._properties}",
            ],
            cwd=self._folder,
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"formatting the broker's storage failed:\n{done.stdout}{done.stderr}"
            )

    def is_ready(self) -> bool:
        """Tell whether it answers requests."""
        with contextlib.suppress(OSError):
            address = (LOOPBACK, self.port)
            with socket.create_connection(address, timeout=PROBE_TIMEOUT_S) as connection:
                connection.sendall(_PROBE)
                return len(connection.recv(8)) > 0
        return False

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _settings(self) -> dict[str, str]:
        broker, controller = self.bootstrap, f"{LOOPBACK}:{self._controller_port}"
        return SETTINGS | {
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "controller.quorum.voters": f"1@{controller}",
            # Seen from its folder: Kafka takes a comma in a path for the end of it, and reads its
            # configuration as Latin-1.
            "log.dirs": self._data.name,
        }


_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
