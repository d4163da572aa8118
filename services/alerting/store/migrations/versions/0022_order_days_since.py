"""Since when a supplier has its order days."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE supplier ADD COLUMN days_since timestamptz")
