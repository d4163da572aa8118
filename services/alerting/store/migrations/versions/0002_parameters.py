"""Parameters of SKUs, by warehouse or for all, with where each value comes from."""

from alembic import op

revision = "0002"
down_revision = "0001"

PARAMETER_BOOK = """
CREATE TABLE parameter_book (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    revision  bigint NOT NULL
)
"""
# As for rules: every edit increments the revision first, so edits take turns and whoever sees a
# revision sees everything up to it.

PARAMETER = """
CREATE TABLE parameter (
    sku                text             NOT NULL,
    warehouse          text             NOT NULL,
    revision           bigint           NOT NULL,
    safety_stock       bigint,
    reorder_point      bigint,
    order_quantity     bigint,
    moq                bigint,
    pack_multiple      bigint,
    lead_time_days     double precision,
    lead_time_sd_days  double precision,
    stock_class        text,
    supplier           text,
    unit_cost          numeric,
    price              numeric,
    provenance         jsonb            NOT NULL,
    PRIMARY KEY (sku, warehouse)
)
"""
# An empty warehouse stands for all. Values have columns of their own, so that consumers read tens
# of thousands without decoding JSON; the provenance, {name: [source, by, at]}, is for people. A row
# without any value stays when its parameters are removed: that is how consumers hear of it.

BY_REVISION = "CREATE INDEX parameter_by_revision ON parameter (revision, sku, warehouse)"


def upgrade() -> None:
    """Create the tables of parameters."""
    for statement in (PARAMETER_BOOK, PARAMETER, BY_REVISION):
        op.execute(statement)
    op.execute("INSERT INTO parameter_book (revision) VALUES (0)")
