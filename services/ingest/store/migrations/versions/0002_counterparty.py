"""The other warehouse of a transfer may be what nobody knows."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    ALTER TABLE quarantine
        ADD COLUMN counterparty text,
        ADD COLUMN unknown_counterparty text
    """,
    """
    CREATE INDEX quarantine_unknown_counterparty ON quarantine (unknown_counterparty)
    WHERE state = 'waiting' AND unknown_counterparty IS NOT NULL
    """,
)


def upgrade() -> None:
    """Give the quarantine the counterparty; what waits already has none."""
    for statement in _STATEMENTS:
        op.execute(statement)
