"""The audit of what is configured and decided."""

from alembic import op

from shared.database.audit import CREATE

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the table; what was done before is in no entry."""
    for statement in CREATE:
        op.execute(statement)
