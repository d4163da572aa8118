"""Which partition a key lives in; the same for every producer, for life."""

from zlib import crc32


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key: CRC-32 of its UTF-8, modulo the number of partitions."""
    return crc32(key.encode()) % partitions
