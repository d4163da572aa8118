"""The broker's Java libraries: pinned with checksums, downloaded once, checked on every start.

`kafka.lock` names each artifact and its SHA-256. Downloads go through jgo, which reads a mirror
(`[repositories]` in its own settings file) and the usual proxy variables; nothing here names a
host. `python -m deploy.local.jars` resolves the dependencies anew and rewrites the pins.
"""

import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from deploy.local.instance import home

if TYPE_CHECKING:
    from jgo.maven import MavenContext

KAFKA_VERSION = "4.4.0"

BROKER = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"

# Kafka's artifact leaves the choice of a log backend to its packager, and is mute without one.
# Taken alone: its own dependencies are there already, and its parent would bend their versions.
LOG_BACKEND = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"

LOCK = Path(__file__).with_name("kafka.lock")
DOWNLOADS_AT_ONCE = 8
ATTEMPTS = 3
TIMEOUT_S = 60


class JarError(RuntimeError):
    """A library could not be downloaded or is not the pinned file."""


@dataclass(frozen=True)
class Jar:
    """A pinned artifact: Maven coordinates and the SHA-256 of its file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name Maven gives it."""
        return f"{self.artifact}-{self.version}.jar"


def class_path() -> str:
    """Return the class path of the broker, downloading what is missing.

    Raises JarError when a library cannot be had or differs from its checksum.
    """
    folder = home() / "cache" / "kafka" / KAFKA_VERSION
    jars = list(pinned())
    missing = [jar for jar in jars if not _is_intact(folder / jar.file_name, jar)]
    if missing:
        _download(missing, folder)
    return ":".join(str(folder / jar.file_name) for jar in jars)


def pinned() -> Iterator[Jar]:
    """Yield the artifacts of `kafka.lock`."""
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            coordinates, sha256 = line.split()
            group, artifact, version = coordinates.split(":")
            yield Jar(group, artifact, version, sha256)


def _download(jars: list[Jar], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("jgo").setLevel(logging.ERROR)
    context = _repository()
    with (
        Progress(transient=True) as progress,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
    ):
        task = progress.add_task(f"Downloading Apache Kafka {KAFKA_VERSION}", total=len(jars))
        for _ in pool.map(lambda jar: _download_one(context, jar, folder), jars):
            progress.advance(task)


def _download_one(context: "MavenContext", jar: Jar, folder: Path) -> None:
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    problem = "no attempt made"
    for _ in range(ATTEMPTS):
        try:
            source = Path(artifact.resolve())
        except (RuntimeError, OSError) as error:
            problem = str(error)
            continue
        if _is_intact(source, jar):
            # A rename: a killed run leaves no half a file under the final name.
            source.replace(folder / jar.file_name)
            return
        problem = f"its SHA-256 is not {jar.sha256}"
        source.unlink(missing_ok=True)
    raise JarError(f"cannot download {jar.group}:{jar.artifact}:{jar.version}: {problem}")


def _repository() -> "MavenContext":
    # jgo takes 0.4 s to import, and a start that finds every library does without it.
    from jgo.config import GlobalSettings  # noqa: PLC0415 - as above
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415 - as above
    from jgo.maven import MavenContext  # noqa: PLC0415 - as above

    configured = GlobalSettings.load().repositories
    return MavenContext(
        repo_cache=home() / "cache" / "maven",
        remote_repos={**configured, "central": MAVEN_CENTRAL_URL},
        timeout=TIMEOUT_S,
    )


def _is_intact(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def rewrite_lock() -> None:
    """Resolve the broker's dependencies and write their pins."""
    context = _repository()
    broker, log_backend = (context.create_dependency(root) for root in (BROKER, LOG_BACKEND))
    _, transitive = context.resolver.resolve([broker])
    needed = [found for found in transitive if found.scope in {"compile", "runtime"}]
    lines = set()
    for dependency in [broker, log_backend, *needed]:
        file = Path(dependency.artifact.resolve()).read_bytes()
        coordinates = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
        lines.add(f"{coordinates} {hashlib.sha256(file).hexdigest()}\n")
    header = "# Written by `python -m deploy.local.jars`: Maven coordinates, SHA-256.\n"
    LOCK.write_text(header + "".join(sorted(lines)), encoding="utf-8")


if __name__ == "__main__":
    rewrite_lock()
