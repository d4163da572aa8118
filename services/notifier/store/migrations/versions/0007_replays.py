"""What was sent again, when, and who asked for it."""

from alembic import op

revision = "0007"
down_revision = "0006"

# `asked` are the conditions, or the one delivery; `deliveries` those that wait again.
REPLAY = """
CREATE TABLE replay (
    id           uuid        PRIMARY KEY DEFAULT uuidv7(),
    at           timestamptz NOT NULL,
    actor        text        NOT NULL,
    address      text,
    via          text,
    request_key  text        CONSTRAINT replay_request_key UNIQUE,
    asked        jsonb       NOT NULL,
    became       jsonb       NOT NULL,
    deliveries   uuid[]      NOT NULL
)
"""

KEPT = """
CREATE OR REPLACE FUNCTION refuse_to_alter_replays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'replays are only ever added to (% refused)', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$
"""

KEEPER = """
CREATE TRIGGER replay_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON replay
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_alter_replays()
"""

# What waits again is no notice that waits on purpose, nor late since its alert was recorded.
REPLAYED_AT = "ALTER TABLE delivery ADD COLUMN replayed_at timestamptz"


def upgrade() -> None:
    """Add the table, which is only ever added to, and the column."""
    for statement in (REPLAY, KEPT, KEEPER, REPLAYED_AT):
        op.execute(statement)
