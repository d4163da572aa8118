"""Levels, movements by day, identities by period, repeats, and where the consumer stands."""

from alembic import op

from shared.database.positions import CREATE_TABLE

revision = "0001"
down_revision = None

LEVEL = """
CREATE TABLE level (
    id              bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition       smallint NOT NULL,
    sku             text     NOT NULL,
    warehouse       text     NOT NULL,
    version         bigint   NOT NULL,
    batch           bigint   NOT NULL,
    low_water       bigint   NOT NULL DEFAULT 0,
    on_hand         bigint   NOT NULL DEFAULT 0,
    reserved        bigint   NOT NULL DEFAULT 0,
    unavailable     bigint   NOT NULL DEFAULT 0,
    incoming        bigint   NOT NULL DEFAULT 0,
    sold_total      bigint   NOT NULL DEFAULT 0,
    returned_total  bigint   NOT NULL DEFAULT 0,
    received_total  bigint   NOT NULL DEFAULT 0,
    last_change_at  timestamptz,
    counted_at      timestamptz,
    count_key       text,
    UNIQUE (sku, warehouse)
) WITH (fillfactor = 70)
"""
# No index covers a column that changes, and pages keep room: each update stays on its page (HOT).

GENERATION = """
CREATE TABLE generation (
    number  integer NOT NULL,
    since   timestamptz NOT NULL DEFAULT now()
)
"""

MOVEMENT = """
CREATE TABLE movement (
    level_id     bigint      NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    quantity     bigint      NOT NULL,
    applied      bigint      NOT NULL,
    "offset"     bigint      NOT NULL,
    type         smallint    NOT NULL,
    late         boolean     NOT NULL,
    channel      text        NOT NULL,
    id           text        NOT NULL,
    line         text        NOT NULL,
    reason       text,
    reference    text,
    actor        text
) PARTITION BY RANGE (recorded_at)
"""

IDENTITY = """
CREATE TABLE identity (
    hash         uuid        NOT NULL,
    content      bigint      NOT NULL,
    level_id     bigint      NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL
) PARTITION BY RANGE (recorded_at)
"""

REPEAT = """
CREATE TABLE repeat (
    level_id     bigint      NOT NULL,
    occurred_at  timestamptz NOT NULL,
    channel      text        NOT NULL,
    id           text        NOT NULL,
    line         text        NOT NULL,
    received_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL
) PARTITION BY RANGE (recorded_at)
"""

TALLY = """
CREATE TABLE tally (
    partition  integer NOT NULL,
    name       text    NOT NULL,
    total      bigint  NOT NULL,
    PRIMARY KEY (partition, name)
) WITH (fillfactor = 50)
"""
# What was done so far (movements, repeats, rejects by reason): counted where it is done, because
# counting rows of partitioned tables takes longer every day.


def upgrade() -> None:
    """Create the ledger's tables; partitions are made by the consumer as time goes on."""
    for statement in (CREATE_TABLE, LEVEL, GENERATION, MOVEMENT, IDENTITY, REPEAT, TALLY):
        op.execute(statement)
    op.execute("INSERT INTO generation (number) VALUES (1)")
