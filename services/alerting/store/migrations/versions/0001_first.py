"""Rules by version, what is known of levels, conditions, episodes, and the outbox."""

from alembic import op

from shared.database.positions import CREATE_TABLE

revision = "0001"
down_revision = None

RULE_BOOK = """
CREATE TABLE rule_book (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    revision  bigint NOT NULL
)
"""
# Every edit of a rule increments the revision first: edits take turns, and whoever sees a revision
# sees everything up to it (a sequence would become visible out of order).

RULE = """
CREATE TABLE rule (
    id               text        NOT NULL,
    version          integer     NOT NULL,
    revision         bigint      NOT NULL UNIQUE,
    body             jsonb       NOT NULL,
    changed_by       text        NOT NULL,
    changed_at       timestamptz NOT NULL,
    idempotency_key  text        UNIQUE,
    PRIMARY KEY (id, version)
)
"""

KNOWN_LEVEL = """
CREATE TABLE known_level (
    sku             text        NOT NULL,
    warehouse       text        NOT NULL,
    partition       integer     NOT NULL,
    version         bigint      NOT NULL,
    on_hand         bigint      NOT NULL,
    incoming        bigint      NOT NULL,
    available       bigint      NOT NULL,
    low_water       bigint      NOT NULL,
    last_change_at  timestamptz NOT NULL,
    sold_total      bigint      NOT NULL,
    day             integer     NOT NULL,
    day_opening     bigint,
    sold            bigint[]    NOT NULL,
    PRIMARY KEY (sku, warehouse)
) WITH (fillfactor = 60)
"""
# A worker's memory, written in the transaction of the batch that changed it. No index covers a
# column that changes and pages keep room, so each update stays on its page (HOT).

CONDITION = """
CREATE TABLE condition (
    rule_id       text        NOT NULL,
    subject_kind  text        NOT NULL,
    sku           text        NOT NULL,
    warehouse     text        NOT NULL,
    partition     integer     NOT NULL,
    state         text        NOT NULL CHECK (state IN ('pending', 'open', 'recovering')),
    level         text        NOT NULL,
    since         timestamptz NOT NULL,
    due_at        timestamptz,
    PRIMARY KEY (rule_id, subject_kind, sku, warehouse)
)
"""

ALERT = """
CREATE TABLE alert (
    id               uuid        PRIMARY KEY,
    number           bigint      NOT NULL UNIQUE,
    revision         integer     NOT NULL,
    rule_id          text        NOT NULL,
    subject_kind     text        NOT NULL,
    sku              text        NOT NULL,
    warehouse        text        NOT NULL,
    sku_name         text,
    level            text        NOT NULL,
    rule             jsonb       NOT NULL,
    labels           jsonb       NOT NULL,
    facts            jsonb       NOT NULL,
    opened_at        timestamptz NOT NULL,
    resolved_at      timestamptz,
    acknowledged_at  timestamptz,
    acknowledged_by  text
) WITH (fillfactor = 80)
"""

ALERT_NUMBER = "CREATE SEQUENCE alert_number"
# Drawn before the insert: the notice in the outbox, made in the same breath, says it.

ONE_OPEN_ALERT = """
CREATE UNIQUE INDEX one_open_alert ON alert (rule_id, subject_kind, sku, warehouse)
    WHERE resolved_at IS NULL
"""

ALERT_BY_SUBJECT = "CREATE INDEX alert_by_subject ON alert (sku, warehouse, number)"

ALERT_BY_RULE = "CREATE INDEX alert_by_rule ON alert (rule_id, number)"

OPEN_ALERT = "CREATE INDEX open_alert ON alert (number) WHERE resolved_at IS NULL"

ALERT_HISTORY = """
CREATE TABLE alert_history (
    alert_id        uuid        NOT NULL REFERENCES alert (id),
    revision        integer     NOT NULL,
    event           text        NOT NULL,
    level           text        NOT NULL,
    previous_level  text,
    reason          text,
    facts           jsonb       NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    actor           text,
    note            text,
    PRIMARY KEY (alert_id, revision)
)
"""

OUTBOX = """
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id     uuid   NOT NULL,
    value        text   NOT NULL,
    traceparent  text   NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)
"""
# Rows live for milliseconds and are asked for often: dead ones are cleaned away early.


def upgrade() -> None:
    """Create alerting's tables."""
    for statement in (
        CREATE_TABLE,
        RULE_BOOK,
        RULE,
        KNOWN_LEVEL,
        "CREATE INDEX known_level_by_partition ON known_level (partition)",
        CONDITION,
        "CREATE INDEX condition_by_partition ON condition (partition)",
        ALERT,
        ALERT_NUMBER,
        ONE_OPEN_ALERT,
        ALERT_BY_SUBJECT,
        ALERT_BY_RULE,
        OPEN_ALERT,
        ALERT_HISTORY,
        OUTBOX,
    ):
        op.execute(statement)
    op.execute("INSERT INTO rule_book (revision) VALUES (0)")
