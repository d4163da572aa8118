"""W3C trace context, passed on from request to message to request."""

import re
import secrets

HEADER = "traceparent"
_FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def continued(traceparent: str | None) -> str:
    """Return the context for work done on behalf of a caller: same trace, a span of our own.

    A missing or malformed context starts a new trace, as the W3C recommendation asks.
    """
    span = secrets.token_hex(8)
    if traceparent is None or not _FORM.fullmatch(traceparent):
        return f"00-{secrets.token_hex(16)}-{span}-01"
    version, trace, _, flags = traceparent.split("-")
    return f"{version}-{trace}-{span}-{flags}"
