"""Through which destination of the notifier orders are mailed, where somebody has chosen one."""

from alembic import op

revision = "0016"
down_revision = "0015"

# Without a row, or with null, it is what the environment says.
ORDER_DESTINATION = """
CREATE TABLE order_destination (
    one          boolean     PRIMARY KEY DEFAULT true CHECK (one),
    destination  text,
    changed_by   text        NOT NULL,
    changed_at   timestamptz NOT NULL
)
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(ORDER_DESTINATION)
