"""What waits can be dismissed; what was ignored is found by its channel."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    ALTER TABLE quarantine
        DROP CONSTRAINT quarantine_state_check,
        ADD CONSTRAINT quarantine_state_check
            CHECK (state IN ('waiting', 'replayed', 'ignored', 'dismissed'))
    """,
    "CREATE INDEX quarantine_ignored ON quarantine (channel) WHERE state = 'ignored'",
)


def upgrade() -> None:
    """Add the state and the index."""
    for statement in _STATEMENTS:
        op.execute(statement)
