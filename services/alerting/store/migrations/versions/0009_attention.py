"""What is at risk, and what people are told of it: the policy, open windows, what is spent."""

from alembic import op

revision = "0009"
down_revision = "0008"

ALERT = """
ALTER TABLE alert
    ADD COLUMN stock_class    text,
    ADD COLUMN supplier       text,
    ADD COLUMN at_risk_units  double precision,
    ADD COLUMN at_risk_money  numeric,
    ADD COLUMN held_back      boolean NOT NULL DEFAULT false
"""
# Held back: people are not told, since its owner has been interrupted often enough.

CONDITION = "ALTER TABLE condition ADD COLUMN known text"

POLICY = """
CREATE TABLE attention_policy (
    one         boolean     PRIMARY KEY DEFAULT true CHECK (one),
    version     integer     NOT NULL,
    body        jsonb       NOT NULL,
    changed_by  text        NOT NULL,
    changed_at  timestamptz NOT NULL
)
"""
# Without a row the defaults hold.

WINDOW = """
CREATE TABLE gathering (
    key  text        PRIMARY KEY,
    by   timestamptz NOT NULL
) WITH (fillfactor = 60)
"""
# One row a key, used again by the next message of the key.

SPENT = """
CREATE TABLE attention_day (
    person         text    NOT NULL,
    day            date    NOT NULL,
    at_once        integer NOT NULL DEFAULT 0,
    interruptions  integer NOT NULL DEFAULT 0,
    gathered       integer NOT NULL DEFAULT 0,
    held_back      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (person, day)
) WITH (fillfactor = 60)
"""


def upgrade() -> None:
    """Add the columns and the tables."""
    for statement in (ALERT, CONDITION, POLICY, WINDOW, SPENT):
        op.execute(statement)
