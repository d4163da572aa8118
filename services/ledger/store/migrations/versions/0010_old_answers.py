"""An index by which old answers are found."""

from alembic import op

revision = "0010"
down_revision = "0008"


def upgrade() -> None:
    """Replace the index: once space is used again, every range of the old one holds all days."""
    op.execute("DROP INDEX answer_at")
    op.execute("CREATE INDEX answer_at ON answer (at)")
