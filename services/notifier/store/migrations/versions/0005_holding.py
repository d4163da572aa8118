"""Deliveries that wait on purpose, and when destinations want to be told."""

from alembic import op

revision = "0005"
down_revision = "0004"

DELIVERY = """
ALTER TABLE delivery
    ADD COLUMN gather_key     text,
    ADD COLUMN held_for       text,
    ADD COLUMN not_before     timestamptz,
    ADD COLUMN at_risk_money  numeric,
    ADD COLUMN at_risk_units  double precision
"""

DELIVERY_HELD = """
CREATE INDEX delivery_held ON delivery (destination, not_before)
    WHERE state IN ('waiting', 'failed') AND gather_key IS NOT NULL
"""

DESTINATION = "ALTER TABLE destination ADD COLUMN manners jsonb NOT NULL DEFAULT '{}'"

PROGRAMS = """
UPDATE destination SET manners = '{"of_programs": true}' WHERE kind = 'webhook'
"""


def upgrade() -> None:
    """Add the columns and the index of what waits."""
    for statement in (DELIVERY, DELIVERY_HELD, DESTINATION, PROGRAMS):
        op.execute(statement)
