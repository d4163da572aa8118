"""Destinations, routes, deliveries, attempts, and the leases of senders."""

from alembic import op

from shared.database.positions import CREATE_TABLE

revision = "0001"
down_revision = None

DESTINATION = """
CREATE TABLE destination (
    id         text PRIMARY KEY,
    kind       text NOT NULL,
    name       text NOT NULL,
    language   text NOT NULL,
    timezone   text NOT NULL,
    enabled    boolean NOT NULL DEFAULT true,
    settings   jsonb NOT NULL,
    secret     text,
    lane       text NOT NULL CONSTRAINT destination_lane UNIQUE,
    version    integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
)
"""

ROUTE = """
CREATE TABLE route (
    id          text PRIMARY KEY,
    destination text NOT NULL REFERENCES destination (id),
    levels      text[] NOT NULL DEFAULT '{}',
    labels      jsonb NOT NULL DEFAULT '{}',
    rules       text[] NOT NULL DEFAULT '{}',
    enabled     boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
)
"""

# `content` is the message's JSON; what listings and queues ask for stands in columns.
DELIVERY = """
CREATE TABLE delivery (
    id                 uuid PRIMARY KEY DEFAULT uuidv7(),
    kind               text NOT NULL,
    alert_id           uuid,
    alert_number       bigint,
    revision           integer,
    event              text,
    level              text,
    available          bigint,
    destination        text REFERENCES destination (id),
    state              text NOT NULL,
    reason             text,
    priority           smallint NOT NULL,
    digest_id          uuid,
    content            text NOT NULL,
    has_first          boolean NOT NULL DEFAULT false,
    attempts           integer NOT NULL DEFAULT 0,
    duplicate_possible boolean NOT NULL DEFAULT false,
    recipients         jsonb,
    next_at            timestamptz,
    gives_up_at        timestamptz,
    recorded_at        timestamptz NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    sent_at            timestamptz,
    traceparent        text,
    request_key        text CONSTRAINT delivery_request_key UNIQUE
)
"""

INDEXES = (
    # Exactly one row per revision of an episode and destination (or per "no route wanted it").
    """CREATE UNIQUE INDEX delivery_once ON delivery (alert_id, revision, destination)
       NULLS NOT DISTINCT WHERE alert_id IS NOT NULL""",
    # The queue of a destination, most important first.
    """CREATE INDEX delivery_queue ON delivery (destination, priority, id)
       WHERE state IN ('waiting', 'failed')""",
    "CREATE INDEX delivery_sending ON delivery (destination) WHERE state = 'sending'",
    "CREATE INDEX delivery_digest ON delivery (digest_id) WHERE digest_id IS NOT NULL",
    "CREATE INDEX delivery_by_state ON delivery (state, id)",
    "CREATE INDEX attempt_window ON attempt (lane, started_at)",
    "CREATE INDEX attempt_delivery ON attempt (delivery, number)",
)

ATTEMPT = """
CREATE TABLE attempt (
    id          uuid PRIMARY KEY,
    delivery    uuid NOT NULL REFERENCES delivery (id),
    lane        text NOT NULL,
    kind        text NOT NULL,
    number      integer NOT NULL,
    marked      boolean NOT NULL,
    rendered    bytea NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    verdict     text,
    code        text,
    detail      text
)
"""

LEASE = """
CREATE TABLE lease (
    destination  text PRIMARY KEY REFERENCES destination (id),
    owner        text,
    epoch        bigint NOT NULL DEFAULT 0,
    until        timestamptz NOT NULL DEFAULT '-infinity',
    paused_until timestamptz,
    failures     integer NOT NULL DEFAULT 0
) WITH (fillfactor = 20)
"""

SENDER = """
CREATE TABLE sender (
    id      text PRIMARY KEY,
    seen_at timestamptz NOT NULL
)
"""


def upgrade() -> None:
    """Create everything."""
    op.execute(CREATE_TABLE)
    for statement in (DESTINATION, ROUTE, DELIVERY, ATTEMPT, LEASE, SENDER, *INDEXES):
        op.execute(statement)
