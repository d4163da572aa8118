"""What somebody has said of an alert may be said again after something else."""

from alembic import op

revision = "0025"
down_revision = "0024"

STATEMENTS = (
    "ALTER TABLE feedback DROP CONSTRAINT feedback_alert_id_person_reason_key",
    "CREATE INDEX feedback_by_alert ON feedback (alert_id, id)",
)


def upgrade() -> None:
    """Let a person come back to an opinion; find the last of an alert quickly."""
    for statement in STATEMENTS:
        op.execute(statement)
