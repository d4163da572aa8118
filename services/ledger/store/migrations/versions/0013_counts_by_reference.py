"""What the list of a stocktake's counts goes by."""

from alembic import op

revision = "0013"
down_revision = "0012"

INDEX = """
CREATE INDEX stock_count_reference ON stock_count (reference, id) WHERE reference IS NOT NULL
"""
# The newest first without sorting, going on behind any; most counts of machines are of none.


def upgrade() -> None:
    """Add the index."""
    op.execute(INDEX)
