"""What a count has counted."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column; so far, counts of nothing but on hand were kept."""
    op.execute("ALTER TABLE stock_count ADD COLUMN bucket text NOT NULL DEFAULT 'on_hand'")
