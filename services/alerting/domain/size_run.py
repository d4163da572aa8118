"""The options of a product, and how many of them are in stock (断码: a broken size run)."""

from typing import NamedTuple

from shared.events.stock_alerts import Option, Options

NAMED_AT_MOST = 20
"""Options that a notice names; more than a person reads, less than a card holds."""


class SizeRun(NamedTuple):
    """The SKUs of one product that a rule is about, and those of them that are out; sorted.

    An option of which no level was ever heard is not out: nobody has said so.
    """

    skus: tuple[str, ...]
    out: tuple[Option, ...]

    @property
    def in_stock(self) -> int:
        """Return how many options are not out."""
        return len(self.skus) - len(self.out)

    @property
    def share(self) -> float:
        """Return the share of options in stock; all, of none."""
        return self.in_stock / len(self.skus) if self.skus else 1

    def told(self) -> Options:
        """Return what a notice says of it."""
        return Options(in_stock=self.in_stock, all=len(self.skus), out=self.out[:NAMED_AT_MOST])
