"""W3C trace context, passed on from request to message to request."""

import random
import re

HEADER = "traceparent"
# Unique, not secret: the system's generator costs a call to it each time.
_chance = random.Random()  # noqa: S311
_FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def continued(traceparent: str | None) -> str:
    """Return the context for work done on behalf of a caller: same trace, a span of our own.

    A missing or malformed context starts a new trace, as the W3C recommendation asks.
    """
    span = _chance.randbytes(8).hex()
    if traceparent is None or not _FORM.fullmatch(traceparent):
        return f"00-{_chance.randbytes(16).hex()}-{span}-01"
    version, trace, _, flags = traceparent.split("-")
    return f"{version}-{trace}-{span}-{flags}"
