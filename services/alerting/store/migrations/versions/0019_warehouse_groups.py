"""Groups of warehouses, and rows of the table of responsibilities that name one."""

from alembic import op

revision = "0019"
down_revision = "0018"

WAREHOUSE_GROUP = """
CREATE TABLE warehouse_group (
    id          text PRIMARY KEY,
    name        text NOT NULL,
    warehouses  text[] NOT NULL
)
"""

NAMED = """
ALTER TABLE responsibility
    ADD COLUMN warehouse_group text REFERENCES warehouse_group (id),
    ADD CHECK (warehouse IS NULL OR warehouse_group IS NULL),
    DROP CONSTRAINT responsibility_category_supplier_warehouse_key,
    ADD UNIQUE NULLS NOT DISTINCT (category, supplier, warehouse, warehouse_group)
"""


def upgrade() -> None:
    """Add the table and the column."""
    for statement in (WAREHOUSE_GROUP, NAMED):
        op.execute(statement)
