"""Stock-outs, cases, the audit, and reports by schedule."""

from alembic import op

revision = "0010"
down_revision = "0009"

STOCK_OUT = """
CREATE TABLE stock_out (
    id           uuid        PRIMARY KEY DEFAULT uuidv7(),
    sku          text        NOT NULL,
    warehouse    text        NOT NULL,
    began_at     timestamptz NOT NULL,
    heard_at     timestamptz NOT NULL,
    ended_at     timestamptz,
    found        boolean     NOT NULL,
    judged       boolean     NOT NULL,
    daily_sales  double precision,
    busiest_day  bigint,
    doubts       text        NOT NULL,
    supply       text        NOT NULL,
    stock_class  text,
    price        numeric,
    CHECK (began_at <= ended_at)
)
"""
# What is known of the level when it runs out (sales, doubts, lines, class, price) is kept as it was
# then: a case is judged by it. `found`: it was so when stock-outs were first looked for.

ONE_STOCK_OUT = """
CREATE UNIQUE INDEX one_stock_out ON stock_out (sku, warehouse) WHERE ended_at IS NULL
"""

STOCK_OUT_LOOK = """
CREATE TABLE stock_out_look (
    one        boolean     PRIMARY KEY DEFAULT true CHECK (one),
    looked_at  timestamptz NOT NULL
)
"""

# Few of the revisions: to find what ran out and was back between two looks.
OUT_REVISION = """
CREATE INDEX out_revision ON alert_history (recorded_at) WHERE level = 'out'
"""

STOCK_OUT_CASE = """
CREATE TABLE stock_out_case (
    id            uuid        PRIMARY KEY,
    number        bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    stock_out     uuid        UNIQUE REFERENCES stock_out (id),
    sku           text        NOT NULL,
    warehouse     text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('open', 'confirmed', 'closed')),
    owner         text,
    ran_out_at    timestamptz NOT NULL,
    warned_at     timestamptz,
    signs         jsonb       NOT NULL,
    opened_at     timestamptz NOT NULL,
    opened_by     text,
    note          text,
    cause         text,
    measure       text,
    measure_due   date,
    confirmed_at  timestamptz,
    confirmed_by  text,
    closed_at     timestamptz,
    closed_by     text,
    outcome       text
)
"""

AUDIT = """
CREATE TABLE audit (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    actor    text        NOT NULL,
    address  text,
    via      text,
    what     text        NOT NULL,
    target   text        NOT NULL,
    before   jsonb,
    after    jsonb
)
"""

# Rights would not do: tables belong to the service's own user, who could give them back to itself.
KEPT = """
CREATE FUNCTION refuse_to_alter_the_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only ever added to (% refused)', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$
"""

KEEPER = """
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_alter_the_audit()
"""

REPORT_SCHEDULE = """
CREATE TABLE report_schedule (
    id            text        PRIMARY KEY,
    kind          text        NOT NULL,
    hour          smallint    NOT NULL CHECK (hour BETWEEN 0 AND 23),
    weekday       smallint    CHECK (weekday BETWEEN 0 AND 6),
    timezone      text        NOT NULL,
    destinations  text[]      NOT NULL,
    enabled       boolean     NOT NULL,
    changed_at    timestamptz NOT NULL
)
"""

# Outlives its schedule: one that is made again under its name sends nothing twice on a day.
REPORT_RUN = """
CREATE TABLE report_run (
    schedule   text        NOT NULL,
    due_day    date        NOT NULL,
    report_id  uuid        NOT NULL,
    made_at    timestamptz NOT NULL,
    PRIMARY KEY (schedule, due_day)
)
"""

REPORT_OUTBOX = """
CREATE TABLE report_outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    report_id    uuid   NOT NULL,
    value        text   NOT NULL,
    traceparent  text   NOT NULL
)
"""


def upgrade() -> None:
    """Add the tables, and what periods are asked by."""
    for statement in (
        STOCK_OUT,
        ONE_STOCK_OUT,
        "CREATE INDEX stock_out_by_level ON stock_out (sku, warehouse, began_at)",
        "CREATE INDEX stock_out_by_beginning ON stock_out (began_at)",
        "CREATE INDEX stock_out_to_judge ON stock_out (id) WHERE NOT judged",
        STOCK_OUT_LOOK,
        OUT_REVISION,
        "CREATE INDEX alert_by_opening ON alert (opened_at)",
        STOCK_OUT_CASE,
        "CREATE INDEX case_by_state ON stock_out_case (state, number)",
        AUDIT,
        "CREATE INDEX audit_by_actor ON audit (actor, id)",
        "CREATE INDEX audit_by_what ON audit (what, id)",
        "CREATE INDEX audit_by_target ON audit (target, id)",
        KEPT,
        KEEPER,
        REPORT_SCHEDULE,
        REPORT_RUN,
        REPORT_OUTBOX,
    ):
        op.execute(statement)
