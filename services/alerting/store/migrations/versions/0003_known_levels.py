"""What more of a level rules look at: its counts, doubts, incoming lines, and since when."""

from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = """
ALTER TABLE known_level
    ADD COLUMN first_day   integer,
    ADD COLUMN counted_at  timestamptz,
    ADD COLUMN flags       text NOT NULL DEFAULT '',
    ADD COLUMN supply      text NOT NULL DEFAULT '[]'
"""
# Flags are joined by spaces; the lines, [[quantity, due_at, reference]], are JSON. Both are empty
# for nearly every level, and an empty text costs neither a decoder nor a byte worth counting.
# Levels known before tell of theirs with their next message.

FIRST_DAY = """
UPDATE known_level
SET first_day = CASE WHEN day_opening IS NULL THEN day ELSE day - 1 - cardinality(sold) END
"""
# The first day is seen in part and never counted; the days after it are. Of a level that has been
# there for longer than the 28 days that are kept, this is a later day than the true one.

ALWAYS = "ALTER TABLE known_level ALTER COLUMN first_day SET NOT NULL"


def upgrade() -> None:
    """Give levels the columns, and their first day as far as it can be told."""
    for statement in (COLUMNS, FIRST_DAY, ALWAYS):
        op.execute(statement)
