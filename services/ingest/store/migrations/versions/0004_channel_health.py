"""When channels were last heard of, and what came from them."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE channel_health (
        channel           text        PRIMARY KEY REFERENCES channel,
        version           bigint      NOT NULL,
        heard_at          timestamptz NOT NULL,
        published_version bigint      NOT NULL DEFAULT 0,
        published_at      timestamptz
    )
    """,
    """
    CREATE TABLE channel_warehouse (
        channel   text        NOT NULL REFERENCES channel,
        warehouse text        NOT NULL,
        heard_at  timestamptz NOT NULL,
        PRIMARY KEY (channel, warehouse)
    )
    """,
    # By stretches of five minutes, of the last day.
    """
    CREATE TABLE channel_events (
        channel     text        NOT NULL REFERENCES channel,
        since       timestamptz NOT NULL,
        events      bigint      NOT NULL,
        quarantined bigint      NOT NULL,
        rejected    bigint      NOT NULL,
        PRIMARY KEY (channel, since)
    )
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
