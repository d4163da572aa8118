"""Actions with their history, purchase orders, suppliers, approval limits, and calls to ingest."""

from alembic import op

revision = "0008"
down_revision = "0007"

SUPPLIER = """
CREATE TABLE supplier (
    id              text     PRIMARY KEY,
    name            text     NOT NULL,
    language        text     NOT NULL,
    timezone        text     NOT NULL,
    email           text,
    minimum         numeric,
    order_weekdays  integer[] NOT NULL,
    order_hour      integer  NOT NULL
)
"""

APPROVAL_LIMIT = """
CREATE TABLE approval_limit (
    position  integer PRIMARY KEY,
    person    text UNIQUE,
    role      text UNIQUE,
    amount    numeric,
    CHECK (num_nonnulls(person, role) = 1)
)
"""
# No amount: without limit.

PURCHASE_ORDER = """
CREATE TABLE purchase_order (
    id            uuid        PRIMARY KEY,
    number        bigint      NOT NULL UNIQUE,
    supplier      text,
    opened_at     timestamptz NOT NULL,
    placed_at     timestamptz,
    placed_by     text,
    confirmed_at  timestamptz
)
"""

ORDER_NUMBER = "CREATE SEQUENCE purchase_order_number"

ONE_OPEN_ORDER = """
CREATE UNIQUE INDEX one_open_order ON purchase_order (supplier) WHERE placed_at IS NULL
"""

ACTION = """
CREATE TABLE action (
    id                  uuid        PRIMARY KEY,
    number              bigint      NOT NULL UNIQUE,
    alert_id            uuid        NOT NULL REFERENCES alert (id),
    kind                text        NOT NULL,
    state               text        NOT NULL,
    sku                 text        NOT NULL,
    sku_name            text,
    warehouse           text        NOT NULL,
    quantity            bigint,
    confirmed_quantity  bigint,
    source              text,
    supplier            text,
    unit_cost           numeric,
    order_id            uuid        REFERENCES purchase_order (id),
    line                integer,
    reference           text,
    told                integer     NOT NULL DEFAULT 0,
    due_at              timestamptz,
    late_at             timestamptz,
    is_late             boolean     NOT NULL DEFAULT false,
    is_incoming         boolean     NOT NULL DEFAULT false,
    needs_approval      boolean     NOT NULL,
    requested_by        text        NOT NULL,
    requested_at        timestamptz NOT NULL,
    approved_by         text,
    approved_at         timestamptz,
    ordered_at          timestamptz,
    ended_at            timestamptz,
    reason              text,
    asked               text,
    idempotency_key     text        UNIQUE,
    UNIQUE (order_id, line)
)
"""
# `told` counts what ingest was told of its supply line; `is_incoming`: the level's incoming has it.

ACTION_NUMBER = "CREATE SEQUENCE action_number"

ACTION_BY_LEVEL = """
CREATE INDEX action_by_level ON action (sku, warehouse)
    WHERE state IN ('proposed', 'approved', 'ordered')
"""

ACTION_BY_ALERT = "CREATE INDEX action_by_alert ON action (alert_id, number)"

ACTION_HISTORY = """
CREATE TABLE action_history (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action_id uuid        NOT NULL REFERENCES action (id),
    step      text        NOT NULL,
    state     text        NOT NULL,
    quantity  bigint,
    due_at    timestamptz,
    actor     text,
    note      text,
    at        timestamptz NOT NULL,
    alert_revision integer
)
"""

HISTORY_BY_ACTION = "CREATE INDEX action_history_by_action ON action_history (action_id, id)"

COVERED_ALERT = """
CREATE TABLE covered_alert (
    alert_id   uuid PRIMARY KEY REFERENCES alert (id),
    action_id  uuid NOT NULL REFERENCES action (id)
)
"""
# Alerts that people were not told of because an action covers what they warn of.

CALL = """
CREATE TABLE call (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action_id   uuid        NOT NULL REFERENCES action (id),
    path        text        NOT NULL,
    body        text        NOT NULL,
    attempts    integer     NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL,
    trouble     text,
    refused     boolean     NOT NULL DEFAULT false
)
"""
# What ingest is still to be told, or has refused; what it has taken is deleted.

CALL_DUE = "CREATE INDEX call_due ON call (next_at) WHERE NOT refused"

CALL_BY_ACTION = "CREATE INDEX call_by_action ON call (action_id)"


def upgrade() -> None:
    """Create the tables."""
    for statement in (
        SUPPLIER,
        APPROVAL_LIMIT,
        PURCHASE_ORDER,
        ORDER_NUMBER,
        ONE_OPEN_ORDER,
        ACTION,
        ACTION_NUMBER,
        ACTION_BY_LEVEL,
        ACTION_BY_ALERT,
        ACTION_HISTORY,
        HISTORY_BY_ACTION,
        COVERED_ALERT,
        CALL,
        CALL_DUE,
        CALL_BY_ACTION,
    ):
        op.execute(statement)
