"""Since when a destination takes nothing, so that others hear of it once."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the beginning of the failures in a row."""
    op.execute("ALTER TABLE lease ADD COLUMN failing_since timestamptz")
