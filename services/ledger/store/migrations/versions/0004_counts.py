"""Counts with what was expected, tolerances for them, and why a level is doubted."""

from alembic import op

revision = "0004"
down_revision = "0003"

COUNT = """
CREATE TABLE stock_count (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level_id     bigint      NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    counted      bigint      NOT NULL,
    expected     bigint      NOT NULL,
    "offset"     bigint      NOT NULL,
    within       boolean     NOT NULL,
    state        text        NOT NULL,
    channel      text        NOT NULL,
    change_id    text        NOT NULL,
    line         text        NOT NULL,
    reason       text,
    reference    text,
    actor        text,
    cost         numeric,
    decided_by   text,
    decided_at   timestamptz,
    settled_at   timestamptz
)
"""
# `settled_at` is null as long as the level waits for something: a decision, or its being done.

UNSETTLED = "CREATE INDEX ON stock_count (level_id) WHERE settled_at IS NULL"
UNDONE = """
CREATE INDEX ON stock_count (id) WHERE settled_at IS NULL AND state IN ('approved', 'rejected')
"""
BY_LEVEL = "CREATE INDEX ON stock_count (level_id)"
BY_INSTANT = "CREATE INDEX ON stock_count (occurred_at)"

TOLERANCE = """
CREATE TABLE count_tolerance (
    stock_class  text,
    warehouse    text,
    units        bigint,
    percent      numeric,
    money        numeric,
    UNIQUE NULLS NOT DISTINCT (stock_class, warehouse)
)
"""

LEVEL = """
ALTER TABLE level
    ADD COLUMN sold_changes bigint   NOT NULL DEFAULT 0,
    ADD COLUMN doubt        smallint NOT NULL DEFAULT 0,
    ADD COLUMN unusual_at   timestamptz
"""

SOLD_SO_FAR = """
UPDATE level AS l
SET sold_changes = m.number
FROM (
    SELECT level_id, count(*) AS number FROM movement WHERE type IN (1, 12, 22) GROUP BY level_id
) AS m
WHERE l.id = m.level_id
"""

MOVEMENT = "ALTER TABLE movement ADD COLUMN unusual boolean"
# Null for nearly all: then it takes no room, and what is copied need not name it.


def upgrade() -> None:
    """Make room; what was counted so far has no expectation, and nothing is doubted."""
    for statement in (
        COUNT,
        UNSETTLED,
        UNDONE,
        BY_LEVEL,
        BY_INSTANT,
        TOLERANCE,
        LEVEL,
        SOLD_SO_FAR,
        MOVEMENT,
    ):
        op.execute(statement)
