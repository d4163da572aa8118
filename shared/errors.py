"""The errors that services share.

LowtideError
├── Unavailable        a broker, database or service is away: try again later
├── Fenced             another process owns the partition now: end
└── Stopped            a person must look before this may go on
"""


class LowtideError(Exception):
    """Anything this project raises on purpose."""


class Unavailable(LowtideError):  # noqa: N818 - the word an operator reads
    """A dependency is away; the caller may try again after `retry_after_seconds`."""

    def __init__(self, what: str, retry_after_seconds: int = 5) -> None:
        super().__init__(f"{what} cannot be reached; try again in {retry_after_seconds} seconds")
        self.what = what
        self.retry_after_seconds = retry_after_seconds


class Fenced(LowtideError):  # noqa: N818 - the field's word
    """Somebody else owns the partition now; nothing more may be written or published."""


class Stopped(LowtideError):  # noqa: N818 - a state, not a mistake
    """A partition is halted until a person resumes it."""
