"""Suppliers in the table of responsibilities; by when a first step was to be met."""

from alembic import op

revision = "0012"
down_revision = "0011"

# Of episodes that are past their first step it is not known any more.
FIRST_BY = "ALTER TABLE timer ADD COLUMN first_by timestamptz"

SINCE_NOW = "UPDATE timer SET first_by = by WHERE number = 1"

RETRACTED = """
CREATE INDEX alert_history_retracted ON alert_history (alert_id) WHERE event = 'retracted'
"""

SUPPLIER = """
ALTER TABLE responsibility
    ADD COLUMN supplier text,
    DROP CONSTRAINT responsibility_category_warehouse_key,
    ADD UNIQUE NULLS NOT DISTINCT (category, supplier, warehouse)
"""


def upgrade() -> None:
    """Add the columns and the index."""
    for statement in (FIRST_BY, SINCE_NOW, RETRACTED, SUPPLIER):
        op.execute(statement)
