"""Small files written out by hand."""

from datetime import datetime

from deploy.local.replays.source import Line


def line(
    invoice: str = "536365",
    code: str = "85123A",
    quantity: int = 6,
    at: str = "2010-12-01 08:26",
    *,
    description: str | None = "WHITE HANGING HEART",
    price: float = 2.55,
    customer: float | None = 17850.0,
) -> Line:
    """Return a line of the file; by default a paid one of a known customer."""
    return Line(
        invoice,
        code,
        description,
        quantity,
        datetime.fromisoformat(at),
        price,
        customer,
        "United Kingdom",
    )


def correction(
    code: str, quantity: int, description: str | None, at: str, invoice: str = "536999"
) -> Line:
    """Return an unpaid line without a customer."""
    return line(invoice, code, quantity, at, description=description, price=0.0, customer=None)
