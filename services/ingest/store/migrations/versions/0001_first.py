"""Channels, catalogue, mappings, quarantine."""

from alembic import op

from shared.database.positions import CREATE_TABLE

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATEMENTS = (
    # One row. Every write of configuration takes the next number first, so writers take turns
    # and numbers appear in the order of the commits: a reader that has seen n asks for > n.
    """
    CREATE TABLE catalogue_version (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        version  bigint  NOT NULL
    )
    """,
    "INSERT INTO catalogue_version (version) VALUES (0)",
    """
    CREATE TABLE channel (
        channel    text        PRIMARY KEY,
        name       text        NOT NULL,
        kind       text        NOT NULL CHECK (kind IN ('api')),
        changed_in bigint      NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE warehouse (
        warehouse  text        PRIMARY KEY,
        name       text        NOT NULL,
        zone       text        NOT NULL,
        changed_in bigint      NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    # `version` counts the changes of one SKU, `published_version` the last that
    # catalog.items has: what differs is published after the commit or at the next start.
    """
    CREATE TABLE sku (
        sku               text        PRIMARY KEY,
        version           bigint      NOT NULL,
        published_version bigint      NOT NULL DEFAULT 0,
        name              text,
        category          text,
        brand             text,
        unit              text        NOT NULL,
        life_cycle        text        NOT NULL,
        cost              numeric,
        price             numeric,
        barcodes          text[]      NOT NULL,
        aliases           text[]      NOT NULL,
        tags              text[]      NOT NULL,
        attributes        jsonb       NOT NULL,
        changed_in        bigint      NOT NULL,
        created_at        timestamptz NOT NULL,
        updated_at        timestamptz NOT NULL
    )
    """,
    "CREATE INDEX sku_changed_in ON sku (changed_in)",
    "CREATE INDEX sku_unpublished ON sku (sku) WHERE published_version < version",
    # An alias or barcode leads to one SKU only.
    """
    CREATE TABLE sku_spelling (
        spelling text PRIMARY KEY,
        sku      text NOT NULL REFERENCES sku
    )
    """,
    "CREATE INDEX sku_spelling_sku ON sku_spelling (sku)",
    """
    CREATE TABLE mapping (
        channel    text        NOT NULL REFERENCES channel,
        kind       text        NOT NULL CHECK (kind IN ('sku', 'warehouse')),
        external   text        NOT NULL,
        action     text        NOT NULL CHECK (action IN ('map', 'ignore', 'remove')),
        target     text        CHECK ((action = 'map') = (target IS NOT NULL)),
        changed_in bigint      NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (channel, kind, external)
    )
    """,
    "CREATE INDEX mapping_changed_in ON mapping (changed_in)",
    # `id` is the order of arrival. `payload` is the change as it came, with the time it came
    # (or a dead letter's text, whatever that is): text, as jsonb refuses some of what arrives.
    # `identity` makes a repeated request, `source_*` a repeated dead letter, one entry.
    """
    CREATE TABLE quarantine (
        id                bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        reason            text        NOT NULL,
        state             text        NOT NULL CHECK (state IN ('waiting', 'replayed', 'ignored')),
        channel           text,
        event_id          text,
        line              text,
        sku               text,
        warehouse         text,
        unknown_sku       text,
        unknown_warehouse text,
        detail            text        NOT NULL,
        payload           text        NOT NULL,
        first_payload     text,
        identity          bytea       UNIQUE,
        source_topic      text,
        source_partition  integer,
        source_offset     bigint,
        occurred_at       timestamptz,
        received_at       timestamptz,
        recorded_at       timestamptz NOT NULL,
        replayed_at       timestamptz,
        UNIQUE (source_topic, source_partition, source_offset, reason)
    )
    """,
    "CREATE INDEX quarantine_waiting ON quarantine (id) WHERE state = 'waiting'",
    """
    CREATE INDEX quarantine_unknown_sku ON quarantine (unknown_sku)
    WHERE state = 'waiting' AND unknown_sku IS NOT NULL
    """,
    """
    CREATE INDEX quarantine_unknown_warehouse ON quarantine (unknown_warehouse)
    WHERE state = 'waiting' AND unknown_warehouse IS NOT NULL
    """,
    CREATE_TABLE,
)


def upgrade() -> None:
    """Create the first tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
