"""The moment at which the fake services came to be."""

from datetime import UTC, datetime

NOW = datetime.now(UTC)  # noqa: TID251 - pages show times relative to the wall clock
