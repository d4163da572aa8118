"""When a notice that waits for others is told, and orders that take no more lines."""

from alembic import op

revision = "0017"
down_revision = "0016"

# Null: at once. What is older is taken for told at once, as it was before.
TELL_AT = "ALTER TABLE alert_history ADD COLUMN tell_at timestamptz"

IS_FULL = "ALTER TABLE purchase_order ADD COLUMN is_full boolean NOT NULL DEFAULT false"

ONE_OPEN_ORDER = """
CREATE UNIQUE INDEX one_open_order ON purchase_order (supplier)
    WHERE placed_at IS NULL AND NOT is_full
"""


def upgrade() -> None:
    """Add the columns; an order that is full stands beside the one that lines are added to."""
    op.execute(TELL_AT)
    op.execute(IS_FULL)
    op.execute("DROP INDEX one_open_order")
    op.execute(ONE_OPEN_ORDER)
