"""What any vendor's callback has to prove: that it is the vendor's, and from just now."""

from datetime import UTC, datetime, timedelta

from shared.errors import LowtideError

MAX_AGE = timedelta(minutes=5)
"""A callback that is older, or as much ahead, is refused: somebody may be replaying it."""


class Forged(LowtideError):  # noqa: N818 - a verdict, not a mistake
    """It does not come from the vendor, or not now, or not for us."""


def check_age(timestamp: str, now: datetime) -> None:
    """Check when a callback was signed, in seconds since 1970. Raises Forged."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        raise Forged("the timestamp is none")
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > MAX_AGE:
        raise Forged("the timestamp is too far away")
