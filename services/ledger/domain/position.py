"""How far a stream has been read, as one short text that a client gives back."""

import base64
import binascii
from collections.abc import Iterator
from typing import NamedTuple, Self

_FORM = 1
"""First number of every text, so that another form can follow this one."""
_LARGEST = 2**63
_LONGEST_NUMBER = 13
"""Characters of base64url at the most, rounded up."""


class Position(NamedTuple):
    """A place in a topic over all its partitions.

    `offsets` has the next offset of each partition; `time_ms` is the newest time that the broker
    gave a record before the place.
    """

    offsets: tuple[int, ...]
    time_ms: int

    def reaches(self, other: "Position") -> bool:
        """Return whether everything before the other place is before this one."""
        return all(mine >= its for mine, its in zip(self.offsets, other.offsets, strict=True))

    def encode(self) -> str:
        """Return the place as base64url of variable-length numbers (LEB128), without padding."""
        written = bytearray()
        for number in (_FORM, self.time_ms, *self.offsets):
            rest = number
            while rest > 0x7F:
                written.append(rest & 0x7F | 0x80)
                rest >>= 7
            written.append(rest)
        return base64.urlsafe_b64encode(written).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, partitions: int) -> Self:
        """Return the place that a text stands for. Raises ValueError for any other text.

        One from before the topic grew is at the beginning of the partitions that are new.
        """
        if len(text) > _LONGEST_NUMBER * (partitions + 2):
            raise ValueError("too long")
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            written = base64.b64decode(padded, altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise ValueError("not base64url") from None
        numbers = [*_numbers(written)]
        new = partitions + 2 - len(numbers)
        if not 0 <= new < partitions or max(numbers) >= _LARGEST:
            raise ValueError("not a position in this topic")
        position = cls(tuple(numbers[2:]), numbers[1])
        if position.encode() != text:
            raise ValueError("of another form, or not written as this one writes")
        return position._replace(offsets=position.offsets + (0,) * new)


def _numbers(written: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in written:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
