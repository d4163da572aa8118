"""Which levels are out, found without reading all of them."""

from alembic import op

revision = "0018"
down_revision = "0017"

# Seldom changes though `available` does with each message, so updates stay on their page (HOT).
IS_OUT = """
ALTER TABLE known_level
    ADD COLUMN is_out boolean NOT NULL GENERATED ALWAYS AS (available <= 0) STORED
"""

KNOWN_LEVEL_OUT = "CREATE INDEX known_level_out ON known_level (sku, warehouse) WHERE is_out"


def upgrade() -> None:
    """Add the column, which writes the table anew, and its index."""
    op.execute(IS_OUT)
    op.execute(KNOWN_LEVEL_OUT)
