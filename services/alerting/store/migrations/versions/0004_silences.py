"""Owners, snoozes, silences, and what was kept from people."""

from alembic import op

revision = "0004"
down_revision = "0003"

ALERT = """
ALTER TABLE alert
    ADD COLUMN owner          text,
    ADD COLUMN snoozed_until  timestamptz,
    ADD COLUMN untold         boolean NOT NULL DEFAULT false
"""

ALERT_TO_REMIND = """
CREATE INDEX alert_to_remind ON alert (id)
    WHERE resolved_at IS NULL AND (untold OR snoozed_until IS NOT NULL)
"""

HISTORY = "ALTER TABLE alert_history ADD COLUMN hush jsonb"

SILENCE = """
CREATE TABLE silence (
    id          uuid        PRIMARY KEY,
    rule_id     text,
    sku         text,
    warehouse   text,
    labels      jsonb       NOT NULL,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    comment     text        NOT NULL,
    created_by  text        NOT NULL,
    created_at  timestamptz NOT NULL,
    CHECK (starts_at <= ends_at)
)
"""

SILENCE_BY_END = "CREATE INDEX silence_by_end ON silence (ends_at)"


def upgrade() -> None:
    """Add the columns and the table."""
    for statement in (
        ALERT,
        # Until now whoever had taken an alert on was all there was of an owner.
        "UPDATE alert SET owner = acknowledged_by WHERE acknowledged_by IS NOT NULL",
        ALERT_TO_REMIND,
        HISTORY,
        SILENCE,
        SILENCE_BY_END,
    ):
        op.execute(statement)
