"""Which order a delivery mails to its supplier."""

from alembic import op

revision = "0006"
down_revision = "0005"

BY_ORDER = """
CREATE INDEX delivery_by_order ON delivery (order_id, id) WHERE order_id IS NOT NULL
"""


def upgrade() -> None:
    """Add the column and its index."""
    op.execute("ALTER TABLE delivery ADD COLUMN order_id uuid")
    op.execute(BY_ORDER)
