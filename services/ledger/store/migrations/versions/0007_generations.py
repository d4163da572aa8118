"""Which history of the database a generation belongs to, and which levels have to join it."""

from alembic import op

revision = "0007"
down_revision = "0006"

GENERATION = """
ALTER TABLE generation
    ADD COLUMN least     integer NOT NULL DEFAULT 1,
    ADD COLUMN system    bigint,
    ADD COLUMN timeline  integer
"""
# Unknown until the first claim: a schema is also made before its database is copied elsewhere.


def upgrade() -> None:
    """Add what no generation had to know so far."""
    op.execute(GENERATION)
