"""What of the past is no longer there one by one: openings of levels, archived days, filters."""

from alembic import op

revision = "0006"
down_revision = "0005"

OPENING = """
CREATE TABLE opening (
    level_id        bigint      PRIMARY KEY,
    at              timestamptz NOT NULL,
    recorded_until  timestamptz NOT NULL,
    movements       bigint      NOT NULL,
    on_hand         bigint      NOT NULL,
    reserved        bigint      NOT NULL,
    unavailable     bigint      NOT NULL,
    incoming        bigint      NOT NULL,
    sold_total      bigint      NOT NULL,
    sold_changes    bigint      NOT NULL,
    returned_total  bigint      NOT NULL,
    received_total  bigint      NOT NULL,
    counted_at      timestamptz,
    count_key       text,
    intricate       boolean     NOT NULL,
    unordered       bigint      NOT NULL
)
"""

OPENING_LINE = """
CREATE TABLE opening_line (
    level_id     bigint   NOT NULL,
    kind         smallint NOT NULL,
    reference    text     NOT NULL,
    line         text     NOT NULL,
    total        bigint   NOT NULL,
    done         bigint   NOT NULL,
    decided_at   timestamptz,
    decided_key  text,
    due_at       timestamptz,
    shipped      bigint   NOT NULL,
    held         bigint   NOT NULL,
    released     bigint   NOT NULL,
    fulfilled    bigint   NOT NULL,
    PRIMARY KEY (level_id, kind, reference, line)
)
"""

ARCHIVED_DAY = """
CREATE TABLE archived_day (
    day          date        PRIMARY KEY,
    movements    bigint      NOT NULL,
    repeats      bigint      NOT NULL,
    manifest     text        NOT NULL,
    archived_at  timestamptz NOT NULL
)
"""
# `manifest` is the SHA-256 of the day's manifest, which in turn has those of its files.

IDENTITY_FILTER = """
CREATE TABLE identity_filter (
    starts      date    PRIMARY KEY,
    identities  bigint  NOT NULL,
    bits        bytea   NOT NULL
)
"""
# Random bits: nothing to compress.
STORAGE = "ALTER TABLE identity_filter ALTER COLUMN bits SET STORAGE EXTERNAL"


def upgrade() -> None:
    """Add what is empty until the first day is archived and the first period is closed."""
    for statement in (OPENING, OPENING_LINE, ARCHIVED_DAY, IDENTITY_FILTER, STORAGE):
        op.execute(statement)
