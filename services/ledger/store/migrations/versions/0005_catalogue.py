"""What the ledger has to know of SKUs and warehouses, copied from their topics."""

from alembic import op

revision = "0005"
down_revision = "0004"

ITEM = """
CREATE TABLE item (
    sku          text    PRIMARY KEY,
    version      bigint  NOT NULL,
    name         text,
    kit          json    NOT NULL,
    oversell     boolean NOT NULL,
    stock_class  text,
    cost         numeric
)
"""

WAREHOUSE = """
CREATE TABLE warehouse (
    warehouse  text   PRIMARY KEY,
    version    bigint NOT NULL,
    name       text   NOT NULL,
    zone       text   NOT NULL
)
"""


def upgrade() -> None:
    """Make room for the copies; the topics are compacted, so both fill from their beginning."""
    for statement in (ITEM, WAREHOUSE):
        op.execute(statement)
