"""How values cross to the database on the busiest connections: as bytes, with no detours."""

import struct
from datetime import UTC, datetime, timedelta

from shared.database.engine import Driver

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL's zero; a `timestamptz` is the microseconds since, big-endian in 8 bytes."""

_MICROSECONDS = struct.Struct(">q")


async def prepare(driver: Driver) -> None:
    """Set a connection up: identities pass as their 16 bytes, instants by a shorter way.

    The driver's own way turns each instant to UTC first, which they are in already: 0.5 µs
    instead of 0.3, five times a change.
    """
    await driver.set_type_codec(
        "uuid", schema="pg_catalog", encoder=_same, decoder=_same, format="binary"
    )
    await driver.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=_written, decoder=_read, format="binary"
    )


def _same(value: bytes) -> bytes:
    return value


def microseconds(instant: datetime) -> int:
    """Return an instant as PostgreSQL counts it."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _written(instant: datetime) -> bytes:
    return _MICROSECONDS.pack(microseconds(instant))


def _read(value: bytes) -> datetime:
    return _EPOCH + timedelta(microseconds=_MICROSECONDS.unpack(value)[0])
