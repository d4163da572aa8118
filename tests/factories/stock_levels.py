"""Levels as they are told."""

from datetime import UTC, datetime

from shared.events.stock_levels import StockLevel


def stock_level(sku: str, version: int, warehouse: str = "hz") -> StockLevel:
    """Return a level that has nothing to it but its version, in units as well."""
    return StockLevel(
        sku=sku,
        warehouse=warehouse,
        version=version,
        on_hand=version,
        reserved=0,
        unavailable=0,
        incoming=0,
        available=version,
        low_water=version,
        counted_at=None,
        last_change_at=datetime(2026, 3, 2, tzinfo=UTC),
        sold_total=0,
        returned_total=0,
        received_total=0,
    )
