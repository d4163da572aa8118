"""What products were last judged by, and how much of what is at risk nobody knows."""

from alembic import op

revision = "0015"
down_revision = "0014"

# The SKUs that are its options, and what a notice says of them; unknown of those judged before.
JUDGED_BY = "ALTER TABLE judged_product ADD COLUMN skus jsonb, ADD COLUMN options jsonb"

LEFT_OUT = "ALTER TABLE alert ADD COLUMN at_risk_left_out integer NOT NULL DEFAULT 0"


def upgrade() -> None:
    """Add the columns."""
    for statement in (JUDGED_BY, LEFT_OUT):
        op.execute(statement)
