import re

from deploy.local.jars import KAFKA_VERSION, LOCK, pinned


def test_every_library_is_pinned_by_version_and_checksum() -> None:
    jars = list(pinned())

    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in jars)
    assert len({(jar.group, jar.artifact) for jar in jars}) == len(jars)


def test_the_broker_and_its_log_backend_are_among_them() -> None:
    versions = {jar.artifact: jar.version for jar in pinned()}

    assert versions["kafka_2.13"] == versions["kafka-clients"] == KAFKA_VERSION
    assert versions["log4j-slf4j-impl"] == versions["log4j-core"]


def test_the_lock_names_no_host() -> None:
    assert "://" not in LOCK.read_text(encoding="utf-8")
