"""For which place an attempt's bytes were written, and what was tried before a replay."""

from alembic import op

revision = "0008"
down_revision = "0007"

# Of earlier attempts the lane is all that is known.
_STATEMENTS = (
    "ALTER TABLE attempt ADD COLUMN place text",
    "ALTER TABLE delivery ADD COLUMN tried_before integer NOT NULL DEFAULT 0",
)


def upgrade() -> None:
    """Add the columns; neither writes a row anew."""
    for statement in _STATEMENTS:
        op.execute(statement)
