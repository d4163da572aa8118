"""Orders, supply, transfers and demand: lines beside the levels, and what a change says of them."""

from alembic import op

revision = "0002"
down_revision = "0001"

COMMITMENT = """
CREATE TABLE commitment (
    level_id     bigint   NOT NULL,
    kind         smallint NOT NULL,
    reference    text     NOT NULL,
    line         text     NOT NULL,
    total        bigint   NOT NULL,
    done         bigint   NOT NULL,
    decided_at   timestamptz,
    decided_key  text,
    due_at       timestamptz,
    PRIMARY KEY (level_id, kind, reference, line)
)
"""

LEVEL = """
ALTER TABLE level
    ADD COLUMN intricate boolean NOT NULL DEFAULT false,
    ADD COLUMN demanding boolean NOT NULL DEFAULT false,
    ADD COLUMN supply    json,
    ADD COLUMN demand    json
"""

MOVEMENT = """
ALTER TABLE movement
    ADD COLUMN counterparty text,
    ADD COLUMN bucket       text,
    ADD COLUMN eta          timestamptz
"""


def upgrade() -> None:
    """Add what no level had so far: nothing is open, and nothing but on hand was counted."""
    for statement in (COMMITMENT, LEVEL, MOVEMENT):
        op.execute(statement)
