"""What people answer from chats and mails, what they think of alerts, and whom each was told to."""

from alembic import op

revision = "0007"
down_revision = "0006"

FEEDBACK = """
CREATE TABLE feedback (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id         uuid NOT NULL REFERENCES alert (id),
    person           text NOT NULL,
    reason           text,
    note             text,
    at               timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (alert_id, person, reason)
)
"""

# An alert that is not known can be answered too: that is recorded like all else.
RESPONSE = """
CREATE TABLE response (
    id            uuid PRIMARY KEY,
    alert_id      uuid NOT NULL,
    kind          text NOT NULL,
    reason        text,
    quantity      bigint,
    minutes       integer,
    via           text NOT NULL,
    who           text NOT NULL,
    person        text,
    outcome       text NOT NULL,
    responded_at  timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL
)
"""

# Whoever was told of an alert may answer it.
TOLD = "ALTER TABLE alert_history ADD COLUMN told text[]"


def upgrade() -> None:
    """Add the tables."""
    for statement in (FEEDBACK, RESPONSE, TOLD):
        op.execute(statement)
    op.execute("CREATE INDEX response_by_alert ON response (alert_id)")
