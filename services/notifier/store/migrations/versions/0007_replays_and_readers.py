"""What was sent again and who asked for it; whom deliveries and attempts are for, by user id."""

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

# `readers` is null where a destination does not count people one by one, and for what is for those
# of the destination. A part is for some of those that the delivery which it is a part of was for;
# of whole ones there still is exactly one for each revision and destination.
READERS = (
    "ALTER TABLE delivery ADD COLUMN readers text[], ADD COLUMN part_of uuid REFERENCES delivery",
    "ALTER TABLE attempt ADD COLUMN readers text[]",
    "DROP INDEX delivery_once",
    """CREATE UNIQUE INDEX delivery_once
       ON delivery (alert_id, revision, destination, (CASE WHEN part_of IS NOT NULL THEN id END))
       NULLS NOT DISTINCT WHERE alert_id IS NOT NULL""",
)

# What waits is counted by those it is for from the start. PostgreSQL's JSON takes no NUL.
WAITING = r"""
UPDATE delivery AS d
SET readers = named.ids
FROM (
    SELECT w.id, array_agg(DISTINCT lower(each ->> 'wecom_userid')) AS ids
    FROM (
        SELECT waiting.id, waiting.content
        FROM delivery AS waiting JOIN destination AS place ON place.id = waiting.destination
        WHERE waiting.state IN ('waiting', 'failed', 'sending') AND place.kind = 'wecom_app'
          AND waiting.kind IN ('first', 'escalation', 'change')
          AND position('\u0000' IN waiting.content) = 0
        OFFSET 0
    ) AS w
    CROSS JOIN LATERAL jsonb_array_elements(w.content::jsonb -> 'to') AS each
    WHERE each ->> 'wecom_userid' <> ''
    GROUP BY w.id
) AS named
WHERE d.id = named.id
"""


def upgrade() -> None:
    """Add the table, the columns, and whom that is for which waits."""
    for statement in (REPLAY, KEPT, KEEPER, *READERS, WAITING):
        op.execute(statement)
