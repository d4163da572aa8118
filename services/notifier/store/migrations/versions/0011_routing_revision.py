"""Whether destinations or routes were edited is one short question."""

from alembic import op

from shared.database.kept import renewed_by

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add what every edit renews."""
    for statement in renewed_by("routing", "destination", "route"):
        op.execute(statement)
