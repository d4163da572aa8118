"""Orders at their suppliers: the mails that were asked for, and when the link was last opened."""

from alembic import op

revision = "0014"
down_revision = "0013"

# Of links that were opened before, nobody knows.
LINK_OPENED = "ALTER TABLE purchase_order ADD COLUMN link_opened_at timestamptz"

ORDER_MAIL = """
CREATE TABLE order_mail (
    id        uuid        PRIMARY KEY,
    order_id  uuid        NOT NULL REFERENCES purchase_order (id),
    address   text        NOT NULL,
    asked_at  timestamptz NOT NULL,
    asked_by  text
)
"""

MAIL_BY_ORDER = "CREATE INDEX order_mail_by_order ON order_mail (order_id)"


def upgrade() -> None:
    """Add the column and the table."""
    for statement in (LINK_OPENED, ORDER_MAIL, MAIL_BY_ORDER):
        op.execute(statement)
