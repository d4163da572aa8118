"""How mail servers are reached, whose secret a token is for, and indexes to list and forget by."""

from alembic import op

revision = "0009"
down_revision = "0007"

TLS = """
UPDATE destination
SET settings = settings - 'starttls' || jsonb_build_object(
        'tls', CASE WHEN (settings -> 'starttls')::boolean THEN 'starttls' ELSE 'none' END)
WHERE kind = 'email'
"""

# Tokens that are there already are of an unknown one, and fetched anew.
ACCESS = "ALTER TABLE access_token ADD COLUMN secret_digest text"

INDEXES = (
    "CREATE INDEX delivery_of_destination ON delivery (destination, id)",
    # The sums read nothing but this.
    "DROP INDEX delivery_by_state",
    """CREATE INDEX delivery_by_state ON delivery (state, id) INCLUDE (kind, duplicate_possible)""",
    # Whoever deletes deliveries is asked for their cards.
    "CREATE INDEX card_code_of_card ON card_code (card)",
)


def upgrade() -> None:
    """Say in settings how TLS is used; add the column and the indexes."""
    for statement in (TLS, ACCESS, *INDEXES):
        op.execute(statement)
