"""Until when what is late asks the past of a level."""

from alembic import op

revision = "0009"
down_revision = "0008"

LEVEL = "ALTER TABLE level ADD COLUMN intricate_until timestamptz"

INTRICATE = """
UPDATE level AS l
SET intricate_until = (SELECT max(m.occurred_at) FROM movement AS m
                       WHERE m.level_id = l.id AND m.type = 5 AND m.bucket IS NOT NULL)
WHERE l.intricate
"""
# A count that an opening stands for is none of these, and concerns nothing that can still come.

DROPPED = (
    "ALTER TABLE level DROP COLUMN intricate",
    "ALTER TABLE opening DROP COLUMN intricate",
)

def upgrade() -> None:
    """Find out when it was, where it was only known to have ever been."""
    for statement in (LEVEL, INTRICATE, *DROPPED):
        op.execute(statement)
