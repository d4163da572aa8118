"""What people answer, the codes that change cards, and the applications' access tokens."""

from alembic import op

revision = "0004"
down_revision = "0003"

# `act` is the button's key or the link's act, `task` the card or mail it belongs to.
RESPONSE = """
CREATE TABLE response (
    id            uuid PRIMARY KEY,
    destination   text NOT NULL REFERENCES destination (id),
    alert_id      uuid NOT NULL,
    via           text NOT NULL,
    who           text NOT NULL,
    task          text NOT NULL,
    act           text NOT NULL,
    responded_at  timestamptz NOT NULL,
    received_at   timestamptz NOT NULL,
    UNIQUE (who, responded_at, task, act)
)
"""

# Rows live until the broker has acknowledged them.
RESPONSE_OUTBOX = """
CREATE TABLE response_outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id     uuid NOT NULL,
    value        text NOT NULL,
    traceparent  text NOT NULL
)
"""

# Each code changes a card once, within 72 hours; `used_by` is the delivery that has taken it.
CARD_CODE = """
CREATE TABLE card_code (
    code         text PRIMARY KEY,
    destination  text NOT NULL REFERENCES destination (id),
    alert_id     uuid NOT NULL,
    card         uuid NOT NULL REFERENCES delivery (id),
    obtained_at  timestamptz NOT NULL,
    used_by      uuid
)
"""

TOKENS = """
CREATE TABLE access_token (
    lane        text PRIMARY KEY,
    sealed      text,
    fetched_at  timestamptz,
    expires_at  timestamptz
)
"""


def upgrade() -> None:
    """Add the tables."""
    for statement in (RESPONSE, RESPONSE_OUTBOX, CARD_CODE, TOKENS):
        op.execute(statement)
    op.execute("CREATE INDEX card_code_of_alert ON card_code (alert_id, destination)")
