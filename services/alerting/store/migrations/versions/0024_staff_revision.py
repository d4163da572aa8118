"""Whether people or what they see to were edited is one short question."""

from alembic import op

from shared.database.kept import renewed_by

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add what every edit renews."""
    for statement in renewed_by("staff", "person", "warehouse_group", "responsibility"):
        op.execute(statement)
