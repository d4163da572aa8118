"""A topic's name is a file's name: what is declared is written and read, and nothing else is."""

from pathlib import Path

from shared.events.dead_letters import dead_topic
from shared.events.topics import TOPICS

ROOT = Path(__file__).resolve().parents[2]
FILES = {name.replace(".", "_"): topic for name, topic in TOPICS.items()}
DEAD = {dead_topic(name) for name in TOPICS}


def wired(folder: str) -> set[tuple[str, str]]:
    """Return (service, topic file) of all modules that carry a topic's name in a folder."""
    return {
        (path.parents[1].name, path.stem)
        for path in (ROOT / "services").glob(f"*/{folder}/*.py")
        if path.stem in FILES
    }


def test_every_topic_is_written_by_its_producer_alone() -> None:
    # Dead letters are written by the partition consumer itself, for every topic alike.
    declared = {(topic.producer, file) for file, topic in FILES.items() if topic.name not in DEAD}
    assert wired("outbound") == declared


def test_every_topic_is_read_by_its_consumers_alone() -> None:
    declared = {(service, file) for file, topic in FILES.items() for service in topic.consumers}
    assert wired("inbound") == declared


def test_every_topic_has_a_module_that_defines_its_messages() -> None:
    modules = {path.stem for path in (ROOT / "shared" / "events").glob("*.py")}
    assert {file for file, topic in FILES.items() if topic.name not in DEAD} <= modules
