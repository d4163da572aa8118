"""When suppliers last opened the links of their orders."""

from alembic import op

revision = "0014"
down_revision = "0012"


def upgrade() -> None:
    """Add the column; of links that were opened before, nobody knows."""
    op.execute("ALTER TABLE purchase_order ADD COLUMN link_opened_at timestamptz")
