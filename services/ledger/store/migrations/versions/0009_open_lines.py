"""Which lines are open, and until when what is late asks the past of a level."""

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

DEMANDED = """
INSERT INTO {table} (level_id, kind, reference, line, total, done, shipped, held, released,
                     fulfilled)
SELECT level_id, 5, reference, '', sum(total)::bigint, 0, 0, 0, 0, 0
FROM {table} WHERE kind = 4 GROUP BY level_id, reference
ON CONFLICT (level_id, kind, reference, line) DO UPDATE SET total = excluded.total
"""
# What was used up of a reference now says beside it what is demanded for it.

OPEN = """
ALTER TABLE commitment
    ADD COLUMN open boolean NOT NULL
    GENERATED ALWAYS AS (kind IN (2, 3, 5) AND total > done) STORED
"""
# A column and no condition of the index: where that says the same as before, an update of a line
# touches no index. Orders, of which there are most, are never asked for by level.

INDEX = "CREATE INDEX commitment_open ON commitment (level_id) WHERE open"


def upgrade() -> None:
    """Find out what was only known as having ever been, and mark what is open."""
    for statement in (LEVEL, INTRICATE, *DROPPED):
        op.execute(statement)
    for table in ("commitment", "opening_line"):
        op.execute(DEMANDED.format(table=table))
    for statement in (OPEN, INDEX):
        op.execute(statement)
