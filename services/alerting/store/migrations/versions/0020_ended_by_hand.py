"""Episodes that people have ended, and until when what they warned of went on."""

from alembic import op

revision = "0020"
down_revision = "0019"

# Null `held_until`: it still goes on.
ENDED_BY_HAND = """
CREATE TABLE ended_by_hand (
    alert_id      uuid PRIMARY KEY REFERENCES alert (id),
    rule_id       text NOT NULL,
    subject_kind  text NOT NULL,
    sku           text NOT NULL,
    warehouse     text NOT NULL,
    held_until    timestamptz
)
"""

GOES_ON = """
CREATE UNIQUE INDEX ended_by_hand_goes_on ON ended_by_hand (rule_id, subject_kind, sku, warehouse)
    WHERE held_until IS NULL
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(ENDED_BY_HAND)
    op.execute(GOES_ON)
