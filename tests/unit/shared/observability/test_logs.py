import logging

from shared.observability.logs import QUIET_SECONDS, Damped


class Watch:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def spoken(name: str, line: int, *values: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "client.py", line, "away: %s", values, None)


def test_a_line_of_the_broker_client_speaks_once_in_a_while() -> None:
    watch = Watch()
    damped = Damped(watch)
    assert damped.filter(spoken("aiokafka.client", 1, "first"))
    watch.now = QUIET_SECONDS - 0.1
    assert not damped.filter(spoken("aiokafka.client", 1, "second"))
    assert damped.filter(spoken("aiokafka.client", 2, "another line"))
    watch.now = QUIET_SECONDS
    assert damped.filter(spoken("aiokafka.client", 1, "third"))


def test_others_are_never_damped() -> None:
    damped = Damped(Watch())
    for _ in range(3):
        assert damped.filter(spoken("uvicorn.error", 1))
