"""Classes of goods by what they sell for (A, B, C), and by how steadily too (AX to CZ)."""

from collections.abc import Collection

_LETTERS_OF_ABC_XYZ = 2


def is_of(stock_class: str, classes: Collection[str]) -> bool:
    """Return whether a class is one of some; "A" stands for "AX" to "AZ" as well."""
    refined = len(stock_class) == _LETTERS_OF_ABC_XYZ and stock_class[0] in classes
    return stock_class in classes or refined
