"""What was kept of alerts too little: what covers them, their class, level and put-offs."""

from alembic import op

revision = "0023"
down_revision = "0022"

STATEMENTS = (
    "ALTER TABLE covered_alert ADD COLUMN is_lost boolean NOT NULL DEFAULT false",
    "ALTER TABLE covered_alert DROP CONSTRAINT covered_alert_pkey",
    "ALTER TABLE covered_alert ADD PRIMARY KEY (alert_id, action_id)",
    "ALTER TABLE alert ADD COLUMN opened_class text",
    # Nobody knows any more which it was; it was the last one in most cases.
    "UPDATE alert SET opened_class = stock_class",
    "ALTER TABLE condition ADD COLUMN shifted_from text",
    """
    CREATE TABLE snooze (
        id        uuid        PRIMARY KEY,
        alert_id  uuid        NOT NULL REFERENCES alert (id),
        asked     text        NOT NULL
    )
    """,
)


def upgrade() -> None:
    """Let several cover an alert; keep its first class, its limit's own level, and put-offs."""
    for statement in STATEMENTS:
        op.execute(statement)
