"""What lists of reservations go by, and how far the topic of levels was compared."""

from alembic import op

revision = "0008"
down_revision = "0007"

INDEXES = (
    "CREATE INDEX reservation_state ON reservation (state, id)",
    "CREATE INDEX reservation_line_level ON reservation_line (level_id, reservation_id)",
)
# Ids grow with time: each gives the newest first without sorting, and goes on behind any of them.

TOPIC_CHECK = """
CREATE TABLE topic_check (
    partition    smallint    PRIMARY KEY,
    next_offset  bigint      NOT NULL,
    time_ms      bigint      NOT NULL,
    batch        bigint      NOT NULL,
    checked_at   timestamptz NOT NULL
)
"""
# Batches after this one are told of at `next_offset` or later.

TOPIC_DIFFERENCE = """
CREATE TABLE topic_difference (
    sku        text     NOT NULL,
    warehouse  text     NOT NULL,
    partition  smallint NOT NULL,
    fault      text     NOT NULL,
    PRIMARY KEY (sku, warehouse)
)
"""


def upgrade() -> None:
    """Add the indexes and tables."""
    for statement in (*INDEXES, TOPIC_CHECK, TOPIC_DIFFERENCE):
        op.execute(statement)
