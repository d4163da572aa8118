"""By when the first step of a playbook was to be met, and a way to what was retracted."""

from alembic import op

revision = "0012"
down_revision = "0011"

# Of episodes that are past their first step it is not known any more.
FIRST_BY = "ALTER TABLE timer ADD COLUMN first_by timestamptz"

SINCE_NOW = "UPDATE timer SET first_by = by WHERE number = 1"

RETRACTED = """
CREATE INDEX alert_history_retracted ON alert_history (alert_id) WHERE event = 'retracted'
"""


def upgrade() -> None:
    """Add the column and the index."""
    for statement in (FIRST_BY, SINCE_NOW, RETRACTED):
        op.execute(statement)
