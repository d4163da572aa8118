"""Tell most identities that no closed period knows from those that one may: a Bloom filter.

An identity is a hash, so its four words of 32 bits are four independent places: the lower bits of
each say which byte, the upper three which bit. Nearly all that are unknown fail at the first or
second. Filters of several periods become one: a lookup costs the same, however many there are.
"""

import struct
from collections.abc import Sequence
from typing import Self

BITS_PER_IDENTITY = 48
"""At least: with four periods of the same size 12 an identity, and 1 unknown one in 150 passes."""

LARGEST_BYTES = 64 << 20
"""What a process that applies changes gives to all periods together."""

FEWEST_BITS_PER_IDENTITY = 16
"""With less, more than 1 in 6 passes: more than 33 million identities a period are asked for."""

PIECE_BYTES = 1 << 20
"""What is read of a stored filter at once."""

_SMALLEST_BYTES = 8
_BIT = tuple(1 << number for number in range(8))


class IdentityFilter:
    """The identities of one or several periods, as bits; their bytes are a power of two."""

    def __init__(self, size: int) -> None:
        self.bits = bytearray(size)
        self._mask = size - 1

    @classmethod
    def for_number(cls, identities: int) -> Self | None:
        """Return an empty filter for so many identities; None when there are too many for one."""
        if identities * FEWEST_BITS_PER_IDENTITY > LARGEST_BYTES * 8:
            return None
        size = _SMALLEST_BYTES
        while size < LARGEST_BYTES and size * 8 < identities * BITS_PER_IDENTITY:
            size *= 2
        return cls(size)

    def unite(self, piece: bytes, offset: int, size: int) -> None:
        """Know what a part of another filter knows, too: of `size` bytes in all, no larger.

        A smaller one is repeated: places are the lower bits of a word, so its pattern repeats.
        """
        bits = self.bits
        if len(piece) == size:
            piece *= max(1, min(len(bits), PIECE_BYTES) // size)
            size = max(size, len(piece))
        for start in range(offset, len(bits), size):
            end = start + len(piece)
            both = int.from_bytes(bits[start:end]) | int.from_bytes(piece)
            bits[start:end] = both.to_bytes(len(piece))

    def add(self, identities: bytes) -> None:
        """Take identities in, given as one text of 16 bytes each."""
        bits, bit, mask = self.bits, _BIT, self._mask
        for word in _words(identities):
            bits[word & mask] |= bit[word >> 29]

    def among(self, identities: Sequence[bytes]) -> list[bytes]:
        """Return which of some identities may be known."""
        words = _words(b"".join(identities))
        bits, bit, mask = self.bits, _BIT, self._mask
        found = [
            place for place, word in enumerate(words[::4]) if bits[word & mask] & bit[word >> 29]
        ]
        for rest in (1, 2, 3):
            found = [
                place
                for place in found
                if bits[(word := words[4 * place + rest]) & mask] & bit[word >> 29]
            ]
        return [identities[place] for place in found]


def _words(identities: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(identities) // 4}I", identities)
