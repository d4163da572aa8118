"""Reservations with their lines and stored answers, and what they leave for the workers."""

from alembic import op

revision = "0003"
down_revision = "0002"

RESERVATION = """
CREATE TABLE reservation (
    id          text     PRIMARY KEY,
    partition   smallint NOT NULL,
    reference   text,
    state       text     NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    ended_at    timestamptz
)
"""

INDEXES = (
    "CREATE INDEX reservation_held ON reservation (expires_at) WHERE state = 'held'",
    "CREATE INDEX reservation_reference ON reservation (reference) WHERE reference IS NOT NULL",
    "CREATE INDEX answer_at ON answer USING brin (at)",
)

LINE = """
CREATE TABLE reservation_line (
    reservation_id    text   NOT NULL,
    line              text   NOT NULL,
    level_id          bigint NOT NULL,
    quantity          bigint NOT NULL,
    reference         text   NOT NULL,
    shipped_before    bigint NOT NULL,
    cancelled_before  bigint NOT NULL,
    PRIMARY KEY (reservation_id, line)
)
"""
# The reference is the one that the line's promise is kept under; what channels had reported of it
# before is not about this reservation.

ANSWER = """
CREATE TABLE answer (
    key      uuid     PRIMARY KEY,
    content  bigint   NOT NULL,
    status   smallint NOT NULL,
    body     bytea    NOT NULL,
    at       timestamptz NOT NULL
)
"""

DIRTY = """
CREATE TABLE dirty_level (
    level_id   bigint   PRIMARY KEY,
    partition  smallint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)
"""
# A queue: rows come and go many times a second.

LEVEL = """
ALTER TABLE level
    ADD COLUMN dip       bigint,
    ADD COLUMN unordered bigint NOT NULL DEFAULT 0
"""
# The dip is the smallest available since the last message that only reservations know of.

COMMITMENT = """
ALTER TABLE commitment
    ADD COLUMN shipped   bigint NOT NULL DEFAULT 0,
    ADD COLUMN held      bigint NOT NULL DEFAULT 0,
    ADD COLUMN released  bigint NOT NULL DEFAULT 0,
    ADD COLUMN fulfilled bigint NOT NULL DEFAULT 0
"""

SHIPPED = """
UPDATE commitment AS c SET shipped = m.quantity
FROM (
    SELECT level_id, COALESCE(reference, '') AS reference, sum(quantity) AS quantity
    FROM movement WHERE type = 12 GROUP BY 1, 2
) AS m
WHERE c.kind = 1 AND c.level_id = m.level_id AND c.reference = m.reference
"""

UNORDERED = """
UPDATE level AS l SET unordered = c.done
FROM (
    SELECT level_id, sum(done) AS done FROM commitment WHERE kind = 1 AND total = 0 GROUP BY 1
) AS c
WHERE l.id = c.level_id
"""


def upgrade() -> None:
    """Add the tables; orders and levels learn what of them was shipped, and shipped unordered."""
    for statement in (RESERVATION, LINE, ANSWER, *INDEXES, DIRTY, LEVEL, COMMITMENT):
        op.execute(statement)
    op.execute(SHIPPED)
    op.execute(UNORDERED)
