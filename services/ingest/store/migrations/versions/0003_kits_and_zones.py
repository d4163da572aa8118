"""Kits, classes and whether a SKU may be oversold; what of the warehouses is published."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    ALTER TABLE sku
        ADD COLUMN kit         jsonb   NOT NULL DEFAULT '[]',
        ADD COLUMN oversell    boolean NOT NULL DEFAULT false,
        ADD COLUMN stock_class text
    """,
    "CREATE INDEX sku_kit ON sku (sku) WHERE kit <> '[]'",
    # As for SKUs: what differs is published, all that there are already at the next start.
    """
    ALTER TABLE warehouse
        ADD COLUMN version           bigint NOT NULL DEFAULT 1,
        ADD COLUMN published_version bigint NOT NULL DEFAULT 0
    """,
)


def upgrade() -> None:
    """Give SKUs what kits and reservations need; let warehouses be published."""
    for statement in _STATEMENTS:
        op.execute(statement)
