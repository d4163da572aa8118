"""How low levels got while something was the matter with them; the calendar."""

from alembic import op

revision = "0011"
down_revision = "0010"

# JSON by rule, [since, told, known]; empty for nearly every level. Conditions that are there
# already have none: of them nothing is known, and nothing is retracted.
TROUGHS = "ALTER TABLE known_level ADD COLUMN troughs text NOT NULL DEFAULT ''"

OCCASION = """
CREATE TABLE occasion (
    id          uuid             PRIMARY KEY,
    kind        text             NOT NULL,
    name        jsonb            NOT NULL,
    starts_at   timestamptz      NOT NULL,
    ends_at     timestamptz      NOT NULL,
    rule_id     text,
    sku         text,
    warehouse   text,
    labels      jsonb            NOT NULL,
    factor      double precision NOT NULL,
    shift       integer          NOT NULL,
    mute        boolean          NOT NULL,
    created_by  text             NOT NULL,
    created_at  timestamptz      NOT NULL,
    CHECK (starts_at <= ends_at)
)
"""

OCCASION_BY_START = "CREATE INDEX occasion_by_start ON occasion (starts_at, id)"


def upgrade() -> None:
    """Add the column and the table."""
    for statement in (TROUGHS, OCCASION, OCCASION_BY_START):
        op.execute(statement)
