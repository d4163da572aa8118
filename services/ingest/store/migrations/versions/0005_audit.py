"""The audit of what is configured."""

from alembic import op

from shared.database.audit import CREATE

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table; what was configured before is in no entry."""
    for statement in CREATE:
        op.execute(statement)
