import re

import pytest

from shared.observability.tracing import HEADER, continued

FORM = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def test_a_trace_goes_on_with_a_span_of_our_own() -> None:
    found = continued(GIVEN)
    assert FORM.fullmatch(found)
    version, trace, span, flags = found.split("-")
    assert (version, trace, flags) == ("00", GIVEN.split("-")[1], "00")
    assert span != GIVEN.split("-")[2]
    assert HEADER == "traceparent"


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "nonsense",
        GIVEN.upper(),
        GIVEN[:-1],
        GIVEN + "-extra",
        GIVEN + "\n",
        GIVEN.replace("00-", "01-", 1),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        "é" * 55,
    ],
)
def test_anything_else_starts_a_trace(given: str | None) -> None:
    found = continued(given)
    assert FORM.fullmatch(found)
    assert found.endswith("-01")
    assert found != continued(given)
