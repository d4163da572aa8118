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


def _written(instant: datetime) -> bytes:
    since = instant - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    return _MICROSECONDS.pack(seconds * 1_000_000 + since.microseconds)


def _read(value: bytes) -> datetime:
    (microseconds,) = _MICROSECONDS.unpack(value)
    return _EPOCH + timedelta(microseconds=microseconds)
